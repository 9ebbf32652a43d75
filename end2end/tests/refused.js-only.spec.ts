// A form that is refused keeps what was typed, and the page is looked at again where that is what is asked for.
import { expect, hydrated, test } from '../fixtures';
import { fleet } from '../fleet';
import { act, notice, press, sent } from '../steps';

test('what was typed outlives the session', async ({ adminPage: page, server, context, pageErrors }) => {
  pageErrors.allow(/status of 401/);
  await fleet(server);
  await page.goto('/patches/1');
  await hydrated(page, true);
  const panel = page.locator('details.act').filter({ has: page.locator('summary', { hasText: 'Hold the rollout' }) });
  await panel.locator('summary').click();
  await panel.getByRole('textbox').fill('the till stands still');
  const cookies = await context.cookies();
  await context.clearCookies();
  await sent(page, () => panel.getByRole('button').click());
  const refusal = page.locator('.flash-place').getByRole('alert');
  await expect(refusal).toContainText('Your session has ended');
  await expect(refusal.getByRole('link')).toHaveAttribute('target', '_blank');
  await expect(panel.getByRole('textbox')).toHaveValue('the till stands still');
  // Signed in again, in another tab.
  await context.addCookies(cookies);
  await sent(page, () => panel.getByRole('button').click());
  await expect(notice(page)).toContainText('The rollout is held');
});

test('a decision about what has changed is looked at again in place', async ({ adminPage: page, server, context, pageErrors }) => {
  pageErrors.allow(/status of 409/);
  await fleet(server);
  await page.goto('/patches/decide?verb=approve&sel=1.1');
  await hydrated(page, true);
  const pilot = page.getByRole('radio', { name: 'Pilot' });
  await expect(pilot).not.toBeChecked();
  await pilot.check();
  await page.getByLabel(/^Reason/).fill('exploited');
  const other = await context.newPage();
  await other.goto('/patches/1');
  await hydrated(other, true);
  await act(other.locator('.page-head'), 'Hold the rollout', 'wait');
  await page.bringToFront();
  await press(page, 'Approve: 1 patch');
  await expect(page.locator('.flash-place').getByRole('alert')).toContainText('This changed since the page was made');
  await expect(page.locator('.about')).toContainText('held');
  await expect(page.getByLabel(/^Reason/)).toHaveValue('exploited');
  await expect(pilot).toBeChecked();
  await press(page, 'Approve: 1 patch');
  await expect(notice(page)).toContainText('1 patch: approved.');
});
