#!/usr/bin/env node
// Confirms a device code in a real, headless Chromium.
//
//   approve-device.mjs VERIFICATION_URI_COMPLETE [USER] [--deny] [--screenshot FILE] [--timeout SECONDS]

import { runBrowserCommand } from './command.mjs';

await runBrowserCommand((page, _start, { deny }) => (
  deny || /success/i.test(page.text) ? undefined : 'the provider did not confirm the device'));
