// Where one issuer keeps its grants and tokens: a plain map in memory that never evicts.
//
// The adapter that oidc-provider brings is shared by every Provider of the process and forgets beyond 1000 entries;
// two issuers under test must not accept each other's tokens, and a load test issues many more than that.

export class Store {
  #entries = new Map();

  /** Makes the adapter of one model, as the `adapter` option of oidc-provider expects. */
  adapterFor = (model) => new Adapter(model, this.#entries);

  /** The stored refresh tokens, live or used, as `{ token, grantId, accountId, clientId, consumed }`. */
  refreshTokens() {
    return this.#payloadsOf('RefreshToken').map(([token, { grantId, accountId, clientId, consumed }]) => (
      { token, grantId, accountId, clientId, consumed: consumed !== undefined }));
  }

  /** Ends a grant: the grant and every token that was issued under it. */
  revokeGrant(grantId) {
    for (const [key, { payload }] of this.#entries) {
      if (payload.grantId === grantId) this.#entries.delete(key);
    }
    return this.#entries.delete(`Grant:${grantId}`);
  }

  /** The grants of a user with a client, by the models that oidc-provider stored. */
  grantsOf({ accountId, clientId }) {
    return this.#payloadsOf('Grant')
      .filter(([, grant]) => grant.accountId === accountId && (!clientId || grant.clientId === clientId))
      .map(([grantId]) => grantId);
  }

  #payloadsOf(model) {
    const prefix = `${model}:`;
    return [...this.#entries]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, { payload }]) => [key.slice(prefix.length), payload]);
  }
}

class Adapter {
  constructor(model, entries) {
    this.model = model;
    this.entries = entries;
  }

  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    this.entries.set(this.#key(id), { payload, expiresAt });
  }

  async find(id) {
    const entry = this.entries.get(this.#key(id));
    return entry && entry.expiresAt > Date.now() ? entry.payload : undefined;
  }

  async findByUid(uid) {
    return this.#findWhere((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return this.#findWhere((payload) => payload.userCode === userCode);
  }

  async consume(id) {
    this.entries.get(this.#key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.entries.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of this.entries) {
      if (key.startsWith(`${this.model}:`) && payload.grantId === grantId) this.entries.delete(key);
    }
  }

  #findWhere(matches) {
    for (const [key, { payload }] of this.entries) {
      if (key.startsWith(`${this.model}:`) && matches(payload)) return payload;
    }
    return undefined;
  }

  #key(id) {
    return `${this.model}:${id}`;
  }
}
