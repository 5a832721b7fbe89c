// The command line that sign-in.mjs and approve-device.mjs share.

import { parseArgs } from 'node:util';
import { browse } from './chromium.mjs';

/** @param {(page: object, start: string, options: object) => string | undefined} complaintAbout what is wrong with the last page */
export async function runBrowserCommand(complaintAbout) {
  const { positionals: [url, user], values } = parseArgs({
    allowPositionals: true,
    options: { deny: { type: 'boolean' }, screenshot: { type: 'string' }, timeout: { type: 'string', default: '30' } },
  });
  if (!url) {
    console.error('usage: URL [USER] [--deny] [--screenshot FILE] [--timeout SECONDS]');
    process.exit(2);
  }
  const page = await browse(url, {
    user: user ?? process.env.SIGN_IN_USER ?? 'alice',
    deny: values.deny,
    screenshot: values.screenshot ?? process.env.SIGN_IN_SCREENSHOT,
    timeoutMs: Number(values.timeout) * 1000,
  });
  console.log(JSON.stringify(page));
  const complaint = complaintAbout(page, url, values);
  if (complaint) {
    console.error(`${complaint}: ${page.url}`);
    process.exitCode = 1;
  }
}
