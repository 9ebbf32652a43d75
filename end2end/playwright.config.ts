import { defineConfig } from '@playwright/test';

// Every test has a server of its own (see fixtures.ts). Browsers are never downloaded: the system's Chromium is used.
const root = process.getuid?.() === 0;

export default defineConfig({
  testDir: 'tests',
  globalSetup: './global-setup.ts',
  outputDir: 'test-results',
  // A test that passes sometimes is a defect of test or product, and the summary names it; but on a machine that does a
  // dozen things at once it must not stand in the way of everything else.
  retries: process.env.CI ? 1 : 0,
  // Each test waits more than it computes: two files at once take little more than half the time on two processors.
  workers: 2,
  fullyParallel: false,
  // Pictures for the documentation are made on request only: PATCHWARD_SCREENSHOTS=1, see tests/screenshots.js-only.spec.ts.
  grepInvert: process.env.PATCHWARD_SCREENSHOTS ? undefined : /@screenshots/,
  forbidOnly: !!process.env.CI,
  // A test takes seconds; on a machine that builds at the same time, many more.
  timeout: 480_000,
  expect: { timeout: 40_000 },
  reporter: 'list',
  use: {
    browserName: 'chromium',
    headless: true,
    locale: 'en-GB',
    timezoneId: 'Europe/Vienna',
    viewport: { width: 1280, height: 900 },
    // A colour in the middle of its transition has no contrast to speak of: pages stand still while they are looked at.
    contextOptions: { reducedMotion: 'reduce' },
    screenshot: 'only-on-failure',
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.PATCHWARD_CHROMIUM ?? '/usr/bin/chromium',
      args: [
        ...(root ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
      ],
    },
  },
  projects: [
    { name: 'js', use: { javaScriptEnabled: true }, testIgnore: '**/*.nojs-only.spec.ts' },
    { name: 'nojs', use: { javaScriptEnabled: false }, testIgnore: '**/*.js-only.spec.ts' },
  ],
});
