// What the provider saw and gave out, and what it was told to do wrong: one Koa middleware in front of each issuer.
//
// Secrets are kept in clear on purpose, so that a test can search the logs and files of a whole run for every one of them.

import { setTimeout as sleep } from 'node:timers/promises';

const TOKEN_PATH = '/token';
const SECRET_MEMBERS = ['access_token', 'refresh_token', 'id_token', 'device_code'];
const SECRET_FORM_FIELDS = ['code', 'code_verifier', 'refresh_token', 'device_code'];

export class Witness {
  requests = [];
  secrets = new Map();
  #faults = [];
  #issuing = 'on';
  #held = [];

  /** Stands in front of a provider. */
  watch(provider) {
    provider.on('authorization_code.saved', ({ jti }) => this.secrets.set(jti, 'code'));
    provider.use(this.#middlewareFor(provider.issuer));
  }

  /** Records a request and plays the next armed fault, if it concerns the token endpoint. */
  #middlewareFor(issuer) {
    return async (ctx, next) => {
      const entry = openEntry(issuer, ctx);
      this.requests.push(entry);
      if (ctx.path === TOKEN_PATH) await this.#answerToken(ctx, next, entry);
      else await next();
      entry.form ??= ctx.oidc?.body;
      entry.status = ctx.status;
      entry.error = ctx.body?.error;
      this.#keepSecrets(entry, ctx);
    };
  }

  /** Token requests by grant type: how many came, and how many were answered with tokens. */
  counters() {
    const counters = {};
    for (const { path, form, status } of this.requests) {
      if (path !== TOKEN_PATH) continue;
      const counter = (counters[form?.grant_type ?? 'none'] ??= { requests: 0, granted: 0 });
      counter.requests += 1;
      if (status === 200) counter.granted += 1;
    }
    return counters;
  }

  /**
   * Makes the next `count` token requests (of one grant type, if given) go wrong: answered after `delay_ms`, with
   * `status`, `headers` and `body` in place of the provider's answer, or with the connection cut `drop`: "before" or
   * "after" the provider has done its work (which is when a rotated refresh token is lost on the way).
   */
  arm(fault) {
    this.#faults.push({ count: 1, ...fault });
  }

  /** "on"; "off": token requests get 503; "hold": they wait for the next change. */
  setIssuing(mode) {
    this.#issuing = mode;
    for (const release of this.#held.splice(0)) release();
  }

  get heldRequests() {
    return this.#held.length;
  }

  reset() {
    this.requests = [];
    this.#faults = [];
    this.setIssuing('on');
  }

  async #answerToken(ctx, next, entry) {
    while (this.#issuing === 'hold') await new Promise((release) => { this.#held.push(release); });
    if (this.#issuing === 'off') return answer(ctx, { status: 503, body: { error: 'temporarily_unavailable' } });
    if (this.#faults.length === 0) return next();

    entry.form = await readForm(ctx.req);
    ctx.req.body = new URLSearchParams(entry.form).toString(); // the provider takes this, the stream being spent
    const fault = this.#takeFault(entry.form.grant_type);
    if (fault?.delay_ms) await sleep(fault.delay_ms);
    if (fault?.drop === 'before') return cut(ctx);
    if (fault?.status) return answer(ctx, fault);
    await next();
    return fault?.drop === 'after' ? cut(ctx) : undefined;
  }

  #takeFault(grantType) {
    const fault = this.#faults.find(({ grant_type: only }) => !only || only === grantType);
    if (fault && (fault.count -= 1) <= 0) this.#faults.splice(this.#faults.indexOf(fault), 1);
    return fault;
  }

  #keepSecrets(entry, ctx) {
    const keep = (kind, value) => { if (value && typeof value === 'string') this.secrets.set(value, kind); };
    for (const member of SECRET_MEMBERS) keep(member, ctx.body?.[member]);
    for (const field of SECRET_FORM_FIELDS) keep(field, entry.form?.[field]);
  }
}

function openEntry(issuer, ctx) {
  return {
    at: Date.now(),
    issuer,
    method: ctx.method,
    path: ctx.path,
    query: { ...ctx.query },
    authorization: ctx.get('authorization') || undefined,
    dpop: ctx.get('dpop') || undefined,
    user_agent: ctx.get('user-agent') || undefined,
  };
}

async function readForm(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
}

function answer(ctx, { status, headers = {}, body = {} }) {
  ctx.status = status;
  ctx.body = body;
  ctx.set(headers);
}

function cut(ctx) {
  ctx.respond = false;
  ctx.req.socket.destroy();
}
