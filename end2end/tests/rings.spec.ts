// Rings, groups and limits by the forms of the pages, with and without JavaScript.
import { expect, hydrated, test } from '../fixtures';
import { fleet } from '../fleet';
import { act, decide, lane, notice, press } from '../steps';

const steps = (page: import('@playwright/test').Page) => page.locator('.ring-step').getByRole('heading', { level: 2 });

test('a ring is made, refused beside its field, ordered and removed', async ({ adminPage: page, server, js, pageErrors }) => {
  // The last act is refused, and a refused server function answers with this status.
  pageErrors.allow(/status of 422/);
  const { pilot } = await fleet(server);
  await page.goto('/patches/1');
  await hydrated(page, js);
  await decide(page, 'Approve', 'Pilot', 'for the rings');
  await pilot.obey({ kind: 'succeeded' });
  await page.goto('/patches/1');
  await hydrated(page, js);
  await decide(page, 'Approve', 'Production', 'for the rings');

  await page.goto('/rings');
  await hydrated(page, js);
  await expect(steps(page)).toHaveText(['Pilot', 'Production']);
  await page.getByRole('link', { name: 'New ring' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('New ring');
  await hydrated(page, js);
  await page.getByLabel('Name').fill('Early');
  await page.getByLabel('Place').selectOption({ label: 'before Production' });
  await page.getByLabel('Waves', { exact: true }).fill('5, 3');
  await press(page, 'Save');
  await expect(page.locator('#refused')).toContainText('each step must be larger than the one before');
  await expect(page.locator('#wrong-waves')).toContainText('each step must be larger');
  await expect(page.getByLabel('Name')).toHaveValue('Early');
  await expect(page.getByLabel('Waves', { exact: true })).toHaveValue('5, 3');
  await expect(page.getByLabel('Place')).toHaveValue('2');

  await hydrated(page, js);
  await page.getByLabel('Waves', { exact: true }).fill('1, 50 %');
  await press(page, 'Check');
  const look = page.locator('#check');
  await expect(look).toContainText('Ring Early has no devices');
  await expect(look).toContainText('2 newly blocked');
  await expect(look).toContainText('No device of Early is known to need it');
  await press(page, 'Save');
  await expect(notice(page)).toContainText('Saved.');
  await expect(page).toHaveURL(/\/rings/);
  await expect(steps(page)).toHaveText(['Pilot', 'Early', 'Production']);
  await expect(page.locator('.cautions')).toContainText('Ring Early has no devices');

  await hydrated(page, js);
  // Moving and removing are asked about on a page that says what would change.
  await page.getByRole('link', { name: 'Move Early later' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Move the ring “Early” later?');
  await expect(page.locator('.ring-order li')).toHaveText(['Pilot', 'Production', 'Early']);
  await expect(page.getByRole('region', { name: 'Approved installs that would move' })).toContainText(/newly possible|earlier|other/);
  await hydrated(page, js);
  await press(page, 'Move it later');
  await expect(notice(page)).toContainText('The ring is moved.');
  await expect(steps(page)).toHaveText(['Pilot', 'Production', 'Early']);
  await page.getByRole('link', { name: 'Remove Early' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Remove the ring “Early”?');
  await expect(page.getByRole('region', { name: 'Approved installs that would move' })).toContainText('None');
  await hydrated(page, js);
  await press(page, 'Remove this ring');
  await expect(notice(page)).toContainText('Deleted.');
  await expect(steps(page)).toHaveText(['Pilot', 'Production']);
  // One that is used stays.
  await page.getByRole('link', { name: 'Remove Pilot' }).click();
  await expect(page.getByRole('note')).toContainText('Groups are in the ring');
  await expect(page.getByRole('main').getByRole('button', { name: /Remove/ })).toHaveCount(0);
  await page.getByRole('link', { name: 'Back' }).click();
  await expect(steps(page)).toHaveText(['Pilot', 'Production']);
});

test('groups, places, limits and critical products', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  const save = async () => {
    await press(page, 'Save');
    await expect(notice(page)).toContainText('Saved.');
    await hydrated(page, js);
  };
  await page.goto('/rings/group/new');
  await hydrated(page, js);
  await page.getByLabel('Name').fill('Harbour office');
  await page.getByLabel('Lies in').selectOption({ label: 'Production' });
  await page.getByLabel('Catches up').check();
  await page.getByLabel('Missed windows in a row').fill('4');
  await save();
  const branch = page.locator('.branch').filter({ hasText: 'Harbour office' });
  await expect(branch).toContainText('ring Production, from above');
  await expect(branch).toHaveAttribute('data-depth', '1');
  await page.goto('/rings/group/2');
  await hydrated(page, js);
  await page.getByLabel('Lies in').selectOption({ label: '– Harbour office' });
  await press(page, 'Save');
  await expect(page.locator('#wrong-parent')).toContainText('the group would lie in itself');

  await page.goto('/rings/location/new');
  await hydrated(page, js);
  await page.getByLabel('Name').fill('Harbour');
  await page.getByLabel('Time zone').fill('Atlantis/Harbour');
  await press(page, 'Save');
  await expect(page.locator('#wrong-zone')).toContainText('is not one of the choices');
  await page.getByLabel('Time zone').fill('Europe/Vienna');
  await page.getByLabel('Installs at once').fill('2');
  await save();
  await expect(page.getByRole('link', { name: 'Harbour', exact: true })).toBeVisible();

  await page.getByRole('link', { name: 'Remove Harbour', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Remove the location “Harbour”?');
  await hydrated(page, js);
  await press(page, 'Remove this location');
  await expect(notice(page)).toContainText('Deleted.');
  await expect(page.getByText('There are no locations: nothing is shared.')).toBeVisible();

  await page.goto('/rings/fleet/all');
  await hydrated(page, js);
  await page.getByLabel('Installs at once').fill('12');
  await page.getByLabel('Tries').fill('5');
  await save();
  await expect(page.getByText('0 of at most 12 now')).toBeVisible();
  await expect(page.getByText('5 tries on a device')).toBeVisible();

  await page.getByLabel('Source package').fill('curl');
  await press(page, 'Mark as critical');
  await expect(page.locator('.product')).toContainText('on 2 devices, 1 of them in the first ring');
  await hydrated(page, js);
  await press(page, 'curl is not business-critical');
  await expect(page.getByText('No product is marked.')).toBeVisible();
});

test('production asks for a rollback plan before it is approved', async ({ adminPage: page, server, js, pageErrors }) => {
  pageErrors.allow(/status of 422/);
  await fleet(server);
  await page.goto('/patches/1');
  await hydrated(page, js);
  const approve = async () => {
    await lane(page, 'Production').getByRole('link', { name: 'Approve for Production', exact: true }).click();
    await expect(page.getByRole('radio', { name: 'Production' })).toBeChecked();
    await page.getByLabel(/^Reason/).fill('for the shop');
    await page.getByRole('button', { name: 'Approve: 1 patch' }).click();
  };
  await approve();
  await expect(page.getByRole('alert')).toContainText('The ring asks for a rollback plan');
  await page.getByRole('link', { name: 'Write it' }).click();
  const section = page.getByRole('region', { name: 'Way back' });
  await expect(section).toContainText('cannot be approved for Production');
  await hydrated(page, js);
  await section.locator('summary', { hasText: 'Write the plan' }).click();
  await section.getByLabel('How it is taken back').fill('Roll the ring back from this page');
  await section.getByLabel('When it is used').fill('A till does not start');
  await section.getByRole('button', { name: 'Write the plan' }).click();
  await expect(notice(page)).toContainText('The rollback plan is saved.');
  await expect(section).toContainText('A till does not start');
  await approve();
  await expect(notice(page)).toContainText('1 patch: approved.');
});

test('whoever may not change rings still reads them', async ({ page, server, js }) => {
  await fleet(server);
  const { signIn } = await import('../fixtures');
  await signIn(page, await server.account('rita', 'auditor'));
  await page.goto('/rings');
  await hydrated(page, js);
  await expect(steps(page)).toHaveText(['Pilot', 'Production']);
  await expect(page.getByRole('link', { name: 'New ring' })).toHaveCount(0);
  await page.goto('/rings/ring/1');
  await hydrated(page, js);
  await expect(page.getByLabel('Waves', { exact: true })).toBeDisabled();
  await expect(page.getByRole('button', { name: 'Save' })).toHaveCount(0);
});
