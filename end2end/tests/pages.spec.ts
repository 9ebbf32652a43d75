// Every page for everybody, with and without JavaScript.
import { FakeAgent } from '../fake-agent';
import { expect, hydrated, signIn, test } from '../fixtures';
import { enrolled, fleet, HOSTILE, OPENSSL } from '../fleet';
import { PAGES, ROLES, sane } from '../pages';
import { act, decide, lane, newToken, notice, press, rowOf } from '../steps';

for (const role of ROLES) {
  test(`every page for ${role}`, async ({ page, server, js, pageErrors }) => {
    await fleet(server);
    await signIn(page, await server.account('anna', role));
    pageErrors.allow(/the server responded with a status of 403/);
    for (const { path, title, roles } of PAGES) {
      await page.goto(path);
      await hydrated(page, js);
      if (roles.includes(role)) {
        await expect(page.getByRole('heading', { level: 1 })).toContainText(title);
        await expect(page.getByRole('alert')).toHaveCount(0);
      } else {
        await expect(page.getByRole('heading', { level: 1 })).toContainText('Not for this role');
      }
      await sane(page);
    }
    const nav = page.getByRole('navigation', { name: 'Main' });
    await expect(nav.getByRole('link', { name: 'Accounts' })).toHaveCount(role === 'administrator' ? 1 : 0);
    await expect(nav.getByRole('link', { name: 'Audit' })).toHaveCount(role === 'pilot-user' ? 0 : 1);
  });
}

test('a page that does not exist says so with status 404', async ({ adminPage: page, pageErrors, js }) => {
  pageErrors.allow(/status of 404/);
  const response = await page.goto('/no-such-page');
  expect(response?.status()).toBe(404);
  await hydrated(page, js);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('There is no such page');
  for (const path of ['/patches/999', '/devices/999', '/patches/x']) {
    expect((await page.goto(path))?.status()).toBe(404);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('There is nothing here');
  }
});

test('pages send people who are not signed in to the sign-in page, and back', async ({ page, server, js, pageErrors }) => {
  pageErrors.allow(/status of 401/);
  const password = 'four words make a password';
  await signIn(page, server.signInLink);
  await page.goto('/password');
  await hydrated(page, js);
  await page.getByLabel('New password').fill(password);
  await press(page, 'Set password');
  await expect(notice(page)).toContainText('The password is set');
  await press(page, 'Sign out');
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Sign in');

  await page.goto('/devices?show=active');
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Sign in');
  await hydrated(page, js);
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(password);
  await press(page, 'Sign in');
  await expect(page).toHaveURL(/\/devices\?show=active$/);
});

test('after too many wrong passwords the page says how long to wait', async ({ page, js, pageErrors }) => {
  pageErrors.allow(/status of (403|429)/);
  const refusal = page.getByRole('alert');
  for (let attempt = 0; attempt < 15; attempt += 1) {
    await page.goto('/sign-in');
    await hydrated(page, js);
    await page.getByLabel('Name').fill('admin');
    await page.getByLabel('Password').fill(`not the password ${attempt}`);
    await press(page, 'Sign in');
    await expect(refusal).toContainText(/wrong|Too many failed sign-ins/);
    if (/Too many/.test((await refusal.textContent())!)) {
      await expect(refusal).toContainText(/Try again in [1-9]\d* seconds?/);
      return;
    }
  }
  throw new Error('15 wrong passwords and no pause');
});

test('the status view is filtered by words in the address', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await page.goto('/patches');
  await hydrated(page, js);
  const table = page.getByRole('table', { name: 'Patches' });
  await expect(table.getByRole('rowheader')).toHaveCount(3);
  await page.getByRole('searchbox', { name: 'Search' }).fill('ssl');
  await page.getByRole('searchbox', { name: 'Search' }).press('Enter');
  await expect(table.getByRole('rowheader')).toHaveCount(1);
  await expect(page).toHaveURL(/[?&]q=ssl/);
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(table.getByRole('rowheader')).toHaveCount(3);
  await page.getByLabel('Category').selectOption('Security');
  if (!js) {
    await page.getByRole('button', { name: 'Apply' }).click();
  }
  await expect(page).toHaveURL(/category=security/);
  await expect(table.getByRole('rowheader')).toHaveCount(2);
});

test('the keyboard is enough', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await page.goto('/patches');
  await hydrated(page, js);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused();
  const search = page.getByRole('searchbox', { name: 'Search' });
  for (let presses = 0; presses < 40 && !(await search.evaluate((e) => e === document.activeElement)); presses += 1) {
    await page.keyboard.press('Tab');
  }
  await expect(search).toBeFocused();
  await page.keyboard.type('openssl');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/q=openssl/);
  const link = page.getByRole('table', { name: 'Patches' }).getByRole('link', { name: 'openssl', exact: true });
  await expect(page.getByRole('table', { name: 'Patches' }).getByRole('rowheader')).toHaveCount(1);
  await link.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toContainText('openssl');
});

test('a patch is approved with a reason, from the list', async ({ adminPage: page, server, js }) => {
  const { pilot } = await fleet(server);
  await page.goto('/patches');
  await hydrated(page, js);
  await page.getByRole('checkbox', { name: `Select openssl ${OPENSSL.version}` }).check();
  await page.getByRole('button', { name: 'Approve', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Approve: 1 patch');
  await hydrated(page, js);
  await page.getByRole('radio', { name: 'Pilot' }).check();
  await page.getByLabel(/^Reason/).fill('CVE-2026-0001 is exploited');
  await press(page, 'Approve: 1 patch');
  await expect(notice(page)).toContainText('1 patch: approved.');
  await page.goto('/patches/1');
  await expect(lane(page, 'Pilot')).toContainText('approved');
  await expect(lane(page, 'Pilot')).toContainText('CVE-2026-0001 is exploited');
  // It is an approval, not only a word: the pilot gets an order, production does not.
  expect((await pilot.checkIn()).orders).toMatchObject([{ kind: 'install', packages: [{ name: 'openssl', version: OPENSSL.version }] }]);
});

test('deny asks for a reason, and a withdrawal takes it back', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await page.goto('/patches/1');
  await hydrated(page, js);
  await lane(page, 'Pilot').getByRole('link', { name: 'Deny for Pilot' }).click();
  await page.getByRole('button', { name: 'Deny: 1 patch' }).click();
  // The browser itself refuses to send it without.
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Deny: 1 patch');
  await page.getByLabel(/^Reason/).fill('breaks the shop');
  await press(page, 'Deny: 1 patch');
  await expect(lane(page, 'Pilot')).toContainText('denied');
  await decide(page, 'Withdraw', 'Pilot', 'the shop is mended');
  await expect(lane(page, 'Pilot')).toContainText('not decided');
});

test('every count is the length of the list that it links to', async ({ adminPage: page, server, js }) => {
  const { pilot } = await fleet(server);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'go');
  await pilot.obey();
  const waiting = new FakeAgent(server.url, 'new-1');
  await waiting.enroll(await server.admin('token', 'new', '--plain'));

  await page.goto('/patches');
  await hydrated(page, js);
  const links = page.locator('main').getByRole('link').filter({ hasText: /^\s*\d/ });
  await expect(links.first()).toBeVisible();
  const counts = await links.evaluateAll((all) =>
    all.map((a) => ({ to: a.getAttribute('href')!, count: Number(/\d+/.exec(a.textContent!.replaceAll(',', ''))![0]) })),
  );
  expect(counts.length).toBeGreaterThan(5);
  for (const { to, count } of counts) {
    await page.goto(to);
    const total = page.getByRole('navigation', { name: 'Pages' }).getByText(/^[\d,]+ (device|patch)(s|es)?$/);
    await expect(total, `${to} lists ${count}`).toHaveText(new RegExp(`^${count} `));
    const rows = page.getByRole('table', { name: /^Devices/ }).getByRole('rowheader');
    await expect(rows.or(page.locator('.waiting li')), `${to} shows ${count}`).toHaveCount(count);
  }
});

test('what is settled on a device is listed with how it came to be so', async ({ adminPage: page, server, js }) => {
  const { pilot } = await fleet(server);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'go');
  await pilot.obey();
  await page.goto('/devices/1');
  await hydrated(page, js);
  const tabs = page.getByRole('navigation', { name: 'Patches by state' });
  const lines = page.locator('details.patch-line');
  await expect(tabs.getByRole('link', { name: 'Installed 1' })).toBeVisible();
  await tabs.getByRole('link', { name: 'Installed 1' }).click();
  await expect(page).toHaveURL(/show=installed/);
  await expect(lines).toHaveCount(1);
  await expect(lines).toContainText('openssl');
  await expect(lines).toContainText('by Patchward, since');
  await lines.locator('> summary').click();
  await expect(lines.locator('.tried li')).toContainText(['Install: Done; proven by the scan of']);
  // Every count is the length of its list.
  for (const link of await tabs.getByRole('link').all()) {
    const [, count] = /(\d+)$/.exec((await link.textContent())!.trim())!;
    await link.click();
    await expect(link).toHaveAttribute('aria-current', 'page');
    await expect(lines).toHaveCount(Number(count));
  }
  // From the patch the way leads to the list in which its line is.
  await page.goto('/patches/1');
  await rowOf(page, 'Devices of this patch', 'pilot-1').getByRole('link', { name: 'pilot-1' }).click();
  await expect(page).toHaveURL(/show=installed#patch-1$/);
});

test('the ladder tells since when, by whom and until when a gate stands as it does', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'go');
  await page.goto('/devices/1');
  await hydrated(page, js);
  await page.locator('details.patch-line', { hasText: 'openssl' }).locator('> summary').click();
  const gate = (name: string) => page.locator('details.patch-line', { hasText: 'openssl' }).locator(`[data-gate=${name}]`);
  await expect(gate('approved').locator('.gate')).toContainText(/open since \d{4}-.*, by admin/);
  await page.goto('/devices/2');
  await hydrated(page, js);
  await page.locator('details.patch-line', { hasText: 'openssl' }).locator('> summary').click();
  await expect(gate('approved').locator('.until')).toContainText('Until a security officer approves it for Production.');
});

test('text from a device is shown as text', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  for (const path of ['/devices', '/patches/1', '/patches']) {
    await page.goto(path);
    await hydrated(page, js);
    if (path !== '/patches') {
      await expect(page.getByRole('link', { name: HOSTILE, exact: true })).toBeVisible();
    }
    await expect(page.locator('img')).toHaveCount(0);
    await expect(page).not.toHaveTitle('owned');
  }
  await page.goto('/devices/3');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(HOSTILE);
  await expect(page).toHaveTitle(`${HOSTILE} · Patchward`);
});

test('a token made on the page enrols a device, which a person then accepts', async ({ adminPage: page, server, js }) => {
  const token = await newToken(page, js, 'web servers', 'Production');
  // It is shown once.
  await page.reload();
  await expect(page.locator('.fresh')).toHaveCount(0);
  await expect(rowOf(page, 'Enrolment tokens', 'web servers')).toContainText('0 of 1');
  const agent = new FakeAgent(server.url, 'web-1').offer(OPENSSL);
  await agent.enroll(token);
  await expect(agent.enroll(token), 'the same key again is a retry').resolves.toBeUndefined();
  await expect(new FakeAgent(server.url, 'web-2').enroll(token)).rejects.toThrow(/401 token_used_up/);
  await page.goto('/accounts');
  await expect(rowOf(page, 'Enrolment tokens', 'web servers')).toContainText('1 of 1');
});

test('a device without an accepting token waits for a person who compares fingerprints', async ({ adminPage: page, server, js }) => {
  const agent = new FakeAgent(server.url, 'web-1').offer(OPENSSL);
  await agent.enroll(await server.admin('token', 'new', '--group', 'Production', '--plain'));
  await agent.checkIn();
  await agent.report();
  await page.goto('/devices');
  await hydrated(page, js);
  const waiting = page.getByRole('region', { name: 'Waiting for acceptance' }).getByRole('listitem');
  await expect(waiting).toContainText(agent.keyId);
  await act(waiting, 'Accept', 'the same on its screen');
  await expect(notice(page)).toContainText('The device is accepted.');
  await expect(rowOf(page, 'Devices', 'web-1')).toContainText('Active');
  expect((await agent.checkIn()).state).toBe('active');
  await page.goto('/patches');
  await expect(rowOf(page, 'Patches', `openssl ${OPENSSL.version}`)).toContainText('1 missing');
});

test('a revoked device is let in no more', async ({ adminPage: page, server, js }) => {
  const agent = await enrolled(server, 'Production', 'web-1', OPENSSL);
  await page.goto('/devices/1');
  await hydrated(page, js);
  await act(page.locator('.page-head'), 'Revoke', 'stolen');
  await expect(notice(page)).toContainText('The device is revoked.');
  await expect(agent.checkIn()).rejects.toThrow(/403 revoked/);
});
