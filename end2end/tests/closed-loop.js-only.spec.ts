// The whole promise, with nothing made up: two Debian systems that really miss security patches, the real agent on each, the real
// server, and a person at a browser.
import type { Page } from '@playwright/test';
import { Device } from '../devices';
import { FakeAgent } from '../fake-agent';
import { attachLog, expect, hydrated, signIn, test, type Server } from '../fixtures';
import { act, decide, lane, newToken, notice, press, rowOf } from '../steps';

const DAY = 86_400;
/** A package manager is at work; on a busy machine that takes its time. */
const INSTALL = { timeout: 90_000 };

type Missing = { name: string; source: string; installed: string; offered: string };

/** What the device's own package manager says is missing from the security archive: the page must say the same. */
async function missing(device: Device): Promise<Missing[]> {
  const found: Missing[] = [];
  const inst = /^Inst (\S+) \[([^\]]+)\] \((\S+) [^)]*security/gm;
  for (const [, name, installed, offered] of (await device.exec('apt-get', '-s', '-qq', 'dist-upgrade')).matchAll(inst)) {
    const source = await device.exec('dpkg-query', '-W', '-f', '${source:Package}', name!);
    found.push({ name: name!, source, installed: installed!, offered: offered! });
  }
  return found;
}

/** One that has a single binary package, and that neither apt nor anything else stands on. */
function harmless(all: Missing[]): Missing {
  const alone = all.filter((m) => all.filter((other) => other.source === m.source).length === 1);
  const chosen = ['unzip', 'expat', 'less'].map((s) => alone.find((m) => m.source === s)).find((m) => m) ?? alone[0];
  if (!chosen) {
    throw new Error(`nothing to patch among ${JSON.stringify(all)}`);
  }
  return chosen;
}

async function signInAgain(page: Page, server: Server): Promise<void> {
  await signIn(page, await server.admin('account', 'sign-in-link', 'admin', '--plain'));
}

/** Lets days pass for devices that are switched on: they scan at least every other day, or they would count as silent. */
async function pass(days: number, page: Page, server: Server, devices: string[]): Promise<void> {
  for (let left = days; left > 0; left -= 2) {
    await server.advanceClock(Math.min(2, left) * DAY);
    await signInAgain(page, server);
    for (const device of devices) {
      await page.goto('/devices');
      await rowOf(page, 'Devices', device).getByRole('link', { name: device }).click();
      await hydrated(page, true);
      const scanned = page.locator('dt', { hasText: 'Last scan' }).locator('+ dd time');
      const before = await scanned.getAttribute('datetime');
      await press(page, 'Scan now');
      await expect(scanned).not.toHaveAttribute('datetime', before!, INSTALL);
    }
  }
}

test.describe('with real devices', () => {
  test.skip(!!process.env.PATCHWARD_NO_DEVICES, process.env.PATCHWARD_NO_DEVICES ?? '');
  let pilot: Device;
  let production: Device;

  test.beforeAll(async () => {
    expect(process.env.PATCHWARD_DEVICES_FAILED, 'the system for the devices').toBeUndefined();
    [pilot, production] = await Promise.all([Device.start('pilot-1'), Device.start('production-1')]);
  });

  test.afterAll(async ({}, info) => {
    for (const device of [pilot, production]) {
      if (device) {
        await attachLog(info, `${device.hostname}.log`, device.log);
        await device.stop();
      }
    }
  });

  test('a patch goes from the pilot to production and back', async ({ adminPage: page, server, pageErrors }) => {
    // When the clock is moved on, the session is over, and a page that is still open may be told so before the test signs in again.
    pageErrors.allow(/status of 401/);
    test.setTimeout(300_000);
    const wanted = harmless(await missing(pilot));
    const { name, source, installed, offered } = wanted;
    expect(await production.versionOf(name)).toBe(installed);

    await test.step('both enrol and are seen', async () => {
      const [first, second] = [await newToken(page, true, 'pilots', 'Pilot'), await newToken(page, true, 'the rest', 'Production')];
      await page.goto('/devices');
      await hydrated(page, true);
      await pilot.join(server.url, first);
      await production.join(server.url, second);
      for (const [device, ring] of [['pilot-1', 'Pilot'], ['production-1', 'Production']] as const) {
        // Without a reload: the list follows the server.
        const row = rowOf(page, 'Devices', device);
        await expect(row).toContainText(`ring ${ring}`, INSTALL);
        await expect(row.getByRole('link', { name: /security$/ })).toBeVisible(INSTALL);
      }
    });

    await test.step('the status view shows what apt says is missing', async () => {
      await page.goto('/patches?category=security');
      for (const { source, offered } of [wanted]) {
        const row = rowOf(page, 'Patches', `${source} ${offered}`);
        await expect(row).toContainText('2 missing');
      }
      const sources = new Set((await missing(production)).map((m) => m.source));
      await expect(page.getByRole('table', { name: 'Patches' }).getByRole('rowheader')).toHaveCount(sources.size);
      for (const one of sources) {
        await expect(page.getByRole('table', { name: 'Patches' }).getByRole('link', { name: one, exact: true })).toBeVisible();
      }
    });

    let patch = '';
    await test.step('approved for pilot, the pilot installs it and a scan proves it', async () => {
      await rowOf(page, 'Patches', `${source} ${offered}`).getByRole('link', { name: source, exact: true }).click();
      await expect(page.getByRole('heading', { level: 1 })).toContainText(offered);
      patch = new URL(page.url()).pathname;
      await hydrated(page, true);
      await decide(page, 'Approve', 'Pilot', 'security fix, small package');
      await expect(rowOf(page, 'Devices of this patch', 'pilot-1')).toContainText('Installed', INSTALL);
      expect(await pilot.versionOf(name)).toBe(offered);
      await expect(lane(page, 'Pilot')).toContainText('1 of 1 successful installs');
      expect(await production.versionOf(name)).toBe(installed);
      await rowOf(page, 'Devices of this patch', 'pilot-1').getByRole('link').click();
      await expect(page.locator('.attempts > li').first()).toContainText('proven by the scan of', INSTALL);
    });

    await test.step('production waits for the soak: the page says until when, and a permit is refused', async () => {
      await page.goto(patch);
      await hydrated(page, true);
      await expect(lane(page, 'Production')).toContainText('Not approved for Production');
      await decide(page, 'Approve', 'Production', 'once the pilot has proved it');
      const waits = lane(page, 'Production');
      await expect(waits).toContainText('Soaking in Pilot: 0 of 7 days');
      const until = Date.parse((await waits.locator('.opens time').getAttribute('datetime'))!);
      expect(Math.abs(until - Date.now() - 7 * DAY * 1000)).toBeLessThan(600_000);
      await expect(rowOf(page, 'Devices of this patch', 'production-1')).toContainText('Soaking in Pilot');

      // A device that asks although nobody told it to: the same patch, the same ring.
      const eager = new FakeAgent(server.url, 'eager-1', await hostOf(production));
      const { origins } = await originOf(production, name);
      eager.offer({ name, source, installed, version: offered, origins });
      await eager.enroll(await server.token('Production'));
      await eager.checkIn();
      await eager.report();
      await expect(rowOf(page, 'Devices of this patch', 'eager-1')).toContainText('Missing');
      const id = Number(patch.split('/').pop());
      const packages = [{ name, arch: eager.arch, version: offered }];
      const answer = await eager.permit({ patch: id, kind: 'install', packages });
      expect(answer).toMatchObject({ kind: 'refused', gate: 'soaked', opens_at: until / 1000 });
      expect((await eager.checkIn()).orders).toEqual([]);
      await server.admin('device', 'revoke', 'eager-1', '--reason', 'was only asking');

      await rowOf(page, 'Devices of this patch', 'production-1').getByRole('link').click();
      await page.locator('details.patch-line', { hasText: offered }).locator('summary').first().click();
      const gate = page.locator('[data-gate="soaked"]').filter({ visible: true });
      await expect(gate).toContainText('opens by itself');
      await expect(gate).toContainText('Soaking in Pilot');
    });

    await test.step('after seven days production installs the same version', async () => {
      await pass(6, page, server, ['pilot-1', 'production-1']);
      await page.goto(patch);
      await expect(lane(page, 'Production')).toContainText('6 of 7 days');
      expect(await production.versionOf(name)).toBe(installed);
      await pass(1.1, page, server, ['pilot-1', 'production-1']);
      await page.goto(patch);
      await hydrated(page, true);
      await expect(rowOf(page, 'Devices of this patch', 'production-1')).toContainText('Installed', INSTALL);
      expect(await production.versionOf(name)).toBe(offered);
    });

    await test.step('production is rolled back, and a scan proves it', async () => {
      await act(lane(page, 'Production'), 'Roll back', 'the shop is slow since');
      await expect(notice(page)).toContainText('The rollback is ordered');
      await expect(rowOf(page, 'Devices of this patch', 'production-1')).toContainText('Rolled back', INSTALL);
      expect(await production.versionOf(name)).toBe(installed);
      expect(await pilot.versionOf(name)).toBe(offered);
      await rowOf(page, 'Devices of this patch', 'production-1').getByRole('link').click();
      await expect(page.locator('.attempts > li').first()).toContainText('Roll back');
      await expect(page.locator('.attempts > li').first()).toContainText('proven by the scan of', INSTALL);
    });

    await test.step('it is not installed again by itself', async () => {
      await page.goto(patch);
      await hydrated(page, true);
      // Not only the hold keeps it away.
      const hold = page.getByRole('group', { name: 'Open hold' });
      await hold.getByRole('textbox').fill('only this one device was slow');
      await press(hold, 'Resolve this hold');
      await expect(hold).toHaveCount(0);
      const contacts = () => production.log.filter((line) => line.includes('checked in')).length;
      const before = contacts();
      await pass(1, page, server, ['pilot-1', 'production-1']);
      await expect.poll(contacts, INSTALL).toBeGreaterThan(before + 5);
      expect(await production.versionOf(name)).toBe(installed);
      await page.goto(patch);
      const row = rowOf(page, 'Devices of this patch', 'production-1');
      await expect(row).toContainText('It was rolled back on this device');
      await expect(row.locator('summary', { hasText: 'Lift the block' })).toBeVisible();
      expect(production.agentRuns && pilot.agentRuns).toBe(true);
    });
  });
});

async function hostOf(device: Device): Promise<{ os_id: string; os_version: string; os_codename: string; os_name: string; arch: string }> {
  const release = await device.exec('cat', '/etc/os-release');
  const field = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(release)?.[1] ?? '';
  return {
    os_id: field('ID'),
    os_version: field('VERSION_ID'),
    os_codename: field('VERSION_CODENAME'),
    os_name: field('PRETTY_NAME'),
    arch: await device.exec('dpkg', '--print-architecture'),
  };
}

/** Where the package's update comes from, in the words of the real agent. */
async function originOf(device: Device, name: string): Promise<{ origins: { label: string; archive: string; codename: string }[] }> {
  const scan = JSON.parse(await device.agent('scan', '--json', '--state-dir', '/tmp/looking'));
  return scan.updates.find((update: { name: string }) => update.name === name);
}
