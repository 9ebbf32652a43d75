// The picture in the README. Not part of the tests: PATCHWARD_SCREENSHOTS=1 npx playwright test --project=js screenshots
import path from 'node:path';
import { FakeAgent, type Update } from '../fake-agent';
import { expect, hydrated, test } from '../fixtures';
import { decide, rowOf } from '../steps';
import { HERE } from '../here';

test.use({ colorScheme: 'light', viewport: { width: 1280, height: 800 }, deviceScaleFactor: 2 });

const UPDATES: Update[] = [
  ['openssl', '3.0.15-1~deb12u1', '3.0.17-1~deb12u3', 'Secure Sockets Layer toolkit - cryptographic utility', 1_430],
  ['curl', '7.88.1-10+deb12u8', '7.88.1-10+deb12u12', 'command line tool for transferring data with URL syntax', 310],
  ['nginx', '1.22.1-9+deb12u1', '1.22.1-9+deb12u2', 'small, powerful, scalable web/proxy server', 527],
  ['postgresql-15', '15.8-0+deb12u1', '15.14-0+deb12u1', 'The World\'s Most Advanced Open Source Relational Database', 16_900],
  ['rsync', '3.2.7-1', '3.2.7-1+deb12u2', 'fast, versatile, remote (and local) file-copying tool', 417],
  ['sudo', '1.9.13p3-1+deb12u1', '1.9.13p3-1+deb12u2', 'Provide limited super user privileges to specific users', 1_890],
  ['vim', '2:9.0.1378-2', '2:9.0.1378-2+deb12u2', 'Vi IMproved - enhanced vi editor', 1_570],
].map(([name, installed, version, summary, kilobytes]) => ({
  name: name as string,
  installed: installed as string,
  version: version as string,
  summary: summary as string,
  size: (kilobytes as number) * 1_000,
  security: name !== 'vim',
}));
const FLEET: [string, string, number[]][] = [
  ['pilot-1', 'Pilot', [0, 1, 2, 4, 5, 6]],
  ['pilot-2', 'Pilot', [0, 1, 3, 4, 5]],
  ['pilot-3', 'Pilot', [0, 1, 4, 6]],
  ...[1, 2, 3, 4, 5].map((n): [string, string, number[]] => [`web-${n}`, 'Production', [0, 1, 2, 5]]),
  ...[1, 2, 3].map((n): [string, string, number[]] => [`db-${n}`, 'Production', [0, 3, 4, 5]]),
  ['backup-1', 'Production', [0, 1, 4, 6]],
];

test('the status view @screenshots', async ({ adminPage: page, server }) => {
  test.setTimeout(240_000);
  const tokens = { Pilot: await server.token('Pilot', 9), Production: await server.token('Production', 9) };
  const agents: FakeAgent[] = [];
  for (const [hostname, group, which] of FLEET) {
    const agent = new FakeAgent(server.url, hostname).offer(...which.map((n) => UPDATES[n]!));
    await agent.enroll(tokens[group as keyof typeof tokens]);
    await agent.checkIn();
    await agent.report();
    agents.push(agent);
  }
  for (const [source, ring] of [['openssl', 'Pilot'], ['curl', 'Pilot'], ['openssl', 'Production'], ['rsync', 'Pilot'], ['vim', 'Pilot']] as const) {
    await page.goto('/patches');
    await hydrated(page, true);
    const { version } = UPDATES.find((u) => u.name === source)!;
    await rowOf(page, 'Patches', `${source} ${version}`).getByRole('link', { name: source, exact: true }).click();
    await decide(page, 'Approve', ring, 'security fix');
  }
  // rsync fails on the first pilot, and its rollout stops there.
  await agents[2]!.obey((order) => {
    const rsync = order.packages.some((p) => p.name === 'rsync');
    return rsync ? { kind: 'failed', exit: 100, message: 'E: Sub-process /usr/bin/dpkg returned an error code (1)' } : { kind: 'succeeded' };
  });
  for (let round = 0; round < 6; round += 1) {
    await agents[0]!.obey();
    await agents[1]!.obey();
  }
  await page.goto('/patches');
  await hydrated(page, true);
  await expect(page.getByRole('table', { name: 'Patches' })).toContainText('installed');
  await expect(page.getByRole('table', { name: 'Patches' })).toContainText('held');
  await page.screenshot({ path: path.join(HERE, '../docs/screenshot.png') });
});
