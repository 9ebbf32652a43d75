// What the schedule's forms say while they are filled in.
import { expect, hydrated, test } from '../fixtures';
import { fleet } from '../fleet';
import { decide, notice, press } from '../steps';

test('the next times, refusals and what would change follow what is typed', async ({ adminPage: page, server }) => {
  await fleet(server);
  await page.goto('/patches/1');
  await decide(page, 'Approve', 'Pilot', 'go');
  await page.goto('/schedule/windows/new');
  await hydrated(page, true);
  const look = page.getByRole('region', { name: 'What it would do' });
  await expect(look).toContainText(/Sat \d+ \w+ \d+ 22:00/);
  await page.getByLabel('Begins at', { exact: true }).fill('03:15');
  await expect(look).toContainText(/Sat \d+ \w+ \d+ 03:15/);
  // Nobody is told off for a name that is not given yet.
  await expect(page.getByText('Give it a name.')).toHaveCount(0);
  await expect(look).toContainText('1 later');
  await page.getByRole('checkbox', { name: 'Sat' }).uncheck();
  await expect(page.getByRole('group', { name: 'Days', exact: true })).toHaveAccessibleDescription('Tick at least one day.');
  await page.getByRole('checkbox', { name: 'Mon' }).check();
  await expect(page.getByText('Tick at least one day.')).toHaveCount(0);
  await expect(look).toContainText(/Mon \d+ \w+ \d+ 03:15/);
  await page.getByLabel('Lasts hours', { exact: true }).fill('0');
  await page.getByLabel('and minutes', { exact: true }).fill('2');
  await expect(look).toContainText('shorter than an install is expected to take');
  // What was typed stands while it is checked and refused: the same page goes on.
  await page.getByLabel('Name', { exact: true }).fill('Early');
  await press(page, 'Check');
  await expect(page).toHaveURL(/act=check/);
  await expect(page.getByLabel('and minutes', { exact: true })).toHaveValue('2');
  await page.getByLabel('and minutes', { exact: true }).fill('45');
  await press(page, 'Save');
  await expect(notice(page)).toContainText('Saved.');
  await expect(page.getByText('It cannot be saved as it stands')).toHaveCount(0);
});

test('what was said about a save is gone as soon as the next one is under way', async ({ adminPage: page }) => {
  await page.goto('/schedule/windows/new');
  await hydrated(page, true);
  await page.getByLabel('Name', { exact: true }).fill('Nights');
  await press(page, 'Save');
  await expect(notice(page)).toContainText('Saved.');
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  let posts = 0;
  await page.route('**/api/schedule/save', async (route) => {
    posts += 1;
    await answered;
    await route.continue();
  });
  await page.getByLabel('Name', { exact: true }).fill('Late nights');
  const save = page.getByRole('button', { name: 'Save', exact: true });
  await save.click();
  await expect(save).toHaveAttribute('aria-busy', 'true');
  await expect(notice(page)).toHaveText('Sending');
  // Whoever presses again meanwhile does not save twice.
  await save.press('Enter');
  answer();
  await expect(notice(page)).toContainText('Saved.');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Late nights');
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
  expect(posts).toBe(1);
});

test('a list of the schedule follows what others save', async ({ adminPage: page, context }) => {
  await page.goto('/schedule');
  await hydrated(page, true);
  const other = await context.newPage();
  await other.goto('/schedule/windows/new');
  await hydrated(other, true);
  await other.getByLabel('Name', { exact: true }).fill('Weekend');
  await press(other, 'Save');
  await expect(notice(other)).toContainText('Saved.');
  await page.bringToFront();
  await expect(page.getByRole('link', { name: 'Weekend' })).toBeVisible();
});
