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

/// How a client proves who it is (RFC 6749 section 2.3). Always in the body: Entra's applications never use HTTP Basic.
#[derive(Clone, Debug, Default)]
pub enum ClientAuthentication {
    /// A public client.
    #[default]
    None,
    /// `client_secret`.
    Secret(Secret),
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
    push(&mut form, "client_id", client_id.as_str());
    push(&mut form, "grant_type", grant.grant_type);
    call.authentication.push_fields(&mut form, true);
    push(&mut form, "claims", grant.claims.unwrap_or_default());
    for (name, value) in grant.fields {
        push(&mut form, name, value);
    }
    HttpRequest::post(provider.token_endpoint.clone(), call.token_headers(grant.anchor), form)
}

impl ClientAuthentication {
    /// `client_info=1` stands among these fields in MSAL's order; it asks Entra for the user's home account.
    pub(crate) fn push_fields(&self, form: &mut Form, client_info: bool) {
        let client_info = if client_info { "1" } else { "" };
        match self {
            Self::None => push(form, "client_info", client_info),
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
