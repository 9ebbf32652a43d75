// The picture in the README. Not part of the tests: PATCHWARD_SCREENSHOTS=1 npx playwright test --project=js screenshots
import path from 'node:path';
import { expect, hydrated, test } from '../fixtures';
import { fleet } from '../fleet';
import { decide } from '../steps';

test.use({ colorScheme: 'light', viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2 });

test('the status view @screenshots', async ({ adminPage: page, server }) => {
  const { pilot } = await fleet(server);
  await page.goto('/patches/1');
  await hydrated(page, true);
  await decide(page, 'Approve', 'Pilot', 'exploited');
  await pilot.obey();
  await page.goto('/patches');
  await hydrated(page, true);
  await expect(page.getByRole('table', { name: 'Patches' })).toContainText('installed');
  await page.screenshot({ path: path.join(import.meta.dirname, '../../docs/screenshot.png') });
});
