// What every end-to-end test starts from: a real server on a free port with an empty data directory of its own, and a
// browser page that fails the test on any error in its console.
import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Page, type TestInfo } from '@playwright/test';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { HERE } from './here';

const run = promisify(execFile);

// The system's clock in the tests may differ from the server's: a test moves the server's clock, never its own.
const START_PATIENCE_MS = 30_000;
const STOP_PATIENCE_MS = 8_000;

function binary(variable: string, name: string): string {
  const file = path.resolve(process.env[variable] ?? path.join(HERE, '../target/checked', name));
  if (!existsSync(file)) {
    throw new Error(`${file} is missing: \`cargo xtask test --e2e\` builds it`);
  }
  return file;
}

/** A running server with its own data directory. */
export class Server {
  readonly log: string[] = [];
  private offset = 0;

  private constructor(
    readonly url: string,
    readonly data: string,
    /** The first administrator's sign-in link. It works once. */
    readonly signInLink: string,
    private readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(flags: string[] = []): Promise<Server> {
    const folder = await mkdtemp(path.join(tmpdir(), 'patchward-e2e-'));
    const data = path.join(folder, 'data');
    await writeFile(path.join(folder, 'clock'), '0');
    const args = ['serve', '--data', data, '--listen', '127.0.0.1:0', '--poll-seconds', '1', ...flags];
    const child = spawn(binary('PATCHWARD_BIN', 'patchward'), args, {
      cwd: folder,
      env: { ...process.env, PATCHWARD_TEST_CLOCK: path.join(folder, 'clock') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const log: string[] = [];
    let url: string | undefined;
    let link: string | undefined;
    const ready = new Promise<void>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`${why}\n${log.join('\n')}`));
      const timer = setTimeout(() => fail('the server did not start in time'), START_PATIENCE_MS);
      createInterface({ input: child.stderr! }).on('line', (line) => log.push(line));
      createInterface({ input: child.stdout! }).on('line', (line) => {
        log.push(line);
        url ??= /listening on (http:\/\/[^\s/]+)/.exec(line)?.[1];
        link ??= /http:\/\/\S+\/sign-in\/link\/[^\s.,)]+/.exec(line)?.[0];
        if (url && link) {
          clearTimeout(timer);
          resolve();
        }
      });
      child.on('error', (error) => fail(`the server cannot be started: ${error.message}`));
      child.on('exit', (code) => fail(`the server ended with ${code}`));
    });
    try {
      await ready;
    } catch (error) {
      child.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    const server = new Server(url!, data, link!, folder, child);
    // The same array: later lines arrive in it too.
    (server as { log: string[] }).log = log;
    return server;
  }

  /** Moves the server's clock forward. Needs a build with the feature `test-clock`. */
  async advanceClock(seconds: number): Promise<void> {
    this.offset += Math.trunc(seconds);
    // In one step: a server that reads a half-written file would see its clock jump back.
    const next = path.join(this.folder, 'clock.next');
    await writeFile(next, String(this.offset));
    await rename(next, path.join(this.folder, 'clock'));
  }

  /** Runs `patchward admin ...` on this server's data and returns what it prints. */
  async admin(...args: string[]): Promise<string> {
    const options = { env: { ...process.env, PATCHWARD_TEST_CLOCK: path.join(this.folder, 'clock') } };
    const { stdout } = await run(binary('PATCHWARD_BIN', 'patchward'), ['admin', ...args, '--data', this.data], options);
    return stdout.trim();
  }

  /** An enrolment token, made on the host. Its devices are active at once. */
  async token(group?: string, uses = 1): Promise<string> {
    const join = group ? ['--group', group] : [];
    return this.admin('token', 'new', ...join, '--accept', '--uses', String(uses), '--plain');
  }

  /** A one-time sign-in link for a new account. */
  async account(name: string, role: string): Promise<string> {
    await this.admin('account', 'add', name, role);
    return this.admin('account', 'sign-in-link', name, '--plain');
  }

  /** A folder in this server's temporary directory, for an agent's state and the like. */
  folderFor(name: string): string {
    return path.join(this.folder, name);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
      this.child.kill('SIGTERM');
      const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_PATIENCE_MS);
      await gone;
      clearTimeout(timer);
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Fails the test when the page writes an error or throws. Messages that a test expects go to `allow`. */
export class PageErrors {
  private readonly seen: string[] = [];
  private readonly allowed: RegExp[] = [];

  watch(page: Page): void {
    page.on('console', (message) => {
      if (message.type() === 'error' || /panicked|hydration/i.test(message.text())) {
        this.seen.push(`${page.url()}: ${message.text()}`);
      }
    });
    page.on('pageerror', (error) => this.seen.push(`${page.url()}: ${error.message}`));
  }

  allow(pattern: RegExp): void {
    this.allowed.push(pattern);
  }

  unexpected(): string[] {
    return this.seen.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));
  }
}

type Fixtures = {
  /** More flags for `patchward serve`. */
  serverFlags: string[];
  server: Server;
  pageErrors: PageErrors;
  /** A page that is signed in as the first administrator. */
  adminPage: Page;
  /** Checks a page against WCAG 2.2 A and AA. */
  expectAccessible: (page: Page) => Promise<void>;
  /** Whether this project runs with JavaScript. */
  js: boolean;
};

export const test = base.extend<Fixtures>({
  js: async ({ javaScriptEnabled }, use) => use(javaScriptEnabled !== false),

  serverFlags: [[], { option: true }],

  server: async ({ serverFlags }, use, info) => {
    const server = await Server.start(serverFlags);
    await use(server);
    await server.stop();
    if (info.status !== info.expectedStatus) {
      await attachLog(info, 'server.log', server.log);
    }
  },

  baseURL: async ({ server }, use) => use(server.url),

  pageErrors: async ({}, use) => {
    const errors = new PageErrors();
    await use(errors);
    expect(errors.unexpected(), 'errors in the console').toEqual([]);
  },

  context: async ({ context, pageErrors }, use) => {
    context.on('page', (page) => pageErrors.watch(page));
    await use(context);
  },

  adminPage: async ({ page, server }, use) => {
    await signIn(page, server.signInLink);
    await use(page);
  },

  expectAccessible: async ({ browser, javaScriptEnabled }, use) =>
    use(async (page) => {
      if (javaScriptEnabled !== false) {
        await expectNoViolations(page);
        return;
      }
      // The checker is a script. Without JavaScript it looks at the same HTML in a page that may run scripts.
      const context = await browser.newContext({ javaScriptEnabled: true });
      try {
        const copy = await context.newPage();
        await copy.setContent(withoutScripts(await page.content()));
        await expectNoViolations(copy, { without: ['color-contrast'] });
      } finally {
        await context.close();
      }
    }),
});

type Check = {
  /** A selector; the whole page unless given. */
  part?: string;
  /** These rules and no others. */
  only?: string[];
  without?: string[];
};

/** Checks a page that may run scripts against WCAG 2.2 A and AA. */
export async function expectNoViolations(page: Page, { part = 'html', only, without = [] }: Check = {}): Promise<void> {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const checker = new AxeBuilder({ page }).include(part);
  const result = await (only ? checker.withRules(only) : checker.withTags(tags).disableRules(without)).analyze();
  const found = result.violations.map((rule) => `${rule.id}: ${rule.help}: ${rule.nodes.map((node) => node.html).join(' | ')}`);
  expect(found, `accessibility of ${page.url()}`).toEqual([]);
}

function withoutScripts(html: string): string {
  return html.replace(/<script\b[\s\S]*?<\/script>/g, '').replace(/<link\b[^>]*>/g, '');
}

/** Keeps a program's log beside the test's other remains. */
export async function attachLog(info: TestInfo, name: string, lines: string[]): Promise<void> {
  const file = info.outputPath(name);
  await writeFile(file, `${lines.join('\n')}\n`);
  await info.attach(name, { path: file, contentType: 'text/plain' });
}

/** Signs in with a one-time link, as a person who was sent it would: open it, then press the button if there is one. */
export async function signIn(page: Page, link: string): Promise<void> {
  await page.goto(link);
  const button = page.getByRole('button', { name: /sign in/i });
  if (await button.count()) {
    await button.click();
  }
  await expect(page).not.toHaveURL(/\/sign-in/);
}

/** Waits until the page is hydrated: links and forms then work without a page load. Does nothing without JavaScript. */
export async function hydrated(page: Page, js: boolean): Promise<void> {
  if (js) {
    await expect(page.locator('[data-hydrated="true"]')).toBeAttached();
  }
}

export { expect };
