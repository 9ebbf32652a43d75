// Every page against WCAG 2.2 A and AA, in both colour schemes, on a desktop and on a phone.
import { FakeAgent } from '../fake-agent';
import { hydrated, test } from '../fixtures';
import { fleet } from '../fleet';
import { PAGES, sane } from '../pages';
import { decide } from '../steps';

for (const { colorScheme, width, height } of [
  { colorScheme: 'light', width: 1280, height: 900 },
  { colorScheme: 'dark', width: 1280, height: 900 },
  { colorScheme: 'light', width: 390, height: 844 },
  { colorScheme: 'dark', width: 390, height: 844 },
] as const) {
  test.describe(`${colorScheme}, ${width} wide`, () => {
    test.use({ colorScheme, viewport: { width, height } });

    test('every page is accessible', async ({ adminPage: page, server, expectAccessible, pageErrors }) => {
      const { pilot } = await fleet(server);
      // States worth looking at: an approval, a failure with its hold, a device that waits.
      await page.goto('/patches/1');
      await decide(page, 'Approve', 'Pilot', 'for the picture');
      await pilot.obey({ kind: 'failed', exit: 100, message: 'E: sub-process returned an error' });
      const waiting = new FakeAgent(server.url, 'new-1');
      await waiting.enroll(await server.admin('token', 'new', '--plain'));
      pageErrors.allow(/status of 404/);
      for (const path of [...PAGES.map((p) => p.path), '/no-such-page']) {
        await page.goto(path);
        await hydrated(page, true);
        await sane(page);
        // What is folded away counts too; panels that lie over the page are looked at one by one.
        await page.locator('main details:not(.act)').evaluateAll((all) => all.forEach((d) => d.setAttribute('open', '')));
        await expectAccessible(page);
        for (const panel of await page.locator('main details.act').all()) {
          await panel.evaluate((d) => d.setAttribute('open', ''));
          await sane(page);
          await expectAccessible(page, 'details.act[open]');
          await panel.evaluate((d) => d.removeAttribute('open'));
        }
      }
      await page.context().clearCookies();
      for (const path of ['/sign-in', '/sign-in/link/none']) {
        await page.goto(path);
        await sane(page);
        await expectAccessible(page);
      }
    });
  });
}
