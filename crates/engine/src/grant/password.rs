//! A user's name and password (RFC 6749 section 4.3). Entra says first who knows the password; a federated domain's is shown
//! to that domain alone, whose assertion is then redeemed (`spec/msal-python.md` section 2.7).

use url::Url;
use valetkey_model::{AuthorityKind, Secret};
use valetkey_oauth::{
    ApiId, FederatedDomain, FederatedEndpoint, HttpRequest, PasswordGrant, SamlAssertion,
    SamlAssertionGrant, UserRealm, WsTrustEndpoint, WsTrustRequest, build_password_request,
    build_saml_assertion_request, build_user_realm_request, build_ws_trust_request, parse_mex,
    parse_user_realm, parse_ws_trust_response,
};

use super::redeem::Redemption;
use crate::answer::TokenAnswer;
use crate::engine::Engine;
use crate::error::Error;
use crate::issue::Origin;

const GRANT_PASSWORD: &str = "password";

/// Whose domain it is may say where it is: a user of a service of several users must not send the service anywhere by that.
fn check_site(redemption: &Redemption<'_>, url: &Url) -> Result<(), Error> {
    let Some(sites) = &redemption.request.sites else { return Ok(()) };
    let host = url.host_str().unwrap_or_default();
    let site = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    match sites.contains(&site) {
        true => Ok(()),
        false => Err(Error::DomainNotAdmitted { site }),
    }
}

impl Engine {
    pub(super) async fn redeem_password(
        &self,
        redemption: &Redemption<'_>,
        username: &str,
        password: &Secret,
    ) -> Result<TokenAnswer, Error> {
        match self.find_user_realm(redemption, username).await? {
            UserRealm::Managed => self.redeem_managed(redemption, username, password).await,
            UserRealm::Federated(domain) => {
                let assertion = self.ask_domain(redemption, &domain, username, password).await?;
                self.redeem_assertion_of_domain(redemption, username, assertion).await
            }
        }
    }

    async fn redeem_managed(
        &self,
        redemption: &Redemption<'_>,
        username: &str,
        password: &Secret,
    ) -> Result<TokenAnswer, Error> {
        let call = self.call_of(redemption, ApiId::UsernamePassword)?;
        let grant = PasswordGrant {
            username: username.to_owned(),
            password: password.clone(),
            scopes: redemption.scopes.clone(),
            claims: redemption.claims.clone(),
        };
        let client_id = &redemption.request.app.definition().client_id;
        let asking = build_password_request(redemption.provider, client_id, &grant, &call);
        let origin =
            Origin { grant_type: GRANT_PASSWORD, username: Some(username), ..Origin::default() };
        self.redeem_and_admit(redemption, &call, asking, origin, Ok).await
    }

    /// The account gets the user's name, but no `account_source`: as with MSAL.
    async fn redeem_assertion_of_domain(
        &self,
        redemption: &Redemption<'_>,
        username: &str,
        assertion: SamlAssertion,
    ) -> Result<TokenAnswer, Error> {
        let call = self.call_of(redemption, ApiId::UsernamePassword)?;
        let grant = SamlAssertionGrant {
            assertion,
            scopes: redemption.scopes.clone(),
            claims: redemption.claims.clone(),
        };
        let client_id = &redemption.request.app.definition().client_id;
        let asking = build_saml_assertion_request(redemption.provider, client_id, &grant, &call);
        let origin = Origin { username: Some(username), ..Origin::default() };
        self.redeem_and_admit(redemption, &call, asking, origin, Ok).await
    }

    /// Only Entra itself has user realms; elsewhere the authority is sure to know its users.
    async fn find_user_realm(
        &self,
        redemption: &Redemption<'_>,
        username: &str,
    ) -> Result<UserRealm, Error> {
        let authority = &redemption.request.app.definition().authority;
        if authority.kind() != AuthorityKind::Entra {
            return Ok(UserRealm::Managed);
        }
        let correlation_id = &redemption.request.correlation_id;
        let asking = build_user_realm_request(authority, username, correlation_id);
        let answer = self.send(redemption.user, &redemption.request.app, asking.clone()).await?;
        let realm = parse_user_realm(authority, &answer);
        if realm.is_err() {
            self.forget_answer(redemption.user, &redemption.request.app, &asking).await;
        }
        Ok(realm?)
    }

    /// Asks the user's domain for an assertion.
    async fn ask_domain(
        &self,
        redemption: &Redemption<'_>,
        domain: &FederatedDomain,
        username: &str,
        password: &Secret,
    ) -> Result<SamlAssertion, Error> {
        let endpoint = self.find_domain_endpoint(redemption, &domain.endpoint).await?;
        check_site(redemption, &endpoint.url)?;
        let request = WsTrustRequest {
            username: username.to_owned(),
            password: password.clone(),
            audience: domain.audience.clone(),
            message_id: self.new_correlation_id(),
        };
        let asking = build_ws_trust_request(&endpoint, &request, self.now())
            .map_err(|error| Error::BadValue { member: "password", reason: error.to_string() })?;
        let answer = self.send(redemption.user, &redemption.request.app, asking).await?;
        Ok(parse_ws_trust_response(&answer)?)
    }

    async fn find_domain_endpoint(
        &self,
        redemption: &Redemption<'_>,
        endpoint: &FederatedEndpoint,
    ) -> Result<WsTrustEndpoint, Error> {
        match endpoint {
            FederatedEndpoint::Known(endpoint) => Ok(endpoint.clone()),
            FederatedEndpoint::DescribedAt(url) => {
                check_site(redemption, url)?;
                let asking = HttpRequest::get(url.clone());
                let answer =
                    self.send(redemption.user, &redemption.request.app, asking.clone()).await?;
                let found = parse_mex(url, &answer);
                if found.is_err() {
                    self.forget_answer(redemption.user, &redemption.request.app, &asking).await;
                }
                Ok(found?)
            }
        }
    }
}
