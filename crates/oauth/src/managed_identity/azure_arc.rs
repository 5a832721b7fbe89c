//! Azure Arc: machines outside Azure with an agent of Azure's. Who may read the agent's key files may have its tokens, so
//! the agent answers the first request with the name of a fresh key file, and the second, with the key, with a token.

use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use url::Url;
use valetkey_model::{Secret, UnixTime};
use zeroize::Zeroizing;

use super::{
    METADATA, ManagedIdentityError, ManagedIdentityId, ManagedIdentityRequest, Platform, build_get,
    read_answer,
};
use crate::json::read_text;
use crate::{HttpRequest, HttpResponse, TokenResponse};

/// A larger key file is none.
pub const ARC_KEY_FILE_LIMIT: usize = 4096;
pub(super) const DEFAULT_ENDPOINT: &str = "http://localhost:40342/metadata/identity/oauth2/token";
/// Where the agent is on Linux; its presence tells that there is one.
pub(super) const LINUX_AGENT: &str = "/opt/azcmagent/bin/himds";
/// Where the agent is on Windows, below `%ProgramFiles%`.
pub(super) const WINDOWS_AGENT: &str = r"AzureConnectedMachineAgent\himds.exe";
const LINUX_KEYS: &str = "/var/opt/azcmagent/tokens";
/// Below `%ProgramData%`.
const WINDOWS_KEYS: &str = r"AzureConnectedMachineAgent\Tokens";

/// The agent of Azure Arc.
#[derive(Clone, Debug)]
pub struct AzureArc {
    /// `IDENTITY_ENDPOINT`, else the agent's usual one.
    pub endpoint: Url,
    /// What the machine runs.
    pub platform: Platform,
    /// `ProgramData`, on Windows.
    pub program_data: Option<String>,
}

impl AzureArc {
    /// The first request, which brings the challenge.
    pub(super) fn build_request(&self, request: &ManagedIdentityRequest) -> HttpRequest {
        let query = [("api-version", "2020-06-01"), ("resource", &request.resource)];
        let id = request.id.parameter(["client_id", "msi_res_id", "object_id"]);
        build_get(&self.endpoint, query.into_iter().chain(id), [METADATA])
    }

    /// The path of the key file that the answer to the first request asks for. Of what the agent says only the file's name
    /// is taken: whoever poses as the agent must not have other files read. No more than [`ARC_KEY_FILE_LIMIT`] bytes of
    /// it are to be read.
    ///
    /// # Errors
    /// When the answer is no challenge.
    pub fn key_file(
        &self,
        request: &ManagedIdentityRequest,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<String, ManagedIdentityError> {
        if response.status != 401 {
            // A token without a challenge would be one that anybody on the machine may have.
            let explained =
                read_answer(request, response, now, |_, body| ("invalid_request", body));
            return Err(explained.err().unwrap_or(ManagedIdentityError::ArcChallenge));
        }
        let challenge = response.headers.get(WWW_AUTHENTICATE).and_then(|it| it.to_str().ok());
        let name = challenge
            .and_then(read_realm)
            .and_then(|path| self.file_name(path))
            .ok_or(ManagedIdentityError::ArcChallenge)?;
        match (self.platform, &self.program_data) {
            (Platform::Linux, _) => Ok(format!("{LINUX_KEYS}/{name}")),
            (Platform::Windows, Some(data)) => Ok(format!(r"{data}\{WINDOWS_KEYS}\{name}")),
            (Platform::Windows, None) | (Platform::Other, _) => {
                Err(ManagedIdentityError::ArcPlatform)
            }
        }
    }

    /// The second request, with what is in the key file.
    ///
    /// # Errors
    /// When that is no key.
    pub fn build_keyed_request(
        &self,
        request: &ManagedIdentityRequest,
        key: &Secret,
    ) -> Result<HttpRequest, ManagedIdentityError> {
        let key = key.expose().trim();
        if key.is_empty() || key.len() > ARC_KEY_FILE_LIMIT {
            return Err(ManagedIdentityError::ArcKey);
        }
        let credentials = Zeroizing::new(format!("Basic {key}"));
        let mut value =
            HeaderValue::from_str(&credentials).map_err(|_| ManagedIdentityError::ArcKey)?;
        value.set_sensitive(true);
        let mut keyed = self.build_request(request);
        keyed.headers.insert(AUTHORIZATION, value);
        Ok(keyed)
    }

    /// Reads the answer to the second request. An agent that does not know user-assigned identities overlooks the
    /// parameter; the token must not be taken for another identity's.
    pub(super) fn parse_response(
        &self,
        request: &ManagedIdentityRequest,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<TokenResponse, ManagedIdentityError> {
        let token = read_answer(request, response, now, |_, body| ("invalid_request", body))?;
        if is_token_of(&request.id, &token) {
            Ok(token)
        } else {
            Err(ManagedIdentityError::OtherIdentity)
        }
    }

    /// The name of the key file, which the agent makes of letters, digits and hyphens.
    fn file_name<'a>(&self, path: &'a str) -> Option<&'a str> {
        let is_separator = |c: char| c == '/' || (c == '\\' && self.platform == Platform::Windows);
        let name = path.rsplit(is_separator).next()?;
        let stem = name.strip_suffix(".key")?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (!stem.is_empty() && stem.bytes().all(is_plain)).then_some(name)
    }
}

fn read_realm(challenge: &str) -> Option<&str> {
    let (scheme, path) = challenge.split_once('=')?;
    let is_basic = scheme.trim().eq_ignore_ascii_case("basic realm");
    (is_basic && !path.contains('=')).then(|| path.trim().trim_matches('"'))
}

fn is_token_of(id: &ManagedIdentityId, token: &TokenResponse) -> bool {
    let (wanted, members): (_, &[&'static str]) = match id {
        ManagedIdentityId::SystemAssigned => return true,
        ManagedIdentityId::ClientId(id) => (id, &["client_id"]),
        ManagedIdentityId::ObjectId(id) => (id, &["object_id"]),
        ManagedIdentityId::ResourceId(id) => (id, &["msi_res_id", "mi_res_id"]),
    };
    members.iter().any(|member| {
        let echoed = read_text(&token.fields, member).ok().flatten();
        echoed.is_some_and(|echoed| echoed.eq_ignore_ascii_case(wanted))
    })
}
