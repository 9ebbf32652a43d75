// The page follows the server: nobody presses reload.
import { expect, hydrated, test } from '../fixtures';
import { enrolled, fleet, LESS } from '../fleet';
import { decide, lane, rowOf } from '../steps';

test('an approval in one tab shows in another', async ({ adminPage: page, server, context }) => {
  await fleet(server);
  const other = await context.newPage();
  await other.goto('/patches/1');
  await hydrated(other, true);
  await expect(lane(other, 'Pilot')).toContainText('not decided');
  await page.goto('/patches/1');
  await hydrated(page, true);
  await decide(page, 'Approve', 'Pilot', 'exploited');
  // A hidden tab asks when it is looked at again.
  await other.bringToFront();
  await expect(lane(other, 'Pilot')).toContainText('approved');
  await expect(lane(other, 'Pilot')).toContainText('exploited');
});

test('a device that enrols, reports and installs appears by itself', async ({ adminPage: page, server }) => {
  await page.goto('/patches');
  await hydrated(page, true);
  await expect(page.getByText('No devices yet')).toBeVisible();
  const pilot = await enrolled(server, 'Pilot', 'pilot-1', LESS);
  const row = rowOf(page, 'Patches', `less ${LESS.version}`);
  await expect(row).toContainText('1 missing');
  await row.getByRole('link', { name: 'less', exact: true }).click();
  await decide(page, 'Approve', 'Pilot', 'go');
  await pilot.obey();
  await expect(rowOf(page, 'Devices of this patch', 'pilot-1')).toContainText('Installed');
  await expect(lane(page, 'Pilot')).toContainText('1 of 1 successful installs');
});
