// Starts the OpenID provider on loopback and prints one line of JSON when it is ready:
//   {"issuer": "http://127.0.0.1:PORT", "tenant_issuer": "http://127.0.0.1:PORT/tenant", "port": PORT, "control": …}
//
//   node server.mjs [--port 0] [--at-ttl 3600] [--rotate true] [--basic-only] [--seed alice,bob,carol] [--tls-cert FILE --tls-key FILE]
//
// The second issuer has a path because MSAL's `oidc_authority` needs one (and https, hence the TLS flags).

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createControl } from './control.mjs';
import { createProvider } from './provider.mjs';
import { Store } from './store.mjs';
import { Witness } from './witness.mjs';

const HOST = '127.0.0.1';
const ISSUER_PATHS = ['', '/tenant'];
const CONTROL_PATH = '/_control';

/** @returns {Promise<{ issuer: string, tenant_issuer: string, port: number, control: string, close: () => void }>} */
export async function startProvider({ port = 0, users = ['alice', 'bob', 'carol'], accessTokenTtl = 3600, rotate = true, basicOnly = false, tls } = {}) {
  const server = tls ? https.createServer(tls) : http.createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, HOST, resolve));
  const origin = `${tls ? 'https' : 'http'}://${HOST}:${server.address().port}`;
  const witness = new Witness();
  const issuers = ISSUER_PATHS.map((path) => createIssuer(origin, path, { witness, users, accessTokenTtl, rotate, basicOnly }));
  const control = createControl({ witness, issuers });

  server.on('request', (request, response) => {
    const { pathname } = new URL(request.url, origin);
    if (pathname.startsWith(`${CONTROL_PATH}/`)) return control(request, response, pathname.slice(CONTROL_PATH.length));
    const issuer = issuers.findLast(({ path }) => pathname === path || pathname.startsWith(`${path}/`));
    return issuer.handle(request, response);
  });
  return {
    issuer: issuers[0].url,
    tenant_issuer: issuers[1].url,
    port: server.address().port,
    control: `${origin}${CONTROL_PATH}`,
    close: () => { server.close(); server.closeAllConnections(); },
  };
}

function createIssuer(origin, path, { witness, ...options }) {
  const url = `${origin}${path}`;
  const store = new Store();
  const provider = createProvider(url, { ...options, adapter: store.adapterFor });
  witness.watch(provider);
  const callback = provider.callback();
  const handle = (request, response) => {
    request.originalUrl = request.url; // oidc-provider learns its mount path from the difference of the two
    request.url = request.url.slice(path.length) || '/';
    return callback(request, response);
  };
  return { url, path, store, handle };
}

async function main() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'at-ttl': { type: 'string', default: '3600' },
      rotate: { type: 'string', default: 'true' },
      'basic-only': { type: 'boolean', default: false },
      seed: { type: 'string', default: 'alice,bob,carol' },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
    },
  });
  console.info = console.warn = console.error; // oidc-provider's notices; stdout carries the one line of JSON
  const started = await startProvider({
    port: Number(values.port),
    users: values.seed.split(','),
    accessTokenTtl: Number(values['at-ttl']),
    rotate: values.rotate !== 'false',
    basicOnly: values['basic-only'],
    tls: values['tls-cert'] && { cert: readFileSync(values['tls-cert']), key: readFileSync(values['tls-key']) },
  });
  console.log(JSON.stringify(started));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
