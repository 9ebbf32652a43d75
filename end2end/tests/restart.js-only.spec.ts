// After an install that needs it a device restarts by itself only where its group says so; elsewhere the page says what is owed.
import { BootDevice, whyNoBoot } from '../boot-devices';
import { attachLog, expect, hydrated, test } from '../fixtures';
import { publish, type Package } from '../packages';
import { decide, notice, rowOf } from '../steps';

/** A package manager is at work, and a system boots; on a busy machine that takes its time. */
const INSTALL = { timeout: 120_000 };
const OLD: Package = { name: 'heart', version: '1.0-1', summary: 'what a running system stands on' };
// As the packages of kernels and core libraries do.
const postinst = '#!/bin/sh\nset -e\n[ "$1" != configure ] || { touch /run/reboot-required; echo heart >> /run/reboot-required.pkgs; }\n';
const NEW: Package = { ...OLD, version: '2.0-1', postinst };

test.describe('with devices that boot', () => {
  let stays: BootDevice;
  let restarts: BootDevice;

  test.beforeAll(async () => {
    test.setTimeout(300_000);
    const why = await whyNoBoot();
    if (why) {
      console.log(`[devices] skipped: ${why}`);
    }
    test.skip(!!why, why ?? '');
    [stays, restarts] = await Promise.all([BootDevice.start('stays-1'), BootDevice.start('restarts-1')]);
    for (const device of [stays, restarts]) {
      // Nothing of Debian's archive is needed here.
      await device.write('/etc/apt/sources.list', '');
      await publish(device, [OLD]);
      await device.exec('apt-get', '-qq', 'update');
      await device.exec('apt-get', '-qq', '-y', 'install', 'heart');
      await publish(device, [OLD, NEW]);
      await device.exec('apt-get', '-qq', 'update');
    }
  });

  test.afterAll(async ({}, info) => {
    for (const device of [stays, restarts]) {
      if (device) {
        await attachLog(info, `${device.hostname}.log`, await device.log().catch((error) => [String(error)]));
        await device.stop();
      }
    }
  });

  test('a device restarts by itself only where its group says so', async ({ adminPage: page, server }) => {
    test.setTimeout(300_000);
    let patch = '';
    const before = { stays: await stays.bootId(), restarts: await restarts.bootId() };

    await test.step('one group leaves restarts to others, one restarts by itself', async () => {
      await page.goto('/rings/group/new');
      await hydrated(page, true);
      await page.getByLabel('Name').fill('Night shift');
      await page.getByLabel('Lies in').selectOption({ label: 'Pilot' });
      await page.getByLabel('Restarts by itself').check();
      await page.getByRole('button', { name: 'Save' }).click();
      await expect(notice(page)).toContainText('Saved.');
      const branch = (name: string) => page.locator('.branch').filter({ hasText: name });
      await expect(branch('Night shift')).toContainText('restarts by itself where an install needs it');
      await expect(branch('Pilot').first()).toContainText('restarts are left to others');
      await stays.join(server.url, await server.token('Pilot'));
      await restarts.join(server.url, await server.token('Night shift'));
    });

    await test.step('both install what needs a restart', async () => {
      await page.goto('/patches');
      await hydrated(page, true);
      const row = rowOf(page, 'Patches', 'heart 2.0-1');
      await expect(row).toContainText('2 missing', INSTALL);
      await row.getByRole('link', { name: 'heart', exact: true }).click();
      await expect(page.getByRole('heading', { level: 1 })).toContainText('2.0-1');
      await hydrated(page, true);
      patch = new URL(page.url()).pathname;
      await decide(page, 'Approve', 'Pilot', 'the heart of the system');
    });

    await test.step('the one that may has restarted, and a scan of the new boot proves the patch', async () => {
      await expect(rowOf(page, 'Devices of this patch', 'restarts-1')).toContainText('Installed', INSTALL);
      expect(restarts.boots).toBe(2);
      await restarts.up();
      expect(await restarts.bootId()).not.toBe(before.restarts);
      await page.goto('/devices');
      await expect(rowOf(page, 'Devices', 'restarts-1').locator('[data-label="Restart"]')).toHaveText('no');
      await rowOf(page, 'Devices', 'restarts-1').getByRole('link', { name: 'restarts-1' }).click();
      await expect(page.locator('.attempts > li').first()).toContainText('proven by the scan of', INSTALL);
      // What contacts bring is written together, up to a minute later, and no page waits for it.
      await expect(async () => {
        await page.reload();
        await expect(page.getByText(/restarts within \d+ minutes?/)).toBeVisible({ timeout: 1_000 });
      }).toPass(INSTALL);
    });

    await test.step('the other one waits for somebody, and the pages say so', async () => {
      await page.goto('/devices');
      await expect(rowOf(page, 'Devices', 'stays-1').locator('[data-label="Restart"]')).toContainText('owed', INSTALL);
      await rowOf(page, 'Devices', 'stays-1').getByRole('link', { name: 'stays-1' }).click();
      await expect(page.getByText('A restart is owed')).toBeVisible();
      await page.goto(patch);
      await hydrated(page, true);
      await expect(rowOf(page, 'Devices of this patch', 'stays-1')).toContainText('Pending restart', INSTALL);
      expect([stays.boots, await stays.bootId()]).toEqual([1, before.stays]);
      // Somebody does.
      await stays.exec('systemctl', 'reboot');
      await expect(rowOf(page, 'Devices of this patch', 'stays-1')).toContainText('Installed', INSTALL);
      expect(stays.boots).toBe(2);
    });

    await test.step('nothing restarts a second time', async () => {
      const contacts = async () => (await restarts.log()).filter((line) => line.includes('checked in')).length;
      const sofar = await contacts();
      await expect.poll(contacts, INSTALL).toBeGreaterThan(sofar + 5);
      expect([restarts.boots, stays.boots]).toEqual([2, 2]);
      const ordered = (await restarts.log()).filter((line) => line.includes('restarting this device, as its policy says'));
      expect(ordered).toHaveLength(1);
    });
  });
});
