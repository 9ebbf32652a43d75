// The calendar of the schedule: a week and a month, with and without JavaScript.
import { expect, hydrated, test } from '../fixtures';
import { fleet } from '../fleet';
import { sane } from '../pages';
import { decide } from '../steps';

const CALENDAR = '/schedule/calendar';

test('a week shows what is forecast, and leads to its neighbours', async ({ adminPage: page, server, js, expectAccessible }) => {
  await fleet(server);
  await page.goto('/patches/1');
  await hydrated(page, js);
  await decide(page, 'Approve', 'Pilot', 'for the calendar');
  await page.goto(CALENDAR);
  await hydrated(page, js);
  const days = page.locator('ol.week > li');
  await expect(days).toHaveCount(7);
  const today = days.filter({ hasText: 'today' });
  await expect(today).toHaveCount(1);
  // Nothing limits installs: the forecast begins now. The list says what the strip draws.
  const install = today.getByRole('listitem').filter({ hasText: 'openssl' });
  await expect(install.getByRole('link', { name: 'pilot-1' })).toHaveAttribute('href', '/devices/1');
  await expect(install.getByRole('link', { name: /^openssl / })).toHaveAttribute('href', '/patches/1');
  await expect(today.locator('svg [data-kind=install]')).toHaveCount(1);
  await expect(today.locator('svg line.now')).toHaveCount(1);
  // Sizes are the stylesheet's: the checker's copy of a page without JavaScript has none.
  if (js) {
    await expectAccessible(page);
  }
  await sane(page);
  // The same in figures: one install, and its sums.
  const figures = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Download' }) });
  await expect(figures.locator('tbody tr')).toHaveCount(1);
  await expect(figures.locator('tbody td').first()).toHaveText('1');
  await page.goto(`${CALENDAR}?of=ring:2`);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Calendar: Ring Production');
  await expect(figures).toHaveCount(0);
  await page.goto(`${CALENDAR}?of=patch:1`);
  await expect(figures.locator('tbody tr')).toHaveCount(1);

  const title = page.locator('#drawn');
  const before = await title.textContent();
  await page.getByRole('link', { name: 'Next week' }).click();
  await expect(title).not.toHaveText(before!);
  await expect(page).toHaveURL(/from=\d{4}-\d\d-\d\d/);
  await expect(page.locator('svg line.now')).toHaveCount(0);
  await page.getByRole('link', { name: 'Today' }).click();
  await expect(title).toHaveText(before!);

  await page.getByRole('link', { name: 'Month', exact: true }).click();
  const month = page.getByRole('table').filter({ has: page.getByRole('columnheader', { name: 'Wed' }) });
  const cell = month.locator('td[data-today]');
  await expect(cell).toContainText('1 install');
  // The day is drawn, too: its strip has the install's bar.
  await expect(cell.locator('svg [data-kind=install]')).toHaveCount(1);
  if (js) {
    await expectAccessible(page);
  }
  await cell.getByRole('link').first().click();
  await expect(days).toHaveCount(7);
});

test('a calendar is chosen for a group, a device and a clock', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await page.goto(CALENDAR);
  await hydrated(page, js);
  const show = async () => {
    if (!js) {
      await page.getByRole('button', { name: 'Show', exact: true }).click();
    }
  };
  const title = page.getByRole('heading', { level: 1 });
  await page.locator('select[name=of]').selectOption('Group Pilot');
  await show();
  await expect(title).toHaveText('Calendar: Pilot');
  await page.getByLabel('On the clock').selectOption('UTC');
  await show();
  await expect(page.getByText('Times of UTC')).toBeVisible();
  await expect(title).toHaveText('Calendar: Pilot');
  await page.getByRole('searchbox', { name: 'A device by its name' }).fill('web-1');
  await page.getByRole('searchbox', { name: 'A device by its name' }).press('Enter');
  await expect(title).toHaveText('Calendar: web-1');
  await page.getByRole('searchbox', { name: 'A device by its name' }).fill('no-such-device');
  await page.getByRole('searchbox', { name: 'A device by its name' }).press('Enter');
  await expect(page.getByRole('alert')).toContainText('There is no device no-such-device');
});

test('a day on which clocks change has its own length', async ({ adminPage: page, server, js }) => {
  await fleet(server);
  await page.goto(`${CALENDAR}?from=2027-03-28&zone=Europe%2FVienna`);
  await hydrated(page, js);
  const sunday = page.locator('ol.week > li').last();
  await expect(sunday).toContainText('23 hours');
  // The hour from 02:00 is not there: 03:00 stands at 2 of 23 hours.
  await expect(sunday.locator('svg text.tick').nth(1)).toHaveText('03:00');
  await expect(sunday.locator('svg line.tick').nth(1)).toHaveAttribute('x1', '8.69%');
  await page.goto(`${CALENDAR}?from=2027-10-31&zone=Europe%2FVienna`);
  await expect(page.locator('ol.week > li').last()).toContainText('25 hours');
});
