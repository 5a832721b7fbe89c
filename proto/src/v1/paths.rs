//! Paths, and the names that both ends agree on.

/// The only `Host` values that the daemon answers; a browser that was lured to a bridge sends another.
pub const HOSTS: [&str; 2] = ["localhost", "valetkey"];

/// The `Host` that our own clients send.
pub const HOST: &str = "valetkey";

/// Largest request body, in bytes. The largest honest one brings a system's whole bundle of certificates, of some 240 KiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The same for `PUT /v1/apps/{app}/cache` and `POST /v1/cache/import`: many accounts with a few tokens each.
pub const MAX_CACHE_BYTES: usize = 1024 * 1024;

/// Longest `wait` of a long poll, in seconds.
pub const MAX_WAIT_SECONDS: u64 = 60;

/// How many records `GET /v1/audit` answers with when nothing else is asked for, and at most.
pub const AUDIT_RECORDS: (usize, usize) = (100, 10_000);

/// Answered with every response: the daemon's version.
pub const VERSION_HEADER: &str = "valetkey-version";

/// Route templates as axum and OpenAPI write them.
pub mod route {
    /// `GET`
    pub const STATUS: &str = "/v1/status";
    /// `GET`
    pub const OPENAPI: &str = "/v1/openapi.json";
    /// `GET`, `POST`
    pub const APPS: &str = "/v1/apps";
    /// `DELETE`
    pub const APP: &str = "/v1/apps/{app}";
    /// `GET`
    pub const ACCOUNTS: &str = "/v1/apps/{app}/accounts";
    /// `DELETE`
    pub const ACCOUNT: &str = "/v1/apps/{app}/accounts/{home_account_id}";
    /// `POST`
    pub const TOKEN: &str = "/v1/apps/{app}/token";
    /// `POST`
    pub const PROOFS: &str = "/v1/apps/{app}/proofs";
    /// `DELETE`
    pub const TOKENS: &str = "/v1/apps/{app}/tokens";
    /// `GET`, `PUT`
    pub const CACHE: &str = "/v1/apps/{app}/cache";
    /// `POST`
    pub const FLOWS: &str = "/v1/apps/{app}/flows";
    /// `GET` (`?wait=seconds`), `DELETE`
    pub const FLOW: &str = "/v1/flows/{flow}";
    /// `POST`
    pub const COMPLETE: &str = "/v1/flows/{flow}/complete";
    /// `GET`, server-sent events
    pub const EVENTS: &str = "/v1/events";
    /// `GET`
    pub const DIAGNOSIS: &str = "/v1/diagnosis";
    /// `GET`, `DELETE`
    pub const GRANTS: &str = "/v1/grants";
    /// `DELETE`
    pub const GRANT: &str = "/v1/grants/{grant}";
    /// `GET` (`?wait=seconds`)
    pub const PROMPTS: &str = "/v1/prompts";
    /// `POST`
    pub const PROMPT: &str = "/v1/prompts/{prompt}";
    /// `GET` (`?limit=number`)
    pub const AUDIT: &str = "/v1/audit";
    /// `POST`
    pub const CACHE_IMPORT: &str = "/v1/cache/import";
    /// `POST`
    pub const CACHE_EXPORT: &str = "/v1/cache/export";
    /// `POST`
    pub const LOCK: &str = "/v1/lock";
    /// `POST`
    pub const UNLOCK: &str = "/v1/unlock";
    /// `POST`
    pub const KEYS_ROTATE: &str = "/v1/keys/rotate";
    /// `PUT`, `DELETE`
    pub const SECRET: &str = "/v1/secrets/{name}";
}
