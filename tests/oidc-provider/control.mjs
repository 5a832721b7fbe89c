// The tests' own door to the provider, under /_control: look at what happened, act as the user, cause faults.
//
//   GET    /requests    every request so far        GET  /counters  token requests by grant type
//   GET    /secrets     every secret given out      DELETE /requests  forget requests, faults and mode
//   POST   /authorize   { url, user, deny? } -> { location, form? }
//   POST   /device      { url | user_code, user, deny?, issuer? } -> { page }
//   POST   /revoke      { token } or { user, client_id? } -> { revoked }
//   POST   /faults      { count?, status?, headers?, body?, delay_ms?, drop?, grant_type? }
//   POST   /issuing     { mode: "on" | "off" | "hold" }; GET /issuing -> { held }

import { completeAuthorization, completeDevice } from './scripted-user.mjs';

/** @param {{ witness: object, issuers: { url: string, store: object }[] }} world */
export function createControl({ witness, issuers }) {
  const routes = {
    'GET /requests': () => witness.requests,
    'DELETE /requests': () => witness.reset(),
    'GET /counters': () => witness.counters(),
    'GET /secrets': () => [...witness.secrets].map(([value, kind]) => ({ kind, value })),
    'POST /authorize': ({ url, user, deny }) => completeAuthorization(url, { user, deny }),
    'POST /device': ({ url, user_code: code, issuer = issuers[0].url, user, deny }) => (
      completeDevice(url ?? `${issuer}/device?user_code=${encodeURIComponent(code)}`, { user, deny })),
    'POST /revoke': (whose) => ({ revoked: issuers.flatMap(({ store }) => revokeGrants(store, whose)) }),
    'POST /faults': (fault) => witness.arm(fault),
    'POST /issuing': ({ mode }) => witness.setIssuing(mode),
    'GET /issuing': () => ({ held: witness.heldRequests }),
  };
  return async (request, response, path) => {
    const route = routes[`${request.method} ${path}`];
    if (!route) return reply(response, 404, { error: `no such control: ${request.method} ${path}` });
    try {
      return reply(response, 200, await route(await readJson(request)) ?? {});
    } catch (error) {
      return reply(response, 500, { error: error.message });
    }
  };
}

function revokeGrants(store, { token, user, client_id: clientId }) {
  const grantIds = token
    ? store.refreshTokens().filter((stored) => stored.token === token).map(({ grantId }) => grantId)
    : store.grantsOf({ accountId: user, clientId });
  return grantIds.filter((grantId) => store.revokeGrant(grantId));
}

async function readJson(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {};
}

function reply(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
