//! What every request of one call says about itself in headers (`spec/msal-python.md` sections 2.1 and 2.2).

use http::{HeaderMap, HeaderName, HeaderValue};
use valetkey_model::{AccountId, CorrelationId};

use crate::{ClientAuthentication, ClientInfo};

/// Which operation an application asked for. The numbers are MSAL's, known to Entra's telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the operation of that name")]
pub enum ApiId {
    Silent = 84,
    ByRefreshToken = 85,
    Interactive = 169,
    UsernamePassword = 301,
    OnBehalfOf = 523,
    DeviceCode = 622,
    Client = 730,
    AuthCode = 832,
    GetAccounts = 902,
    RemoveAccount = 903,
    UserFederatedCredential = 950,
}

impl ApiId {
    /// MSAL's number.
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// Why the cache did not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CacheReason {
    /// It was not asked.
    #[default]
    NotSilent = 0,
    /// The application wanted a new token: `force_refresh`, a claims challenge, an authentication scheme.
    ForceRefresh = 1,
    /// There was no token.
    NoToken = 2,
    /// The token was past its time.
    Expired = 3,
    /// The token was good, but past `refresh_on`.
    Aging = 4,
}

/// One call of an application; all its requests share what they say about it, and how they prove who asks.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which operation.
    pub api: ApiId,
    /// Why the cache did not answer.
    pub reason: CacheReason,
    /// `client-request-id`.
    pub correlation_id: CorrelationId,
    /// [`crate::TelemetryLog::header`] of the application.
    pub last: String,
    /// `x-app-name`.
    pub app_name: Option<String>,
    /// `x-app-ver`.
    pub app_version: Option<String>,
    /// How the application proves who it is.
    pub authentication: ClientAuthentication,
}

impl Call {
    /// Headers of every POST. One whose value a header cannot carry is left out: none of them changes the answer.
    pub(crate) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        insert(&mut headers, "x-client-sku", "valetkey");
        insert(&mut headers, "x-client-ver", env!("CARGO_PKG_VERSION"));
        insert(&mut headers, "x-client-os", OPERATING_SYSTEM);
        insert(&mut headers, "x-ms-lib-capability", "retry-after, h429");
        insert(&mut headers, "x-app-name", self.app_name.as_deref().unwrap_or_default());
        insert(&mut headers, "x-app-ver", self.app_version.as_deref().unwrap_or_default());
        insert(&mut headers, "client-request-id", self.correlation_id.as_str());
        headers
    }

    /// Headers of a token request.
    pub(crate) fn token_headers(&self, anchor: Option<&AnchorMailbox>) -> HeaderMap {
        let mut headers = self.headers();
        let current = format!("4|{},{}|", self.api.number(), self.reason as u8);
        insert(&mut headers, "accept", "application/json");
        insert(&mut headers, "x-client-current-telemetry", &current);
        insert(&mut headers, "x-client-last-telemetry", &self.last);
        insert(&mut headers, "x-anchormailbox", anchor.map_or("", |anchor| &anchor.0));
        headers
    }
}

/// Tells Entra which of its data centres knows the user (`X-AnchorMailbox`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorMailbox(String);

impl AnchorMailbox {
    /// By account: `Oid:uid@utid`.
    pub fn of_account(account: &AccountId) -> Self {
        Self(format!("Oid:{}", account.as_str().replace('.', "@")))
    }

    /// By the `client_info` of an authorization response.
    pub fn of_client_info(info: &ClientInfo) -> Self {
        Self(format!("Oid:{}@{}", info.uid, info.utid))
    }

    /// By object id and tenant.
    pub fn of_object_id(object_id: &str, tenant: &str) -> Self {
        Self(format!("Oid:{object_id}@{tenant}"))
    }

    /// By user name.
    pub fn of_username(username: &str) -> Self {
        Self(format!("upn:{username}"))
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if value.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Python's names, which Entra's dashboards know.
const OPERATING_SYSTEM: &str = if cfg!(target_os = "windows") {
    "win32"
} else if cfg!(target_os = "macos") {
    "darwin"
} else {
    "linux"
};
