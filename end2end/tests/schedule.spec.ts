// Profiles, windows, freezes and exceptions: made, checked, changed and deleted, with and without JavaScript.
import type { Page } from '@playwright/test';
import { expect, hydrated, signIn, test } from '../fixtures';
import { enrolled, fleet, HOSTILE, OPENSSL } from '../fleet';
import { decide, notice, press } from '../steps';

/** The part of the page that says what the form would do. */
const look = (page: Page) => page.getByRole('region', { name: 'What it would do' });
const refused = (page: Page) => page.getByRole('alert');
const card = (page: Page, name: string) => page.getByRole('listitem').filter({ has: page.getByRole('heading', { level: 3, name }) });

/** A form, ready to be filled in. */
async function form(page: Page, js: boolean, kind: string, id: number | 'new' = 'new'): Promise<void> {
  await page.goto(`/schedule/${kind}/${id}`);
  await hydrated(page, js);
}

const check = (page: Page) => press(page, 'Check');
const save = (page: Page) => press(page, 'Save');

/** The field and the refusal that it names as its description. */
async function wrongBeside(page: Page, label: string | RegExp, text: string | RegExp): Promise<void> {
  const field = page.getByLabel(label, { exact: true });
  await expect(field).toHaveAttribute('aria-invalid', 'true');
  await expect(field).toHaveAccessibleDescription(text);
}

test('a window is checked before it is saved, then changed and deleted', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'go');
  await page.goto('/schedule');
  await hydrated(page, js);
  await page.getByRole('link', { name: 'New window' }).click();
  await hydrated(page, js);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('New maintenance window');
  await page.getByLabel('Name', { exact: true }).fill('Second Tuesday and two days');
  await page.getByRole('radio', { name: /^Every month/ }).check();
  await page.getByRole('combobox', { name: 'The', exact: true }).selectOption('second');
  await page.getByRole('combobox', { name: 'Day', exact: true }).selectOption('Tuesday');
  await page.getByLabel('and so many days later', { exact: true }).fill('2');
  await page.getByLabel('Begins at', { exact: true }).fill('21:30');
  await page.getByRole('radio', { name: /^Of a place/ }).check();
  await page.getByLabel('Time zone', { exact: true }).fill('Europe/Berlin');
  await check(page);
  // The server's clock is the machine's: the day counts, not the month.
  await expect(look(page)).toContainText('Each month on 2 days after the second Tuesday at 21:30 for 4 h, Europe/Berlin time');
  await expect(look(page).getByRole('list').filter({ hasText: /CES?T/ }).getByRole('listitem')).toHaveCount(5);
  await expect(look(page)).toContainText(/Thu \d+ \w+ \d+ 21:30/);
  // The approved install would wait for it, and nothing is saved yet.
  await expect(look(page)).toContainText('1 later');
  await expect(look(page).getByRole('link', { name: 'pilot-1' })).toHaveAttribute('href', '/devices/1');
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Second Tuesday and two days');
  await save(page);
  await expect(notice(page)).toContainText('Saved.');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Second Tuesday and two days');
  await expect(page.getByText('followed by 0 of 3 devices')).toBeVisible();

  await hydrated(page, js);
  await page.getByRole('radio', { name: /^Every week/ }).check();
  for (const day of ['Sat', 'Sun']) {
    await page.getByRole('checkbox', { name: day }).check();
  }
  await page.getByRole('checkbox', { name: /^Production/ }).check();
  await save(page);
  await expect(notice(page)).toContainText('Saved.');
  await page.goto('/schedule');
  const made = card(page, 'Second Tuesday and two days');
  await expect(made).toContainText('Every Saturday and Sunday at 21:30 for 4 h, Europe/Berlin time');
  await expect(made).toContainText('Production');
  await expect(made).toContainText('Next: Sat');
  await expect(made).toContainText('followed by 0 of 2 devices');
  await expect(made).toContainText('by admin');

  await made.getByRole('link').click();
  await page.getByRole('link', { name: 'Delete' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Delete the maintenance window “Second Tuesday and two days”?');
  await expect(page.getByRole('region', { name: 'Approved installs that would move' })).toContainText('None');
  await hydrated(page, js);
  await press(page, 'Delete this maintenance window');
  await expect(notice(page)).toContainText('Deleted.');
  await expect(page.getByText('No device waits for a window.')).toBeVisible();
});

test('a refusal stands beside its field, and nothing that was typed is lost', async ({ adminPage: page, js }) => {
  await form(page, js, 'windows');
  await page.getByLabel('Name', { exact: true }).fill('  Too short & <b>odd</b> ');
  await page.getByRole('checkbox', { name: 'Wed' }).check();
  await page.getByLabel('Lasts hours', { exact: true }).fill('0');
  await page.getByRole('checkbox', { name: /^Pilot/ }).check();
  await save(page);
  await expect(refused(page)).toContainText('Not saved');
  await expect(page.getByRole('group', { name: 'How long it lasts' })).toHaveAccessibleDescription('A window needs a length: at least a minute.');
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('  Too short & <b>odd</b> ');
  for (const box of [/^Wed/, /^Sat/, /^Pilot/]) {
    await expect(page.getByRole('checkbox', { name: box })).toBeChecked();
  }

  await hydrated(page, js);
  await page.getByLabel('Lasts hours', { exact: true }).fill('2');
  await page.getByRole('radio', { name: /^Of a place/ }).check();
  await page.getByLabel('Time zone', { exact: true }).fill('Mars/Olympus');
  await save(page);
  await wrongBeside(page, 'Time zone', /“Mars\/Olympus” is not a time zone/);
  await expect(page.getByLabel('Time zone', { exact: true })).toHaveValue('Mars/Olympus');

  await hydrated(page, js);
  await page.getByRole('radio', { name: /^UTC/ }).check();
  await page.getByRole('radio', { name: /^Once/ }).check();
  await page.getByLabel('Date', { exact: true }).fill('2020-02-29');
  await save(page);
  await wrongBeside(page, 'Date', 'It never occurs, or only in the past.');

  await hydrated(page, js);
  await page.getByRole('radio', { name: /^By a rule/ }).check();
  await page.getByLabel('First day', { exact: true }).fill('2026-01-01');
  await page.getByLabel('Rule', { exact: true }).fill('FREQ=SECONDLY');
  await save(page);
  await wrongBeside(page, 'Rule', /more often than every hour/);
  await hydrated(page, js);
  await page.getByLabel('Rule', { exact: true }).fill('FREQ=MONTHLY;BYMONTHDAY=15');
  await save(page);
  await expect(notice(page)).toContainText('Saved.');

  // Its name is taken now.
  await form(page, js, 'windows');
  await page.getByLabel('Name', { exact: true }).fill('Too short & <b>odd</b>');
  await save(page);
  await wrongBeside(page, 'Name', 'The name is in use already.');
});

test('who saves last does not overwrite unseen what somebody else saved', async ({ adminPage: page, server, js, browser }) => {
  await form(page, js, 'freezes');
  await page.getByLabel('Name', { exact: true }).fill('Sale');
  await page.getByLabel('From', { exact: true }).fill('2030-11-25T00:00');
  await page.getByLabel('To', { exact: true }).fill('2030-12-02T00:00');
  await page.getByRole('radio', { name: /^UTC/ }).check();
  await save(page);
  await expect(notice(page)).toContainText('Saved.');
  const address = page.url().replace(/\?.*/, '');
  await page.goto(address);
  await hydrated(page, js);
  await page.getByLabel('Name', { exact: true }).fill('Sale week');

  const context = await browser.newContext({ javaScriptEnabled: js });
  const other = await context.newPage();
  await signIn(other, await server.account('bea', 'administrator'));
  await other.goto(address);
  await hydrated(other, js);
  await other.getByLabel('To', { exact: true }).fill('2030-12-09T00:00');
  await save(other);
  await expect(notice(other)).toContainText('Saved.');
  await context.close();

  await save(page);
  await expect(refused(page)).toContainText('bea saved a newer version');
  await expect(refused(page)).toContainText('Sale: Mon 25 Nov 2030 00:00 to Mon 9 Dec 2030 00:00, UTC');
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('Sale week');
  await hydrated(page, js);
  await press(page, 'Save mine over it');
  await expect(notice(page)).toContainText('Saved.');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sale week');
  await expect(page.getByLabel('To', { exact: true })).toHaveValue('2030-12-02T00:00');
});

test('a freeze stops what is approved, and the page says so before it is saved', async ({ adminPage: page, server, js }) => {
  const pilot = await enrolled(server, 'Pilot', 'pilot-1', OPENSSL);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'go');
  await form(page, js, 'freezes');
  await page.getByLabel('Name', { exact: true }).fill('Move of the data centre');
  await page.getByLabel('From', { exact: true }).fill('2020-01-01T00:00');
  await page.getByLabel('To', { exact: true }).fill('2019-01-01T00:00');
  await save(page);
  await wrongBeside(page, 'To', /It ends before it begins/);
  await hydrated(page, js);
  await page.getByLabel('To', { exact: true }).fill('2090-01-01T00:00');
  await check(page);
  await expect(look(page)).toContainText('1 later');
  await save(page);
  await expect(notice(page)).toContainText('Saved.');
  expect((await pilot.checkIn()).orders).toEqual([]);
  await page.getByRole('link', { name: 'Delete' }).click();
  await expect(page.getByRole('region', { name: 'Approved installs that would move' })).toContainText('1 earlier');
  await hydrated(page, js);
  await press(page, 'Delete this freeze');
  await expect(notice(page)).toContainText('Deleted.');
  expect((await pilot.checkIn()).orders).toHaveLength(1);
});

test('a profile has hours, groups, and devices by their names', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await form(page, js, 'profiles');
  await page.getByLabel('Name', { exact: true }).fill('Nights');
  await page.getByLabel('Scan every', { exact: true }).fill('5');
  await page.getByRole('combobox', { name: 'Unit' }).first().selectOption('minutes');
  await page.getByRole('radio', { name: /^Certain hours/ }).check();
  await page.getByLabel('Add devices', { exact: true }).first().fill('pilot-1, #3, nobody');
  await save(page);
  await expect(refused(page)).toContainText('Nothing is called “nobody”.');
  await expect(page.getByLabel('Add devices', { exact: true }).first()).toHaveValue('pilot-1, #3, nobody');
  await hydrated(page, js);
  await page.getByLabel('Add devices', { exact: true }).first().fill('pilot-1, #3');
  await save(page);
  await wrongBeside(page, 'Scan every', /At most every 15 minutes/);
  // The devices are boxes now, each under its own name.
  for (const name of ['pilot-1 #1', `${HOSTILE} #3`]) {
    await expect(page.getByRole('checkbox', { name, exact: true })).toBeChecked();
  }
  await hydrated(page, js);
  await page.getByLabel('Scan every', { exact: true }).fill('6');
  await page.getByRole('combobox', { name: 'Unit' }).first().selectOption('hours');
  await page.getByRole('checkbox', { name: 'pilot-1 #1' }).uncheck();
  await check(page);
  await expect(look(page)).toContainText('is a load on devices and server');
  await save(page);
  await expect(notice(page)).toContainText('Saved.');
  await expect(page.getByText('followed by 0 of 1 device')).toBeVisible();
  await expect(page.getByRole('checkbox', { name: 'pilot-1 #1' })).toHaveCount(0);
  await page.goto('/schedule');
  await expect(card(page, 'Nights')).toContainText('Scans every 6 h');

  // Without the profile for every device two of three have none: a finding, not an install.
  await card(page, 'Every device').getByRole('link').click();
  await page.getByRole('link', { name: 'Delete' }).click();
  await hydrated(page, js);
  await press(page, 'Delete this profile');
  await expect(page.getByRole('note')).toContainText('2 devices follow no profile: nothing is installed there.');
});

test('an exception is made from its patch, with an owner, a reason and an end', async ({ adminPage: page, server, js }) => {
  const { pilot } = await fleet(server);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'go');
  await page.goto('/patches/1');
  await page.getByRole('link', { name: 'Except devices' }).click();
  await hydrated(page, js);
  await expect(page.getByLabel('Patch', { exact: true })).toHaveValue(`#1 openssl ${OPENSSL.version}`);
  await page.getByRole('radio', { name: /^On one device/ }).check();
  await page.getByLabel('Device', { exact: true }).fill('pilot-1');
  await page.getByLabel('Why', { exact: true }).fill('its shop breaks');
  await page.getByLabel('Ends (UTC)', { exact: true }).fill('2031-12-31T12:00');
  await check(page);
  await expect(look(page)).toContainText('1 later');
  await save(page);
  await expect(notice(page)).toContainText('Saved.');
  await expect(page.getByLabel('Device', { exact: true })).toHaveValue('#1 pilot-1');
  expect((await pilot.checkIn()).orders).toEqual([]);
  await page.goto('/schedule');
  const made = card(page, `openssl ${OPENSSL.version}: pilot-1`);
  await expect(made).toContainText('its shop breaks');
  await expect(made).toContainText('admin answers for it');
});

test('who may not change the schedule sees it and nothing to press', async ({ page, server, js, pageErrors }) => {
  pageErrors.allow(/status of 403/);
  await signIn(page, await server.account('otto', 'auditor'));
  await page.goto('/schedule');
  await expect(page.getByRole('link', { name: /^New / })).toHaveCount(0);
  await form(page, js, 'profiles', 1);
  await expect(page.getByLabel('Name', { exact: true })).toBeDisabled();
  await expect(page.getByText('An administrator changes it.')).toBeVisible();
  await expect(page.getByRole('button', { name: /Save|Check/ })).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'Delete' })).toHaveCount(0);
  for (const path of ['/schedule/windows/new', '/schedule/profiles/1/delete']) {
    await page.goto(path);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not for this role');
  }
});
