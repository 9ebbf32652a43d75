// Every page against WCAG 2.2 A and AA, on a desktop and on a phone, in both colour schemes.
import type { Page } from '@playwright/test';
import { FakeAgent } from '../fake-agent';
import { expect, expectNoViolations, hydrated, test, type Server } from '../fixtures';
import { fleet } from '../fleet';
import { PAGES, sane } from '../pages';
import { decide } from '../steps';

/** Pages, in states worth looking at: an approval, a failure with its hold, a device that waits. */
async function prepared(page: Page, server: Server): Promise<string[]> {
  const { pilot } = await fleet(server);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'for the picture');
  await pilot.obey({ kind: 'failed', exit: 100, message: 'E: sub-process returned an error' });
  await new FakeAgent(server.url, 'new-1').enroll(await server.admin('token', 'new', '--plain'));
  return [...PAGES.map((p) => p.path), '/no-such-page'];
}

const SIGNED_OUT = ['/sign-in', '/sign-in/link/none'];
/** What is folded away counts, too. */
const unfold = (page: Page, which: string) =>
  page.locator(which).evaluateAll((all) => all.forEach((d) => d.setAttribute('open', '')));

/** Panels of which not all is seen when they are opened. */
const outside = (page: Page) =>
  page.locator('main details.act').evaluateAll((all) => {
    const hidden = all.filter((details) => {
      details.setAttribute('open', '');
      const { left, right } = details.querySelector('.act-panel')!.getBoundingClientRect();
      details.removeAttribute('open');
      return left < 0 || right > document.documentElement.clientWidth;
    });
    return hidden.map((details) => details.querySelector('summary')!.textContent);
  });

// Both look at some thirty pages, each with a checker that computes for seconds: far longer than a test of one thing.
test('every page is accessible on a desktop, in both colour schemes', async ({ adminPage: page, server, pageErrors }) => {
  test.setTimeout(900_000);
  pageErrors.allow(/status of 404/);
  const both = async (part?: string) => {
    await page.emulateMedia({ colorScheme: 'light' });
    await expectNoViolations(page, { part });
    await page.emulateMedia({ colorScheme: 'dark' });
    await expectNoViolations(page, { part, only: ['color-contrast', 'link-in-text-block'] });
  };
  const seen = new Set<string | null>();
  for (const path of await prepared(page, server)) {
    await page.goto(path);
    await hydrated(page, true);
    await unfold(page, 'main details:not(.act)');
    await sane(page);
    expect(await outside(page), `panels of ${path} that begin or end outside of the window`).toEqual([]);
    await both();
    // Panels lie over the page: one by one, each kind once.
    for (const panel of await page.locator('main details.act').all()) {
      const kind = await panel.locator('summary').textContent();
      if (!seen.has(kind)) {
        seen.add(kind);
        await panel.evaluate((d) => d.setAttribute('open', ''));
        await both('details.act[open]');
        await panel.evaluate((d) => d.removeAttribute('open'));
      }
    }
  }
  await page.context().clearCookies();
  for (const path of SIGNED_OUT) {
    await page.goto(path);
    await both();
  }
});

/** Lets the page be told that it shows a demonstration whose clock jumped: neither is to be had in a test of seconds. */
async function withBanners(page: Page): Promise<void> {
  await page.route('**/api/session/me', async (route) => {
    const answer = await route.fetch();
    const me = { ...(await answer.json()), demo: { devices: 30, days: 40 }, clock_suspect: true };
    await route.fulfill({ response: answer, json: me });
  });
  await page.goto('/sign-in');
  await hydrated(page, true);
  // Who is signed in is asked anew after the sign-in page.
  await page.getByRole('link', { name: 'Patchward' }).click();
  await expect(page.locator('.banner')).toHaveCount(2);
  await expect(page.locator('.banner').first()).toContainText('30 made-up devices with 40 days behind them');
}

test('the banners are accessible, in both colour schemes', async ({ adminPage: page }) => {
  await withBanners(page);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await expectNoViolations(page);
  }
  await sane(page);
});

test('the focus goes along to the next page, and back to what opened a panel', async ({ adminPage: page }) => {
  const main = page.locator('main');
  await page.goto('/devices');
  await hydrated(page, true);
  await expect(main).not.toBeFocused();
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Accounts' }).click();
  await expect(page.getByRole('heading', { name: 'Accounts and enrolment' })).toBeVisible();
  await expect(main).toBeFocused();
  expect(await page.evaluate(() => scrollY)).toBe(0);
  // Another address of the same page, and an act that stays on it.
  const panel = page.locator('details.act').filter({ has: page.locator('summary', { hasText: 'New account' }) });
  await panel.locator('summary').click();
  await panel.getByLabel('Name').fill('bert');
  await panel.getByRole('button').click();
  await expect(page).toHaveURL(/done=account/);
  await expect(panel.locator('summary')).toBeFocused();
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('the banners fit', async ({ adminPage: page }) => {
    await withBanners(page);
    await sane(page);
    await expectNoViolations(page);
  });

  test('every page is accessible and fits', async ({ adminPage: page, server, pageErrors }) => {
    test.setTimeout(900_000);
    pageErrors.allow(/status of 404/);
    for (const path of await prepared(page, server)) {
      await page.goto(path);
      await hydrated(page, true);
      await sane(page);
      // Here panels stand in the page's flow.
      await unfold(page, 'main details');
      await sane(page);
      await expectNoViolations(page);
    }
    await page.context().clearCookies();
    for (const path of SIGNED_OUT) {
      await page.goto(path);
      await sane(page);
      await expectNoViolations(page);
    }
  });
});
