import { expect, test } from '../fixtures';

test('the sign-in page loads, reads well and is accessible', async ({ page, expectAccessible }) => {
  const response = await page.goto('/sign-in');
  expect(response?.status()).toBe(200);
  expect(response?.headers()['content-security-policy']).toContain("script-src 'self' 'nonce-");
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await expect(page).toHaveTitle(/Patchward/);
  await expectAccessible(page);
});

test('assets are kept for ever and named after their content', async ({ page, request }) => {
  await page.goto('/sign-in');
  const href = await page.locator('link[rel="stylesheet"]').getAttribute('href');
  expect(href).toMatch(/^\/pkg\/[0-9a-f]{16}\/main\.css$/);
  const css = await request.get(href!);
  expect(css.status()).toBe(200);
  expect(css.headers()['cache-control']).toContain('immutable');
  const again = await request.get(href!, { headers: { 'if-none-match': css.headers()['etag']! } });
  expect(again.status()).toBe(304);
});
