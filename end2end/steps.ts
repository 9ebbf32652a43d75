// What a person does on the pages, in the words of the pages. Works with and without JavaScript.
import { expect, type Locator, type Page } from '@playwright/test';
import { hydrated } from './fixtures';

/**
 * Sends a form and waits for the answer to this very form: what an assertion sees afterwards is not what was said about the form before.
 * `send` must send one; a form that the browser itself keeps back is no such thing.
 */
export async function sent(page: Page, send: () => Promise<void>): Promise<void> {
  const form = (type: string | undefined) => type !== undefined && /^(application\/x-www-form-urlencoded|multipart\/form-data)/.test(type);
  const answer = page.waitForResponse((response) => {
    const request = response.request();
    return request.method() === 'POST' && form(request.headers()['content-type']);
  });
  // Without JavaScript the answer leads to a new document; with it, nobody waits for one.
  const shown = page.waitForEvent('framenavigated', { predicate: (frame) => frame === page.mainFrame() }).catch(() => undefined);
  await send();
  const request = (await answer).request();
  if (request.isNavigationRequest()) {
    await shown;
    await page.waitForLoadState();
  } else {
    await expect(page.locator('form[aria-busy=true]')).toHaveCount(0);
  }
}

/** Presses the button of that name and waits for the answer. */
export async function press(within: Page | Locator, name: string | RegExp): Promise<void> {
  const page = 'goto' in within ? within : within.page();
  const button = within.getByRole('button', typeof name === 'string' ? { name, exact: true } : { name });
  await sent(page, () => button.click());
}

/** Opens an act's panel, fills in its reason and does it. `within` is the part of the page that has the act. */
export async function act(within: Locator, label: string, reason?: string): Promise<void> {
  const panel = within.locator('details.act').filter({ has: within.page().locator('summary', { hasText: label }) });
  await panel.locator('summary').click();
  if (reason !== undefined) {
    await panel.getByRole('textbox').fill(reason);
  }
  await sent(within.page(), () => panel.getByRole('button').click());
}

/** The banner that says what was done. */
export function notice(page: Page): Locator {
  return page.locator('.flash-place').getByRole('status');
}

/** One ring's part of the page of a patch. */
export function lane(page: Page, ring: string): Locator {
  return page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name: ring }) });
}

/** A row of a table, by what stands in its first cell. */
export function rowOf(page: Page, table: string, name: string | RegExp): Locator {
  return page.getByRole('table', { name: table }).getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });
}

/** Decides for one ring on the page of a patch. */
export async function decide(page: Page, verb: 'Approve' | 'Deny' | 'Withdraw', ring: string, reason: string): Promise<void> {
  await lane(page, ring).getByRole('link', { name: `${verb} for ${ring}`, exact: true }).click();
  await expect(page.getByRole('radio', { name: ring })).toBeChecked();
  await page.getByLabel(/^Reason/).fill(reason);
  // A ring that asks for a rollback plan: without one it takes a tick, and the reason stands in its place.
  const without = page.getByRole('checkbox', { name: /^Go without a rollback plan/ });
  if (verb === 'Approve' && ring !== 'Pilot' && (await without.count()) > 0) {
    await without.check();
  }
  await press(page, `${verb}: 1 patch`);
  const done = { Approve: 'approved', Deny: 'denied', Withdraw: 'withdrawn' }[verb];
  await expect(notice(page)).toContainText(`1 patch: ${done}.`);
}

/** Makes an enrolment token on the page and returns it. */
export async function newToken(page: Page, js: boolean, label: string, group: string): Promise<string> {
  await page.goto('/accounts');
  await hydrated(page, js);
  const panel = page.locator('#enrolment details.act').first();
  await panel.locator('summary').click();
  await panel.getByLabel('Label').fill(label);
  await panel.getByLabel('Devices join').selectOption({ label: `${group} (ring ${group})` });
  await panel.getByLabel(/^Accept at once/).check();
  await press(panel, 'Make the token');
  const command = page.locator('.fresh pre');
  await expect(command).toContainText('pwe_');
  return /pwe_[A-Za-z0-9_-]+/.exec((await command.textContent())!)![0];
}
