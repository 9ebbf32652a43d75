// What a browser that was never here before does with a page. Prints JSON, one entry a page; `cargo xtask bench` puts it into its table.
//
//   node bench/first-visit.mjs http://127.0.0.1:8480 'name=value of the session cookie' /patches /devices
import { chromium } from '@playwright/test';

/** Visits of each page: the middle one is reported. */
const VISITS = 7;

const [url, cookie, ...paths] = process.argv.slice(2);
if (!url || !cookie || paths.length === 0) {
  throw new Error('usage: node bench/first-visit.mjs <address of the server> <session cookie> <path>...');
}
const cut = cookie.indexOf('=');
const cookies = [{ name: cookie.slice(0, cut), value: cookie.slice(cut + 1), url }];

const browser = await chromium.launch({
  executablePath: process.env.PATCHWARD_CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});

/** A browser context with an empty cache and a session. */
async function stranger(options, use) {
  const context = await browser.newContext(options);
  try {
    await context.addCookies(cookies);
    return await use(await context.newPage());
  } finally {
    await context.close();
  }
}

function visit(path) {
  return stranger({}, async (page) => {
    const errors = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    const network = await page.context().newCDPSession(page);
    await network.send('Network.enable');
    const kinds = new Map();
    const sent = { document: 0, assets: 0 };
    network.on('Network.responseReceived', ({ requestId, type, response }) => {
      kinds.set(requestId, type === 'Document' ? 'document' : /\.(wasm|js|css)$/.test(new URL(response.url).pathname) ? 'assets' : 'other');
    });
    network.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const kind = kinds.get(requestId);
      if (kind in sent) {
        sent[kind] += encodedDataLength;
      }
    });
    await page.addInitScript(() => {
      const look = new MutationObserver(() => {
        if (document.querySelector('[data-hydrated="true"]')) {
          window.interactiveAt = performance.now();
          look.disconnect();
          console.debug('interactive');
        }
      });
      look.observe(document, { attributes: true, attributeFilter: ['data-hydrated'], subtree: true });
    });
    // The page says so: to ask it would bring a script of this tool's own into it, which costs it 30 ms.
    await Promise.all([page.waitForEvent('console', (message) => message.text() === 'interactive'), page.goto(url + path)]);
    await page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint').length > 0);
    const times = await page.evaluate(() => ({
      painted: performance.getEntriesByName('first-contentful-paint')[0].startTime,
      interactive: window.interactiveAt,
    }));
    return { ...sent, ...times, errors };
  });
}

/** Rows of data in the document when scripts are disabled. */
function rowsWithoutScripts(path) {
  return stranger({ javaScriptEnabled: false }, async (page) => {
    await page.goto(url + path);
    return page.locator('main tbody tr:visible, main li:visible, main dd:visible').count();
  });
}

function middle(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

const found = [];
// The first visit of all is the browser's own start.
await visit(paths[0]);
for (const path of paths) {
  const visits = [];
  for (let n = 0; n < VISITS; n += 1) {
    visits.push(await visit(path));
  }
  found.push({
    path,
    document_bytes: middle(visits.map((v) => v.document)),
    asset_bytes: middle(visits.map((v) => v.assets)),
    painted_ms: middle(visits.map((v) => v.painted)),
    interactive_ms: middle(visits.map((v) => v.interactive)),
    rows_without_scripts: await rowsWithoutScripts(path),
    errors: visits.flatMap((v) => v.errors),
  });
}
await browser.close();
console.log(JSON.stringify(found));
