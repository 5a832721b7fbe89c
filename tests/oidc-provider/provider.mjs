// The configuration of the OpenID provider under test: its clients, users, scopes and lifetimes.
//
// The protocol is oidc-provider's own, certified code; nothing here changes what the specifications say.

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Provider, { errors, interactionPolicy } from 'oidc-provider';

const CODE = 'authorization_code';
const REFRESH = 'refresh_token';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const CLIENT_CREDENTIALS = 'client_credentials';

/** RFC 8252 section 7.3: the port of a loopback redirect is free, host and path are not. MSAL's redirect has no path. */
const LOOPBACK_REDIRECTS = ['127.0.0.1', 'localhost', '[::1]']
  .flatMap((host) => [`http://${host}`, `http://${host}/callback`, `http://${host}/redirect`]);

/** Confidential clients, by how each proves itself; the key is that of the credential tests. */
const CERTIFICATE = new URL('../../crates/oauth/src/credential/fixtures/certificate.pem', import.meta.url);
const SERVICES = [
  service('service-post', { token_endpoint_auth_method: 'client_secret_post', client_secret: 's3cret' }),
  service('service-basic', { token_endpoint_auth_method: 'client_secret_basic', client_secret: 's3cret' }),
  service('service-key', {
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [createPublicKey(readFileSync(CERTIFICATE)).export({ format: 'jwk' })] },
  }),
];

/** Its id and secret have characters that RFC 6749 section 2.3.1 has encoded before they go into the header. */
const ENCODED = service('service:basic', { token_endpoint_auth_method: 'client_secret_basic', client_secret: 'a secret: 50%+' });

const API_SCOPES = ['read', 'write', 'admin'];
export const API_RESOURCES = ['urn:api:graph', 'https://api.example.test/'];

/** One key set for all issuers of the process, since generating RSA keys takes most of the start. */
const jwks = {
  keys: [signingKey('rsa', { modulusLength: 2048 }, 'RS256'), signingKey('ec', { namedCurve: 'P-256' }, 'ES256')],
};

/**
 * @param {string} issuer
 * @param {{ adapter: Function, users: string[], accessTokenTtl: number, rotate: boolean, basicOnly: boolean }} options
 */
export function createProvider(issuer, { adapter, users, accessTokenTtl, rotate, basicOnly }) {
  return new Provider(issuer, {
    adapter,
    jwks,
    clients: [...['public', 'public-two'].map(publicClient), ...(basicOnly ? [ENCODED] : SERVICES)],
    ...(basicOnly && { clientAuthMethods: ['client_secret_basic', 'none'] }),
    cookies: { keys: [randomUUID()] },
    findAccount: (_ctx, id) => (users.includes(id) ? accountOf(id) : undefined),
    scopes: ['openid', 'offline_access', 'profile', 'email'],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'oid', 'tid'], email: ['email'] },
    conformIdTokenClaims: false, // profile claims go into the ID token, where clients read the user name
    pkce: { required: () => true },
    interactions: { policy: policyWithSilentSignIn() },
    extraParams: { offline_access: keepOfflineAccess }, // the parameter is nobody's; its check runs in every request
    rotateRefreshToken: rotate,
    ttl: {
      AccessToken: accessTokenTtl, DeviceCode: 600, Grant: 86400, IdToken: 3600, Interaction: 3600, RefreshToken: 86400, Session: 86400,
    },
    features: {
      devInteractions: { enabled: true },
      deviceFlow: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true }, // for clients that bring a proof
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: resourceForScopes,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => resourceServer(resource, accessTokenTtl),
      },
      clientCredentials: { enabled: true },
    },
  });
}

function publicClient(clientId) {
  return {
    client_id: clientId,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: [CODE, REFRESH, DEVICE],
    response_types: ['code'],
    redirect_uris: LOOPBACK_REDIRECTS,
  };
}

function service(clientId, credential) {
  return { client_id: clientId, grant_types: [CLIENT_CREDENTIALS], response_types: [], redirect_uris: [], ...credential };
}

function accountOf(user) {
  const email = `${user}@example.test`;
  const oid = uuidOf(user);
  return {
    accountId: user,
    claims: async () => ({ sub: user, name: `User ${user}`, preferred_username: email, email, oid, tid: uuidOf('tenant') }),
  };
}

/** A GUID that is the same in every run, as Entra's object ids are. */
function uuidOf(text) {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}

/** Native clients may use `prompt=none` once there is a session and consent; by default oidc-provider always asks them. */
function policyWithSilentSignIn() {
  const policy = interactionPolicy.base();
  policy.get('consent').checks.remove('native_client_prompt');
  return policy;
}

/**
 * OIDC Core section 11 lets a provider grant offline_access without prompt=consent on conditions of its own, as most do.
 * oidc-provider has by then taken it out of the request, so it is put back.
 */
function keepOfflineAccess(ctx) {
  const asked = (ctx.query.scope ?? ctx.oidc.body?.scope ?? '').split(' ');
  const left = (ctx.oidc.params.scope ?? '').split(' ');
  if (!asked.includes('offline_access') || left.includes('offline_access')) return;
  ctx.oidc.params.scope = [...left, 'offline_access'].join(' ').trim();
}

/** A client that asks for a scope of the API without naming it (RFC 8707 is optional for clients) gets the first API. */
function resourceForScopes(ctx, _client, oneOf) {
  if (oneOf) return oneOf[0];
  const asked = (ctx.oidc.params?.scope ?? '').split(' ');
  return asked.some((scope) => API_SCOPES.includes(scope)) ? API_RESOURCES[0] : undefined;
}

function resourceServer(resource, accessTokenTTL) {
  if (!API_RESOURCES.includes(resource)) throw new errors.InvalidTarget();
  return {
    scope: API_SCOPES.join(' '), audience: resource, accessTokenTTL, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } },
  };
}

/**
 * By way of PEM: exporting a key that was just generated holds its lock, and when the garbage collector then destroys the
 * job that generated it, Node 20 waits for that lock for ever.
 */
function signingKey(type, options, alg) {
  const privateKeyEncoding = { type: 'pkcs8', format: 'pem' };
  const publicKeyEncoding = { type: 'spki', format: 'pem' };
  const { privateKey } = generateKeyPairSync(type, { ...options, privateKeyEncoding, publicKeyEncoding });
  return { ...createPrivateKey(privateKey).export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() };
}
