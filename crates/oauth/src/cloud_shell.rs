//! Azure Cloud Shell: a terminal in the browser, where the user is signed in already and a local endpoint gives their
//! tokens (`spec/msal-python.md` section 2.14).

use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;
use valetkey_model::{ClientId, ScopeSet, UnixTime};
use zeroize::Zeroizing;

use crate::error::{is_error_code, unavailable};
use crate::http::Body;
use crate::json::{read_object, read_text};
use crate::{
    ClientInfo, EndpointRefused, ExtraFields, HttpRequest, HttpResponse, IdTokenClaims,
    Misbehaviour, OAuthError, SourceKind, TokenResponse, TokenResponseError, admit_endpoint,
    decode_id_token, parse_token_response,
};

/// The environment variable that names where a shell runs.
pub const CLOUD_SHELL_VARIABLE: &str = "AZUREPS_HOST_ENVIRONMENT";
/// What it begins with in Cloud Shell.
pub const CLOUD_SHELL_PREFIX: &str = "cloud-shell";
/// The home account id of the user whose token cannot be read.
pub const CLOUD_SHELL_USER: &str = "user.cloudshell";

const ENDPOINT: &str = "http://localhost:50342/oauth2/token";
const RESOURCE: &str = "resource";
const BEARER: &str = "Bearer";
/// Resources whose names have a path.
const SPECIAL_RESOURCES: [&str; 2] = [
    "https://analysis.windows.net/powerbi/api",
    "https://pas.windows.net/CheckMyAccess/Linux/.default",
];

/// A token of the shell's user, and who that is.
#[derive(Clone, Debug)]
pub struct CloudShellToken {
    /// The token, with the user's home account.
    pub token: TokenResponse,
    /// What an ID token would say.
    pub claims: IdTokenClaims,
}

/// Where every shell gives tokens, unless its `MSI_ENDPOINT` says otherwise.
pub fn cloud_shell_endpoint() -> Url {
    #[expect(clippy::expect_used, reason = "a constant")]
    Url::parse(ENDPOINT).expect("a constant URL is valid")
}

/// Whether the policy lets the broker ask there.
///
/// # Errors
/// As [`admit_endpoint`].
pub fn admit_cloud_shell<S: AsRef<str>>(
    endpoint: &Url,
    admits_near: bool,
    listed_hosts: &[S],
) -> Result<(), EndpointRefused> {
    admit_endpoint(endpoint, SourceKind::CloudShell, admits_near, listed_hosts)
}

/// Asks for the user's token; `extra` may name a key (`token_type`, `req_cnf`), but not the resource, which is the scopes'.
pub fn build_cloud_shell_request(
    endpoint: Url,
    scopes: &ScopeSet,
    extra: &ExtraFields,
) -> HttpRequest {
    let resources: Vec<_> = scopes.iter().map(scope_to_resource).collect();
    let mut request = build_resource_request(endpoint, "").with_extra_fields(extra);
    if let Body::Form(form) = &mut request.body {
        form.retain(|(name, _)| name != RESOURCE);
        form.push((RESOURCE.into(), Zeroizing::new(resources.join(" "))));
    }
    request
}

/// Reads the answer to a request for `scopes` and for a token of `token_type`, which is Bearer unless `extra` said
/// otherwise. Nothing else that the shell says is told, as in MSAL.
///
/// # Errors
/// When the shell refused, or gave another type of token.
pub fn parse_cloud_shell_token(
    client_id: &ClientId,
    scopes: &ScopeSet,
    extra: &ExtraFields,
    response: &HttpResponse,
    now: UnixTime,
) -> Result<CloudShellToken, TokenResponseError> {
    let wanted = extra.iter().find(|(name, _)| *name == "token_type").map(|(_, value)| value);
    let wanted = wanted.unwrap_or(BEARER);
    let mut token = read_resource_token(scopes.target(), response, now)?;
    if token.token_type != wanted {
        let description =
            format!("token_type {wanted} is not supported by this version of Azure Cloud Shell");
        let refusal = OAuthError::new("broker_error", description, response, now);
        return Err(TokenResponseError::Refused(Box::new(refusal)));
    }
    // Entra's tokens can be read as ID tokens can; one that cannot (an SSH certificate) has a made-up user.
    let told = decode_id_token(&token.access_token).map(|claims| claims.members().clone());
    let told = told.unwrap_or_default();
    let home = ClientInfo {
        uid: text(&told, "oid").unwrap_or_else(|| "user".to_owned()),
        utid: text(&told, "tid").unwrap_or_else(|| "cloudshell".to_owned()),
    };
    let claims = describe_user(&told, client_id, &home.utid, now);
    token.scope = scopes.clone();
    (token.id_token, token.device_secret, token.foci) = (None, None, None);
    (token.ext_expires_in, token.refresh_in) = (None, None);
    token.fields = Map::from_iter([("client_info".to_owned(), home.encode().into())]);
    token.client_info = Some(home);
    Ok(CloudShellToken { token, claims })
}

pub(crate) fn build_resource_request(endpoint: Url, resource: &str) -> HttpRequest {
    let metadata = (HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
    let form = vec![(RESOURCE.into(), Zeroizing::new(resource.to_owned()))];
    HttpRequest::post(endpoint, HeaderMap::from_iter([metadata]), form)
}

/// Reads a token for `resource`, whose `error` is an object here.
pub(crate) fn read_resource_token(
    resource: &str,
    response: &HttpResponse,
    now: UnixTime,
) -> Result<TokenResponse, TokenResponseError> {
    match response.status {
        200..=299 => parse_token_response(response, &ScopeSet::from_target(resource), now),
        429 | 500.. => Err(unavailable(response, now)),
        status => {
            let members = read_object(response)?;
            let error = members.get("error").and_then(Value::as_object);
            let error = error.ok_or(Misbehaviour::NoErrorCode { status })?;
            let code = read_text(error, "code")?.ok_or(Misbehaviour::NoErrorCode { status })?;
            if !is_error_code(&code) {
                return Err(Misbehaviour::BadErrorCode.into());
            }
            let description = read_text(error, "message")?.unwrap_or_default();
            let refusal = OAuthError::new(&code, description, response, now);
            Err(TokenResponseError::Refused(Box::new(refusal)))
        }
    }
}

/// The resource that scopes are of: scheme and host, with the slash if there are two after them; else what is before the
/// first slash. This is done on the text: a parser of URLs would not tell `https://a` from `https://a/`.
fn scope_to_resource(scope: &str) -> String {
    if let Some(special) = SPECIAL_RESOURCES.into_iter().find(|it| scope.starts_with(it)) {
        return special.to_owned();
    }
    let Some((scheme, rest)) = scope.split_once("://") else {
        return scope.split('/').next().unwrap_or(scope).to_owned();
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let slash = if path.starts_with('/') { "/" } else { "" };
    format!("{scheme}://{host}{slash}")
}

/// What OIDC Core section 2 asks of an ID token, from a token that is meant for somebody else.
fn describe_user(
    told: &Map<String, Value>,
    client_id: &ClientId,
    tenant: &str,
    now: UnixTime,
) -> IdTokenClaims {
    let name = ["preferred_username", "upn", "unique_name"];
    let name = name.into_iter().find_map(|claim| text(told, claim));
    let claims = json!({
        "iss": text(told, "iss").unwrap_or_else(|| "cloudshell".to_owned()),
        "sub": text(told, "sub").unwrap_or_else(|| "user".to_owned()),
        "aud": client_id.as_str(),
        "exp": told.get("exp").cloned().unwrap_or_else(|| now.plus_seconds(3600).seconds().into()),
        "iat": told.get("iat").cloned().unwrap_or_else(|| now.seconds().into()),
        "preferred_username": name.unwrap_or_else(|| "currentuser@cloudshell".to_owned()),
        "tid": tenant,
    });
    match claims {
        Value::Object(members) => IdTokenClaims::from_members(members),
        _ => IdTokenClaims::from_members(Map::new()),
    }
}

fn text(claims: &Map<String, Value>, name: &'static str) -> Option<String> {
    read_text(claims, name).ok().flatten()
}

#[cfg(test)]
mod tests;
