//! How a confidential client proves who it is (RFC 6749 section 2.3), request by request.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use valetkey_model::{AuthorityKind, Secret};
use valetkey_oauth::{
    ClientAssertion, ClientAuthentication, ClientCertificate, ProviderMetadata, SignedAssertion,
};

use crate::application::ClientApplication;
use crate::engine::Engine;
use crate::error::Error;

/// What a confidential client has and others do not.
#[derive(Clone)]
pub enum ClientCredential {
    /// A secret that it shares with the provider.
    Secret(Secret),
    /// An RSA key that signs assertions (RFC 7523 section 2.2).
    Certificate(Arc<ClientCertificate>),
    /// An assertion that was made elsewhere.
    Assertion(Secret),
    /// The program makes assertions when it is told that one is needed.
    AssertionCallback,
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "ClientCredential::Secret",
            Self::Certificate(_) => "ClientCredential::Certificate",
            Self::Assertion(_) => "ClientCredential::Assertion",
            Self::AssertionCallback => "ClientCredential::AssertionCallback",
        })
    }
}

/// The assertion that an application's certificate signed last. At Microsoft it serves for most of its life: signing is the
/// dearest part of a request, and Entra sees that many fewer of them.
#[derive(Default)]
pub(crate) struct AssertionInUse(Mutex<Option<SignedAssertion>>);

/// What one request brings along to prove who asks, and for what.
#[derive(Clone, Copy, Default)]
pub(crate) struct Proof<'a> {
    /// The answer to [`Error::ClientAssertionNeeded`].
    pub(crate) assertion: Option<&'a Secret>,
    /// Entra's `fmi_path`, which whoever makes the assertion wants to know.
    pub(crate) fmi_path: Option<&'a str>,
}

impl Engine {
    /// What goes into a request of `app` to prove who asks.
    ///
    /// # Errors
    /// [`Error::ClientAssertionNeeded`] when the program must make an assertion first.
    pub(crate) fn authenticate(
        &self,
        app: &ClientApplication,
        provider: &ProviderMetadata,
        proof: Proof<'_>,
    ) -> Result<ClientAuthentication, Error> {
        let definition = app.definition();
        Ok(match &definition.credential {
            None => ClientAuthentication::None,
            // Microsoft's dialects have it in the body, whatever the metadata say; so has MSAL anywhere.
            Some(ClientCredential::Secret(secret))
                if definition.authority.kind() == AuthorityKind::Oidc
                    && provider.needs_secret_as_basic() =>
            {
                ClientAuthentication::Basic(secret.clone())
            }
            Some(ClientCredential::Secret(secret)) => ClientAuthentication::Secret(secret.clone()),
            Some(ClientCredential::Assertion(assertion)) => {
                ClientAuthentication::Assertion(assertion.clone())
            }
            Some(ClientCredential::Certificate(certificate)) => {
                ClientAuthentication::Assertion(self.sign_assertion(app, provider, certificate)?)
            }
            Some(ClientCredential::AssertionCallback) => match proof.assertion {
                Some(assertion) => ClientAuthentication::Assertion(assertion.clone()),
                None => {
                    return Err(Error::ClientAssertionNeeded {
                        client_id: definition.client_id.as_str().to_owned(),
                        token_endpoint: provider.token_endpoint.to_string(),
                        fmi_path: proof.fmi_path.map(str::to_owned),
                    });
                }
            },
        })
    }

    /// The assertion in use where the provider takes it again, or a new one. Its audience is the central token endpoint,
    /// wherever the request goes to.
    fn sign_assertion(
        &self,
        app: &ClientApplication,
        provider: &ProviderMetadata,
        certificate: &ClientCertificate,
    ) -> Result<Secret, Error> {
        let now = self.now();
        let mut in_use = app.assertion_in_use().0.lock().unwrap_or_else(PoisonError::into_inner);
        let definition = app.definition();
        // An assertion is for one use (OpenID Connect Core section 9); Microsoft's services take it again.
        let is_for_one_use = definition.authority.kind() == AuthorityKind::Oidc;
        let is_good = |assertion: &&SignedAssertion| !is_for_one_use && assertion.is_good_at(now);
        if let Some(assertion) = in_use.as_ref().filter(is_good) {
            return Ok(assertion.token.clone());
        }
        let assertion = ClientAssertion {
            audience: provider.token_endpoint.as_str(),
            client_id: &definition.client_id,
            client_claims: definition.client_claims.as_ref(),
            for_adfs: definition.authority.kind() == AuthorityKind::Adfs,
        };
        let signed = certificate.sign_client_assertion(&assertion, now, self.random())?;
        let token = signed.token.clone();
        *in_use = Some(signed);
        Ok(token)
    }
}
