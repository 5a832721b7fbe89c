// The provider and the browser do what valetkey's tests rely on. Needs Chromium; takes a few seconds.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startProvider } from './server.mjs';

const run = promisify(execFile);
const script = (name) => fileURLToPath(new URL(name, import.meta.url));
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const SCOPE = 'openid profile offline_access read';

let provider;
before(async () => { provider = await startProvider(); });
after(() => provider.close());
beforeEach(() => control('DELETE', '/requests'));

for (const kind of ['issuer', 'tenant_issuer']) {
  test(`discovery of the ${kind} names itself and RFC 9207`, async () => {
    const metadata = await discover(provider[kind]);
    assert.equal(metadata.issuer, provider[kind]);
    assert.equal(metadata.authorization_response_iss_parameter_supported, true);
    assert.ok(metadata.dpop_signing_alg_values_supported.includes('ES256'));
    for (const endpoint of ['token', 'device_authorization', 'revocation', 'authorization']) {
      assert.ok(metadata[`${endpoint}_endpoint`].startsWith(provider[kind]), endpoint);
    }
  });
}

for (const [mode, kind, path] of [['query', 'issuer', '/callback'], ['form_post', 'tenant_issuer', '']]) {
  test(`chromium signs in with PKCE and ${mode}`, async () => {
    const metadata = await discover(provider[kind]);
    const listener = await listenForRedirect();
    const { url, verifier, redirectUri } = authorizationUrl(metadata, `http://localhost:${listener.port}${path}`, { response_mode: mode });
    const { stdout } = await run(script('sign-in.mjs'), [url, 'bob']);
    const response = await listener.response;
    assert.deepEqual({ ...JSON.parse(stdout), url: undefined }, { url: undefined, title: 'done', text: 'You may close this window.' });
    assert.deepEqual([response.state, response.iss], ['state-1', provider[kind]]);
    const tokens = await redeem(metadata, {
      grant_type: 'authorization_code', code: response.code, code_verifier: verifier, redirect_uri: redirectUri,
    });
    assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
    const claims = claimsOf(tokens.body.id_token);
    assert.deepEqual([claims.preferred_username, claims.nonce], ['bob@example.test', 'nonce-1']);
    assert.deepEqual([claimsOf(tokens.body.access_token).aud, tokens.body.scope], ['urn:api:graph', 'read']);
  });
}

test('a browser started through the BROWSER stand-in returns at once and signs in behind', async () => {
  const listener = await listenForRedirect();
  const { url } = authorizationUrl(await discover(provider.issuer), `http://127.0.0.1:${listener.port}/callback`);
  await run(script('browser'), [url], { env: { ...process.env, SIGN_IN_USER: 'carol' } });
  assert.equal(await Promise.race([listener.response, 'still signing in']), 'still signing in');
  assert.match((await listener.response).code, /^[\w-]{20,}$/);
});

test('a user who cancels sends access_denied to the client', async () => {
  const listener = await listenForRedirect();
  const { url } = authorizationUrl(await discover(provider.issuer), `http://127.0.0.1:${listener.port}/callback`);
  await run(script('sign-in.mjs'), [url, '--deny']);
  assert.equal((await listener.response).error, 'access_denied');
});

test('a refresh rotates, and a replay of the old token ends the whole grant', async () => {
  const metadata = await discover(provider.issuer);
  const first = await signInByScript(metadata);
  const second = await refresh(metadata, first.refresh_token);
  assert.equal(second.status, 200);
  assert.notEqual(second.body.refresh_token, first.refresh_token);
  const replay = await refresh(metadata, first.refresh_token);
  assert.deepEqual([replay.status, replay.body.error], [400, 'invalid_grant']);
  assert.equal((await refresh(metadata, second.body.refresh_token)).body.error, 'invalid_grant');
  assert.deepEqual((await control('GET', '/counters')).refresh_token, { requests: 3, granted: 1 });
});

test('without offline_access there is no refresh token', async () => {
  const metadata = await discover(provider.issuer);
  const { url, verifier, redirectUri } = authorizationUrl(metadata, 'http://127.0.0.1:9/callback', { scope: 'openid read' });
  const { body } = await redeemRedirect(metadata, await control('POST', '/authorize', { url, user: 'alice' }), verifier, redirectUri);
  assert.deepEqual([body.token_type, body.refresh_token], ['Bearer', undefined]);
});

test('a device code is pending until it is approved by script, and denied when refused', async () => {
  const metadata = await discover(provider.tenant_issuer);
  const approved = await startDevice(metadata);
  assert.equal((await pollDevice(metadata, approved)).body.error, 'authorization_pending');
  await control('POST', '/device', { user_code: approved.user_code, issuer: provider.tenant_issuer, user: 'alice' });
  assert.equal(claimsOf((await pollDevice(metadata, approved)).body.id_token).sub, 'alice');
  const refused = await startDevice(metadata);
  await control('POST', '/device', { url: refused.verification_uri_complete, user: 'alice', deny: true });
  assert.equal((await pollDevice(metadata, refused)).body.error, 'access_denied');
});

test('chromium approves a device code', async () => {
  const metadata = await discover(provider.issuer);
  const device = await startDevice(metadata);
  await run(script('approve-device.mjs'), [device.verification_uri_complete, 'alice']);
  assert.equal((await pollDevice(metadata, device)).status, 200);
});

test('a revoked refresh token is refused, by the endpoint and by the control', async () => {
  const metadata = await discover(provider.issuer);
  const byClient = await signInByScript(metadata);
  const revocation = await post(metadata.revocation_endpoint, { client_id: 'public', token: byClient.refresh_token });
  assert.equal(revocation.status, 200);
  assert.equal((await refresh(metadata, byClient.refresh_token)).body.error, 'invalid_grant');
  const byProvider = await signInByScript(metadata);
  assert.equal((await control('POST', '/revoke', { token: byProvider.refresh_token })).revoked.length, 1);
  assert.equal((await refresh(metadata, byProvider.refresh_token)).body.error, 'invalid_grant');
});

test('issuers do not take each other\'s tokens', async () => {
  const tokens = await signInByScript(await discover(provider.issuer));
  assert.equal((await refresh(await discover(provider.tenant_issuer), tokens.refresh_token)).body.error, 'invalid_grant');
});

test('clients do not take each other\'s tokens', async () => {
  const metadata = await discover(provider.issuer);
  const tokens = await signInByScript(metadata);
  const other = await post(metadata.token_endpoint, { client_id: 'public-two', grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
  assert.equal(other.body.error, 'invalid_grant');
});

test('an armed fault hits the grant that it names, so many times', async () => {
  const metadata = await discover(provider.issuer);
  const { refresh_token: token } = await signInByScript(metadata);
  await control('POST', '/faults', { count: 1, grant_type: 'refresh_token', status: 429, headers: { 'retry-after': '7' }, body: { error: 'slow' } });
  const throttled = await refresh(metadata, token);
  assert.deepEqual([throttled.status, throttled.headers.get('retry-after'), throttled.body.error], [429, '7', 'slow']);
  assert.equal((await refresh(metadata, token)).status, 200);
});

test('a dropped answer loses a token that was already rotated', async () => {
  const metadata = await discover(provider.issuer);
  const { refresh_token: token } = await signInByScript(metadata);
  await control('POST', '/faults', { drop: 'after' });
  await assert.rejects(refresh(metadata, token));
  assert.equal((await refresh(metadata, token)).body.error, 'invalid_grant');
});

test('token requests wait while issuing is held, and fail while it is off', async () => {
  const metadata = await discover(provider.issuer);
  const { refresh_token: token } = await signInByScript(metadata);
  await control('POST', '/issuing', { mode: 'hold' });
  const waiting = refresh(metadata, token);
  while ((await control('GET', '/issuing')).held === 0);
  await control('POST', '/issuing', { mode: 'off' });
  assert.equal((await waiting).status, 503);
  await control('POST', '/issuing', { mode: 'on' });
  assert.equal((await refresh(metadata, token)).status, 200);
});

test('every secret that went out is on record', async () => {
  const tokens = await signInByScript(await discover(provider.issuer));
  const secrets = (await control('GET', '/secrets')).map(({ value }) => value);
  for (const member of ['access_token', 'refresh_token', 'id_token']) assert.ok(secrets.includes(tokens[member]), member);
});

async function signInByScript(metadata) {
  const { url, verifier, redirectUri } = authorizationUrl(metadata, 'http://127.0.0.1:9/callback');
  const { body } = await redeemRedirect(metadata, await control('POST', '/authorize', { url, user: 'alice' }), verifier, redirectUri);
  assert.ok(body.refresh_token, JSON.stringify(body));
  return body;
}

function redeemRedirect(metadata, { location }, verifier, redirectUri) {
  const code = new URL(location).searchParams.get('code');
  return redeem(metadata, { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri });
}

function authorizationUrl({ authorization_endpoint: endpoint }, redirectUri, extra = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const parameters = {
    client_id: 'public', response_type: 'code', redirect_uri: redirectUri, scope: SCOPE, state: 'state-1', nonce: 'nonce-1',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256', ...extra,
  };
  return { url: `${endpoint}?${new URLSearchParams(parameters)}`, verifier, redirectUri };
}

/** A client's loopback listener: resolves with the parameters of the authorization response, in the query or posted. */
async function listenForRedirect() {
  const server = createServer();
  const response = (async () => {
    for await (const [request, reply] of on(server)) {
      let body = '';
      for await (const chunk of request) body += chunk;
      const parameters = Object.fromEntries(new URLSearchParams(body || new URL(request.url, 'http://localhost').search));
      reply.writeHead(200, { 'content-type': 'text/html' }).end('<title>done</title><p>You may close this window.</p>');
      if (parameters.state) { server.close(); return parameters; }
    }
    throw new Error('the listener closed before a redirect came');
  })();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { port: server.address().port, response };
}

async function* on(server) {
  for (;;) yield await once(server, 'request');
}

const redeem = (metadata, form) => post(metadata.token_endpoint, { client_id: 'public', ...form });
const refresh = (metadata, token) => redeem(metadata, { grant_type: 'refresh_token', refresh_token: token });
const startDevice = async (metadata) => (await post(metadata.device_authorization_endpoint, { client_id: 'public', scope: SCOPE })).body;
const pollDevice = (metadata, { device_code: code }) => redeem(metadata, { grant_type: DEVICE_GRANT, device_code: code });
const discover = async (issuer) => (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));

async function post(url, form) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
}

async function control(method, path, body) {
  const response = await fetch(`${provider.control}${path}`, { method, body: body && JSON.stringify(body) });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}
