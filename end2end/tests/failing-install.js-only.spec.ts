// A patch whose maintainer script fails on the pilot: production must not get it, however long it waits, until a person has looked.
import { Device } from '../devices';
import { attachLog, expect, hydrated, signIn, test } from '../fixtures';
import { publish, type Package } from '../packages';
import { decide, lane, notice, press, rowOf } from '../steps';

const INSTALL = { timeout: 90_000 };
const GOOD: Package = { name: 'frail', version: '1.0-1', summary: 'a package for the tests' };
// Fails as long as somebody on the device has not put right what it stumbles over.
const postinst = '#!/bin/sh\nset -e\n[ "$1" != configure ] || [ -e /etc/frail.conf ] || { echo "frail: /etc/frail.conf is missing" >&2; exit 1; }\n';
const BAD: Package = { ...GOOD, version: '2.0-1', postinst };

test.describe('with real devices', () => {
  test.skip(!!process.env.PATCHWARD_NO_DEVICES, process.env.PATCHWARD_NO_DEVICES ?? '');
  let pilot: Device;
  let production: Device;

  test.beforeAll(async () => {
    expect(process.env.PATCHWARD_DEVICES_FAILED, 'the system for the devices').toBeUndefined();
    [pilot, production] = await Promise.all([Device.start('pilot-2'), Device.start('production-2')]);
    for (const device of [pilot, production]) {
      // Nothing of Debian's archive is needed here.
      await device.write('/etc/apt/sources.list', '');
      await publish(device, [GOOD]);
      await device.exec('apt-get', '-qq', 'update');
      await device.exec('apt-get', '-qq', '-y', 'install', 'frail');
      await publish(device, [GOOD, BAD]);
      await device.exec('apt-get', '-qq', 'update');
    }
  });

  test.afterAll(async ({}, info) => {
    for (const device of [pilot, production]) {
      if (device) {
        await attachLog(info, `${device.hostname}.log`, device.log);
        await device.stop();
      }
    }
  });

  test('a failed pilot holds production until a person resolves it with a note', async ({ adminPage: page, server, pageErrors }) => {
    // When the clock is moved on, the session is over, and a page that is still open may be told so before the test signs in again.
    pageErrors.allow(/status of 401/);
    test.setTimeout(240_000);
    await pilot.join(server.url, await server.token('Pilot'));
    await production.join(server.url, await server.token('Production'));
    await page.goto('/patches');
    await hydrated(page, true);
    const row = rowOf(page, 'Patches', 'frail 2.0-1');
    await expect(row).toContainText('2 missing', INSTALL);
    await row.getByRole('link', { name: 'frail', exact: true }).click();
    await expect(page.getByRole('heading', { level: 1 })).toContainText('2.0-1');
    const patch = new URL(page.url()).pathname;
    const hold = page.getByRole('group', { name: 'Open hold' });

    await test.step('the install fails on the pilot and the rollout is held', async () => {
      await decide(page, 'Approve', 'Production', 'as soon as the pilot has proved it');
      await decide(page, 'Approve', 'Pilot', 'looks harmless');
      await expect(hold).toContainText('pilot-2', INSTALL);
      await expect(rowOf(page, 'Devices of this patch', 'pilot-2')).toContainText('Failed');
      expect(await pilot.versionOf('frail')).not.toBe('2.0-1');
      await page.goto('/patches?approval=held');
      await expect(rowOf(page, 'Patches', 'frail 2.0-1')).toContainText('held');
    });

    await test.step('the device says what went wrong', async () => {
      await page.goto('/devices');
      await rowOf(page, 'Devices', 'pilot-2').getByRole('link', { name: 'pilot-2' }).click();
      const attempt = page.locator('.attempts > li').first();
      await expect(attempt).toContainText('frail');
      await attempt.locator('summary', { hasText: 'End of the log' }).click();
      await expect(attempt.locator('pre')).toContainText('/etc/frail.conf is missing');
    });

    await test.step('time alone does not let it go on', async () => {
      await server.advanceClock(8 * 86_400);
      await signIn(page, await server.admin('account', 'sign-in-link', 'admin', '--plain'));
      const contacts = () => production.log.filter((line) => line.includes('checked in')).length;
      const before = contacts();
      await expect.poll(contacts, INSTALL).toBeGreaterThan(before + 5);
      await page.goto(patch);
      await hydrated(page, true);
      await expect(hold).toHaveCount(1);
      await expect(lane(page, 'Production').locator('.opens')).toHaveCount(0);
      expect(await production.versionOf('frail')).toBe('1.0-1');
    });

    await test.step('a person puts the device right and resolves the hold with a note', async () => {
      await pilot.write('/etc/frail.conf', 'ok\n');
      await pilot.exec('apt-get', '-qq', '-y', 'install', 'frail=2.0-1');
      await hold.getByRole('button', { name: 'Resolve this hold' }).click();
      // Not without a note.
      await expect(hold).toHaveCount(1);
      await hold.getByRole('textbox').fill('frail.conf was missing on pilot-2; put there by hand');
      await press(hold, 'Resolve this hold');
      await expect(notice(page)).toContainText('The hold is resolved.');
      await expect(hold).toHaveCount(0);
      const past = page.locator('details.past');
      await past.locator('summary').click();
      await expect(past).toContainText('frail.conf was missing on pilot-2; put there by hand');
      await expect(past).toContainText('admin');
      await page.goto('/audit?q=frail.conf');
      await expect(page.getByRole('table').getByRole('row').filter({ hasText: 'put there by hand' })).toBeVisible();
    });

    // What was put right by hand is no proof: production still waits.
    expect(await production.versionOf('frail')).toBe('1.0-1');
  });
});
