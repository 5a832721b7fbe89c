#!/usr/bin/env node
// Stands in for the user and the desktop's browser: signs in at an authorization URL with a real, headless Chromium.
//
//   sign-in.mjs URL [USER] [--deny] [--screenshot FILE] [--timeout SECONDS]
//
// Prints the last page's title and text as JSON; succeeds when the provider has sent the browser on to the client.
// Without USER the user is $SIGN_IN_USER, else alice; the screenshot's default is $SIGN_IN_SCREENSHOT.

import { runBrowserCommand } from './command.mjs';

await runBrowserCommand((page, start) => (
  new URL(page.url).origin === new URL(start).origin ? 'the provider did not redirect to the client' : undefined));
