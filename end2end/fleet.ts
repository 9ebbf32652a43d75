// A made-up fleet for the tests of pages: a few devices in both rings, with patches in many states.
import { FakeAgent, type Update } from './fake-agent';
import type { Server } from './fixtures';

export const OPENSSL: Update = {
  name: 'openssl',
  installed: '3.0.15-1~deb12u1',
  version: '3.0.17-1~deb12u3',
  summary: 'Secure Sockets Layer toolkit - cryptographic utility',
  size: 1_430_000,
};
export const CURL: Update = {
  name: 'curl',
  installed: '7.88.1-10+deb12u8',
  version: '7.88.1-10+deb12u12',
  summary: 'command line tool for transferring data with URL syntax',
  size: 310_000,
};
export const LESS: Update = {
  name: 'less',
  installed: '590-2',
  version: '590-2.1~deb12u2',
  summary: 'pager program similar to more',
  security: false,
};
/** Text that must come out of every page as it went in. */
export const HOSTILE = `<img src=x onerror="document.title='owned'">`;

export type Fleet = { pilot: FakeAgent; web: FakeAgent; shop: FakeAgent };

/** Enrols a device and lets it report. */
export async function enrolled(server: Server, group: string | undefined, hostname: string, ...updates: Update[]): Promise<FakeAgent> {
  const agent = new FakeAgent(server.url, hostname).offer(...updates);
  await agent.enroll(await server.token(group));
  await agent.checkIn();
  await agent.report();
  return agent;
}

/** Three devices: one pilot, two in production, one of those with hostile text wherever a device may write text. */
export async function fleet(server: Server): Promise<Fleet> {
  // openssl alone first: it is patch 1.
  const pilot = await enrolled(server, 'Pilot', 'pilot-1', OPENSSL);
  await pilot.offer(CURL).report();
  const web = await enrolled(server, 'Production', 'web-1', OPENSSL, LESS);
  const shop = await enrolled(server, 'Production', HOSTILE, OPENSSL, { ...CURL, summary: HOSTILE }, LESS);
  return { pilot, web, shop };
}
