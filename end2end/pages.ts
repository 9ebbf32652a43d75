// Every page, and what holds for all of them.
import { expect, type Page } from '@playwright/test';

export const ROLES = ['administrator', 'security-officer', 'pilot-user', 'auditor'] as const;
/** Pages, and who may see them. */
export const PAGES: { path: string; title: string; roles: readonly string[] }[] = [
  { path: '/patches', title: 'Patches', roles: ROLES },
  { path: '/patches/1', title: 'openssl', roles: ROLES },
  { path: '/patches/decide?verb=approve&sel=1.1&for=1', title: 'Approve', roles: ['administrator', 'security-officer'] },
  { path: '/devices', title: 'Devices', roles: ROLES },
  { path: '/devices/1', title: 'pilot-1', roles: ROLES },
  { path: '/schedule', title: 'Schedule', roles: ROLES },
  { path: '/schedule/calendar?of=all&view=week', title: 'Calendar: All devices', roles: ROLES },
  { path: '/schedule/calendar?of=patch:1&view=week', title: 'Calendar: openssl', roles: ROLES },
  { path: '/schedule/calendar?of=ring:1&view=month', title: 'Calendar: Ring Pilot', roles: ROLES },
  { path: '/schedule/calendar?of=group:1&view=month', title: 'Calendar: Pilot', roles: ROLES },
  { path: '/rings', title: 'Rings', roles: ROLES },
  { path: '/rings/ring/1', title: 'Pilot', roles: ROLES },
  { path: '/rings/group/1', title: 'Pilot', roles: ROLES },
  { path: '/rings/fleet/all', title: 'The whole fleet', roles: ROLES },
  { path: '/rings/location/new', title: 'New location', roles: ['administrator'] },
  { path: '/rings/ring/2/earlier', title: 'Move the ring', roles: ['administrator'] },
  { path: '/rings/group/2/remove', title: 'Remove the group', roles: ['administrator'] },
  { path: '/schedule/windows/new', title: 'New maintenance window', roles: ['administrator'] },
  // Refused, so that the refusals beside the fields are looked at too.
  { path: '/schedule/freezes/new?act=check&from=2026-12-24T00:00&to=2026-12-20T00:00&zone=named&zone_name=Mars', title: 'New freeze', roles: ['administrator'] },
  { path: '/schedule/profiles/1', title: 'Every device', roles: ROLES },
  { path: '/schedule/profiles/1/delete', title: 'Delete the profile', roles: ['administrator'] },
  { path: '/schedule/exceptions/new?about=patch&patch=%231', title: 'New exception', roles: ['administrator', 'security-officer'] },
  { path: '/audit', title: 'Audit', roles: ['administrator', 'security-officer', 'auditor'] },
  { path: '/accounts', title: 'Accounts', roles: ['administrator'] },
  { path: '/password', title: 'Your account', roles: ROLES },
];

/** What holds for every page. */
export async function sane(page: Page): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
  await expect(page.getByRole('main')).toHaveCount(1);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(await overflow(), `${page.url()} is wider than the window`).toBeLessThanOrEqual(0);
}
