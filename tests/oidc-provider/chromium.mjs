// A real Chromium that walks the provider's pages as a person would: types the name, presses the buttons, reads the last page.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const EXECUTABLE = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const POLL_MS = 50;

/**
 * Opens `url` and acts until nothing is left to fill in.
 * @param {{ user: string, deny?: boolean, screenshot?: string, timeoutMs?: number }} options
 * @returns {Promise<{ url: string, title: string, text: string }>} the last page
 */
export async function browse(url, { user, deny = false, screenshot, timeoutMs = 30_000 }) {
  const profile = await mkdtemp(path.join(tmpdir(), 'valetkey-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE, args: FLAGS, headless: true, ignoreHTTPSErrors: true,
  });
  try {
    await context.route((target) => !isLoopback(target), (route) => route.abort()); // the pages ask for web fonts
    const page = context.pages()[0] ?? await context.newPage();
    await page.goto(url, { timeout: timeoutMs, waitUntil: 'commit' });
    await walk(page, { user, deny, home: new URL(url).origin, deadline: Date.now() + timeoutMs });
    if (screenshot) await page.screenshot({ path: screenshot });
    return { url: page.url(), title: await page.title(), text: (await page.innerText('body')).trim() };
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Acts once on each document; a document is known by the time at which it began. */
async function walk(page, { user, deny, home, deadline }) {
  let handled;
  while (Date.now() < deadline) {
    const seen = await page.evaluate(describeDocument).catch(() => undefined); // undefined in the midst of a navigation
    if (seen?.complete && (seen.origin !== home || seen.kind === 'final')) return;
    if (seen?.complete && seen.origin === home && seen.began !== handled && ACTIONS[seen.kind]) {
      await ACTIONS[seen.kind](page, { user, deny });
      handled = seen.began;
    }
    await page.waitForTimeout(POLL_MS);
  }
  throw new Error(`sign-in did not end in time; last page: ${page.url()}`);
}

const ACTIONS = {
  login: async (page, { user, deny }) => {
    if (deny) return press(page, 'a:has-text("Cancel")');
    await page.fill('input[name=login]', user);
    await page.fill('input[name=password]', 'any');
    return press(page, 'button[type=submit]');
  },
  consent: (page, { deny }) => press(page, deny ? 'a:has-text("Cancel")' : 'button[type=submit]'),
  device: (page, { deny }) => press(page, deny ? 'button[name=abort]' : 'button[autofocus]'),
};

const press = (page, selector) => page.locator(selector).first().click({ noWaitAfter: true });

/** Runs inside the page. A form that submits itself (response_mode=form_post) is nothing to act on: `kind` is "moving". */
function describeDocument() {
  const has = (selector) => document.querySelector(selector) !== null;
  const kind = has('input[name=login]') ? 'login'
    : has('input[name=prompt][value=consent]') ? 'consent'
      : has('input[name=confirm]') ? 'device'
        : has('form input[type=hidden]') && !has('input[type=text]') ? 'moving' : 'final';
  return { kind, origin: window.location.origin, began: performance.timeOrigin, complete: document.readyState === 'complete' };
}

function isLoopback({ hostname }) {
  return ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
}
