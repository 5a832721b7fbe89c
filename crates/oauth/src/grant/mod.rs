//! Token requests, one file per grant. What all have in common is here: RFC 6749 section 4 with Entra's additions, in
//! MSAL's order of fields (`spec/msal-python.md` section 2.1).

mod authorization_code;
mod client_credentials;
mod device_code;
mod extra_fields;
mod on_behalf_of;
mod password;
mod refresh_token;
mod saml_assertion;
mod user_federated_credential;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use url::form_urlencoded::byte_serialize;
use valetkey_model::{ClientId, Secret};
use zeroize::Zeroizing;

use crate::http::Form;
use crate::{AnchorMailbox, Call, HttpRequest, ProviderMetadata};

pub use self::authorization_code::{AuthorizationCodeGrant, build_authorization_code_request};
pub use self::client_credentials::{ClientCredentialsGrant, build_client_credentials_request};
pub use self::device_code::{DeviceCodeGrant, build_device_code_request};
pub use self::extra_fields::{ExtraFieldError, ExtraFields};
pub use self::on_behalf_of::{OnBehalfOfGrant, build_on_behalf_of_request};
pub use self::password::{PasswordGrant, build_password_request};
pub use self::refresh_token::{RefreshTokenGrant, build_refresh_token_request};
pub use self::saml_assertion::{
    SamlAssertion, SamlAssertionGrant, SamlVersion, build_saml_assertion_request,
};
pub use self::user_federated_credential::{
    FederatedUser, UserFederatedCredentialGrant, build_user_federated_credential_request,
};

/// How a client proves who it is (RFC 6749 section 2.3). In the body wherever that is taken, as in MSAL.
#[derive(Clone, Debug, Default)]
pub enum ClientAuthentication {
    /// A public client.
    #[default]
    None,
    /// `client_secret`.
    Secret(Secret),
    /// The secret as HTTP Basic.
    Basic(Secret),
    /// A signed assertion (RFC 7523 section 2.2).
    Assertion(Secret),
}

/// What one grant adds to the request.
struct Grant<'a> {
    grant_type: &'static str,
    claims: Option<&'a str>,
    /// With the scope, whose place among them is MSAL's.
    fields: &'a [(&'static str, &'a str)],
    anchor: Option<&'a AnchorMailbox>,
}

fn build_token_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &Grant<'_>,
    call: &Call,
) -> HttpRequest {
    let mut form = Form::new();
    call.authentication.push_client_id(&mut form, client_id);
    push(&mut form, "grant_type", grant.grant_type);
    call.authentication.push_fields(&mut form, true);
    push(&mut form, "claims", grant.claims.unwrap_or_default());
    for (name, value) in grant.fields {
        push(&mut form, name, value);
    }
    let headers = call.authentication.sign(call.token_headers(grant.anchor), client_id);
    HttpRequest::post(provider.token_endpoint.clone(), headers, form)
}

impl ClientAuthentication {
    /// Who proves itself by a header has named itself there: some providers take a second time for a second method.
    pub(crate) fn push_client_id(&self, form: &mut Form, client_id: &ClientId) {
        if !matches!(self, Self::Basic(_)) {
            push(form, "client_id", client_id.as_str());
        }
    }

    /// RFC 6749 section 2.3.1: id and secret are encoded as a form's values are, before they are joined.
    pub(crate) fn sign(&self, mut headers: HeaderMap, client_id: &ClientId) -> HeaderMap {
        let Self::Basic(secret) = self else { return headers };
        let mut pair: Zeroizing<String> = Zeroizing::default();
        pair.extend(byte_serialize(client_id.as_str().as_bytes()));
        pair.push(':');
        pair.extend(byte_serialize(secret.expose().as_bytes()));
        let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        #[expect(clippy::expect_used, reason = "base64")]
        let mut header = HeaderValue::from_str(&header).expect("base64 is printable ASCII");
        header.set_sensitive(true);
        headers.insert(AUTHORIZATION, header);
        headers
    }

    /// `client_info=1` stands among these fields in MSAL's order; it asks Entra for the user's home account.
    pub(crate) fn push_fields(&self, form: &mut Form, client_info: bool) {
        let client_info = if client_info { "1" } else { "" };
        match self {
            Self::None | Self::Basic(_) => push(form, "client_info", client_info),
            Self::Secret(secret) => {
                push(form, "client_info", client_info);
                push(form, "client_secret", secret.expose());
            }
            Self::Assertion(assertion) => {
                push(form, "client_assertion", assertion.expose());
                push(form, "client_info", client_info);
                push(form, "client_assertion_type", JWT_BEARER);
            }
        }
    }
}

/// Appends a field; empty ones are not sent.
pub(crate) fn push(form: &mut Form, name: &'static str, value: &str) {
    if !value.is_empty() {
        form.push((name.into(), Zeroizing::new(value.to_owned())));
    }
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests;
