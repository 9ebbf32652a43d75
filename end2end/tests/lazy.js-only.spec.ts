// The code of a page is loaded when the page is first shown, and a page whose code cannot be loaded is not a dead one.
import type { Page } from '@playwright/test';
import { expect, hydrated, test } from '../fixtures';

/** Remembers the document: a page load forgets it. */
async function mark(page: Page): Promise<void> {
  await page.evaluate(() => document.body.setAttribute('data-marked', ''));
}

async function sameDocument(page: Page): Promise<boolean> {
  return (await page.locator('body[data-marked]').count()) === 1;
}

function loaded(page: Page): string[] {
  const names: string[] = [];
  page.on('request', (request) => names.push(new URL(request.url()).pathname.split('/').pop()!));
  return names;
}

const nav = (page: Page, name: string) => page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name });
const heading = (page: Page) => page.getByRole('heading', { level: 1 });

test('a first visit loads the code of its own page, at once and once', async ({ adminPage: page }) => {
  const names = loaded(page);
  const response = await page.goto('/devices');
  expect(await response?.headerValue('link')).toMatch(/\/split_devices\.wasm>; rel=preload/);
  await hydrated(page, true);
  expect(names.filter((name) => name.startsWith('split_'))).toEqual(['split_devices.wasm']);
  expect(names.filter((name) => name === 'app_bg.wasm')).toHaveLength(1);
});

test('a page that is still on its way leaves the old one in its place', async ({ adminPage: page }) => {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  await page.route('**/split_devices.wasm', async (route) => {
    await arrived;
    await route.continue();
  });
  await page.goto('/patches');
  await hydrated(page, true);
  await mark(page);
  const asked = page.waitForRequest('**/split_devices.wasm');
  await nav(page, 'Devices').click();
  await asked;
  await expect(heading(page)).toContainText('Patches');
  await expect(page).toHaveURL(/\/patches$/);
  arrive();
  await expect(heading(page)).toContainText('Devices');
  await expect(page).toHaveURL(/\/devices$/);
  await nav(page, 'Patches').click();
  await expect(heading(page)).toContainText('Patches');
  expect(await sameDocument(page)).toBe(true);
});

test('after an update of the server, a click on a page whose code has gone loads the new document', async ({ adminPage: page, pageErrors }) => {
  pageErrors.allow(/404|WebAssembly|TypeError/);
  await page.goto('/patches');
  await hydrated(page, true);
  await mark(page);
  await page.route('**/split_devices.wasm', (route) => route.fulfill({ status: 404 }), { times: 1 });
  await nav(page, 'Devices').click();
  await expect(page).toHaveURL(/\/devices$/);
  await expect(heading(page)).toContainText('Devices');
  await hydrated(page, true);
  expect(await sameDocument(page)).toBe(false);
});

test('and so does a step back in the history', async ({ adminPage: page, pageErrors }) => {
  pageErrors.allow(/404|WebAssembly|TypeError/);
  await page.goto('/patches?q=ssl');
  await hydrated(page, true);
  await nav(page, 'Devices').click();
  await expect(heading(page)).toContainText('Devices');
  await page.reload();
  await hydrated(page, true);
  await mark(page);
  await page.route('**/split_patches.wasm', (route) => route.fulfill({ status: 404 }), { times: 1 });
  await page.goBack();
  await expect(heading(page)).toContainText('Patches');
  await expect(page).toHaveURL(/\/patches\?q=ssl$/);
  await hydrated(page, true);
  expect(await sameDocument(page)).toBe(false);
});

test('a document whose code never arrives works as without scripts', async ({ adminPage: page, pageErrors }) => {
  pageErrors.allow(/ERR_FAILED|Failed to fetch|WebAssembly|TypeError/);
  await page.route('**/split_devices.wasm', (route) => route.abort());
  const tried = page.waitForEvent('console', (message) => message.type() === 'warning' && /fetch/i.test(message.text()));
  await page.goto('/devices');
  await tried;
  await expect(heading(page)).toContainText('Devices');
  await expect(page.locator('main')).toHaveAttribute('data-hydrated', 'false');
  await page.getByRole('searchbox', { name: 'Search' }).fill('web');
  await page.getByRole('searchbox', { name: 'Search' }).press('Enter');
  await expect(page).toHaveURL(/\/devices\?.*q=web/);
  await nav(page, 'Patches').click();
  await expect(heading(page)).toContainText('Patches');
  await hydrated(page, true);
});
