//! Token requests: which grant, with what only that grant knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use valetkey_engine::{
    AccountSelector, ClientApplication, Extras, Grant, GrantRequest, SilentRequest,
};
use valetkey_model::{CorrelationId, Secret};
use valetkey_oauth::{ExtraFields, FederatedUser, PopRequest};
use valetkey_proto::v1;

use super::{proof, scopes, short};
use crate::failure::Failure;

/// A token request, as the engine takes it.
pub enum TokenRequest {
    /// From the cache, or by a refresh token.
    Silent(SilentRequest),
    /// For what the application has in its hands.
    ByGrant(GrantRequest),
}

/// What the request asks for.
///
/// # Errors
/// When a member cannot be, is missing, or does not go with the grant.
pub fn token_request(
    app: Arc<ClientApplication>,
    mut request: v1::TokenRequest,
    correlation_id: CorrelationId,
) -> Result<TokenRequest, Failure> {
    if request.scopes.is_empty() {
        return Err(Failure::bad_member("scopes", "name at least one"));
    }
    refuse_members_of_other_grants(&request)?;
    if request.grant == v1::Grant::CloudShell && app.definition().cloud_shell.is_none() {
        let reason =
            "`cloud_shell` needs an application that was opened with `cloud_shell_endpoint`";
        return Err(Failure::bad_member("grant", reason));
    }
    let scopes = scopes("scopes", &request.scopes)?;
    let claims_challenge = text("claims_challenge", request.claims_challenge.take())?;
    let client_assertion = secret("client_assertion", request.client_assertion.take())?;
    let extras = extras(&app, &mut request)?;
    let force_refresh = request.force_refresh;
    if request.grant == v1::Grant::Silent {
        return Ok(TokenRequest::Silent(SilentRequest {
            app,
            scopes,
            account: match text("account", request.account)? {
                Some(account) => AccountSelector::Named(account),
                None => AccountSelector::Only,
            },
            force_refresh,
            claims_challenge,
            min_validity: request.min_validity.unwrap_or(0),
            client_assertion,
            extras,
            bound: None,
            correlation_id,
        }));
    }
    let grant = grant(request)?;
    Ok(TokenRequest::ByGrant(GrantRequest {
        app,
        grant,
        scopes,
        force_refresh,
        claims_challenge,
        client_assertion,
        extras,
        bound: None,
        sites: None,
        correlation_id,
    }))
}

fn grant(request: v1::TokenRequest) -> Result<Grant, Failure> {
    Ok(match request.grant {
        v1::Grant::ClientCredentials | v1::Grant::Silent => Grant::ClientCredentials,
        v1::Grant::OnBehalfOf => Grant::OnBehalfOf {
            user_assertion: secret("user_assertion", request.user_assertion)?,
            session_key: secret("session_key", request.session_key)?,
        },
        v1::Grant::Password => Grant::Password {
            username: needed("username", text("username", request.username)?)?,
            password: needed("password", secret("password", request.password)?)?,
        },
        v1::Grant::RefreshToken => Grant::RefreshToken(needed(
            "refresh_token",
            secret("refresh_token", request.refresh_token)?,
        )?),
        v1::Grant::UserFederatedCredential => Grant::UserFederatedCredential {
            credential: needed(
                "federated_credential",
                secret("federated_credential", request.federated_credential)?,
            )?,
            user: match (
                text("username", request.username)?,
                text("user_object_id", request.user_object_id)?,
            ) {
                (Some(name), None) => FederatedUser::Username(name),
                (None, Some(id)) => FederatedUser::ObjectId(id),
                _ => {
                    return Err(Failure::bad_member(
                        "username",
                        "give either it or user_object_id",
                    ));
                }
            },
        },
        v1::Grant::AuthorizationCode => Grant::AuthorizationCode {
            code: needed("code", secret("code", request.code)?)?,
            redirect_uri: text("redirect_uri", request.redirect_uri)?,
            nonce: text("nonce", request.nonce)?,
        },
        v1::Grant::CloudShell => Grant::CloudShell,
    })
}

fn extras(app: &ClientApplication, request: &mut v1::TokenRequest) -> Result<Extras, Failure> {
    let auth_scheme = proof::auth_scheme(app, request.auth_scheme.take())?;
    let fields = fields(app, auth_scheme.as_ref(), std::mem::take(&mut request.data))?;
    Ok(Extras {
        forwarded_claims: text("forwarded_client_claims", request.forwarded_client_claims.take())?,
        fmi_path: text("fmi_path", request.fmi_path.take())?,
        fields,
        auth_scheme,
    })
}

/// Form fields of the application's own, beside the request that is to be signed.
pub(super) fn fields(
    app: &ClientApplication,
    auth_scheme: Option<&PopRequest>,
    data: BTreeMap<String, String>,
) -> Result<ExtraFields, Failure> {
    let fields = ExtraFields::new(data).map_err(|error| Failure::bad_member("data", error))?;
    proof::check_one_key(app, auth_scheme, &fields)?;
    Ok(fields)
}

/// A member that another grant knows was meant to do something; doing nothing with it would be a trap.
fn refuse_members_of_other_grants(request: &v1::TokenRequest) -> Result<(), Failure> {
    use v1::Grant::{
        AuthorizationCode, ClientCredentials, OnBehalfOf, Password, RefreshToken, Silent,
        UserFederatedCredential,
    };
    let is_given = [
        ("account", request.account.is_some(), &[Silent][..]),
        ("force_refresh", request.force_refresh, &[Silent, ClientCredentials, OnBehalfOf]),
        ("min_validity", request.min_validity.is_some(), &[Silent]),
        ("auth_scheme", request.auth_scheme.is_some(), &[Silent, Password]),
        ("fmi_path", request.fmi_path.is_some(), &[ClientCredentials]),
        // A managed identity's alone.
        ("resource", request.resource.is_some(), &[]),
        ("user_assertion", request.user_assertion.is_some(), &[OnBehalfOf]),
        ("session_key", request.session_key.is_some(), &[OnBehalfOf]),
        ("username", request.username.is_some(), &[Password, UserFederatedCredential]),
        ("password", request.password.is_some(), &[Password]),
        ("refresh_token", request.refresh_token.is_some(), &[RefreshToken]),
        (
            "federated_credential",
            request.federated_credential.is_some(),
            &[UserFederatedCredential],
        ),
        ("user_object_id", request.user_object_id.is_some(), &[UserFederatedCredential]),
        ("code", request.code.is_some(), &[AuthorizationCode]),
        ("redirect_uri", request.redirect_uri.is_some(), &[AuthorizationCode]),
        ("nonce", request.nonce.is_some(), &[AuthorizationCode]),
    ];
    match is_given.iter().find(|(_, given, grants)| *given && !grants.contains(&request.grant)) {
        Some((member, ..)) => Err(Failure::bad_member(member, "does not go with this grant")),
        None => Ok(()),
    }
}

fn needed<T>(member: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::bad_member(member, "this grant needs one"))
}

pub(super) fn text(member: &str, text: Option<String>) -> Result<Option<String>, Failure> {
    text.filter(|text| !text.is_empty()).map(|text| short(member, text)).transpose()
}

fn secret(member: &str, text: Option<v1::SecretText>) -> Result<Option<Secret>, Failure> {
    let text = text.map(|text| text.0).filter(|text| !text.is_empty());
    Ok(text.map(|text| short(member, text)).transpose()?.map(Secret::new))
}
