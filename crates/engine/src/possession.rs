//! What tokens are bound to, and the keys of applications.
//!
//! Each application has a key of its own for each method, made when a request first needs it and kept with the user's tokens.
//! One for all would tell every provider and resource that it is the same person's machine, and one for both methods would
//! leave a token's kind in doubt. It lives as long as the store: refresh tokens may be bound to it.

use std::sync::Arc;

use valetkey_cache::{KeptKey, KeyId, TokenCache};
use valetkey_model::AuthorityKind;
use valetkey_oauth::{ExtraFields, HttpRequest, Misbehaviour, ProofKey, TokenResponseError};
use zeroize::Zeroizing;

use crate::application::{ClientApplication, Definition};
use crate::engine::Engine;
use crate::error::Error;
use crate::request::{Extras, FlowRequest};
use crate::user::User;

/// The key is still to be made: nothing can be bound to it yet.
pub(crate) struct NoKeyYet;

/// A way of proving that one has the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    /// Signed HTTP requests, Entra's `token_type=pop`.
    SignedRequest,
    /// RFC 9449.
    Dpop,
}

/// What the tokens of a request are to be bound to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Binding {
    /// Nothing.
    Bearer,
    /// The application's key for this method.
    Own(Method),
    /// A key of the program's own, which it names in the request's form.
    Foreign(String),
}

/// The same, with the key at hand.
#[derive(Clone, Debug)]
pub(crate) enum Possession {
    Bearer,
    SignedRequest(Arc<ProofKey>),
    Dpop(Arc<ProofKey>),
    Foreign(String),
}

impl Method {
    /// The `token_type` of its tokens, and the name that its keys are kept under.
    pub(crate) const fn token_type(self) -> &'static str {
        match self {
            Self::SignedRequest => "pop",
            Self::Dpop => "DPoP",
        }
    }
}

impl Binding {
    /// What a token request of `definition` is for.
    pub(crate) fn of(definition: &Definition, extras: &Extras) -> Self {
        match (definition.dpop, &extras.auth_scheme) {
            (true, _) => Self::Own(Method::Dpop),
            (false, Some(_)) => Self::Own(Method::SignedRequest),
            (false, None) => foreign_key(&extras.fields).map_or(Self::Bearer, Self::Foreign),
        }
    }

    /// What a sign-in is for.
    pub(crate) fn of_flow(request: &FlowRequest) -> Self {
        match (request.app.definition().dpop, &request.auth_scheme) {
            (true, _) => Self::Own(Method::Dpop),
            (false, Some(_)) => Self::Own(Method::SignedRequest),
            (false, None) => foreign_key(&request.fields).map_or(Self::Bearer, Self::Foreign),
        }
    }

    /// The key, as cached tokens name it; none for bearer tokens.
    pub(crate) fn key_id(
        &self,
        cache: &TokenCache,
        definition: &Definition,
    ) -> Result<Option<KeyId>, NoKeyYet> {
        match self {
            Self::Bearer => Ok(None),
            Self::Own(method) => match kept_key(cache, definition, *method) {
                Some(key) => Ok(Some(KeyId::Kept(Arc::clone(&key.key_id)))),
                None => Err(NoKeyYet),
            },
            Self::Foreign(name) => Ok(Some(KeyId::Foreign(name.as_str().into()))),
        }
    }

    /// Whether a token of this type is what was asked for. Of what a key of the program's own brings only the program knows.
    pub(crate) fn admits(&self, token_type: &str) -> bool {
        let is = |method: Method| token_type.eq_ignore_ascii_case(method.token_type());
        match self {
            Self::Bearer => !is(Method::SignedRequest) && !is(Method::Dpop),
            Self::Own(method) => is(*method),
            Self::Foreign(_) => true,
        }
    }

    /// The key that a refresh token must be bound to, if it is bound at all.
    pub(crate) fn refresh_key_id(
        &self,
        cache: &TokenCache,
        definition: &Definition,
    ) -> Option<Arc<str>> {
        match self {
            Self::Own(method @ Method::Dpop) => {
                kept_key(cache, definition, *method).map(|key| Arc::clone(&key.key_id))
            }
            _ => None,
        }
    }
}

impl Possession {
    /// The key, as cached tokens name it; none for bearer tokens.
    pub(crate) fn key_id(&self) -> Option<KeyId> {
        match self {
            Self::Bearer => None,
            Self::SignedRequest(key) | Self::Dpop(key) => {
                Some(KeyId::Kept(key.thumbprint().into()))
            }
            Self::Foreign(name) => Some(KeyId::Foreign(name.as_str().into())),
        }
    }

    /// The same for a request with these fields, which came later. A token is bound to one key.
    pub(crate) fn with_fields(self, fields: &ExtraFields) -> Result<Self, Error> {
        match (self, foreign_key(fields)) {
            (possession, None) => Ok(possession),
            (Self::Bearer | Self::Foreign(_), Some(key_id)) => Ok(Self::Foreign(key_id)),
            (Self::SignedRequest(_) | Self::Dpop(_), Some(_)) => Err(Error::BadValue {
                member: "data",
                reason: "names a key, and the daemon names its own".to_owned(),
            }),
        }
    }

    /// RFC 9449 section 10.
    pub(crate) fn dpop_jkt(&self) -> Option<&str> {
        match self {
            Self::Dpop(key) => Some(key.thumbprint()),
            _ => None,
        }
    }

    /// RFC 9449 section 5: a public client's refresh tokens are bound as well. A confidential one's need its credential.
    pub(crate) fn binds_refresh_tokens_of(&self, definition: &Definition) -> bool {
        matches!(self, Self::Dpop(_)) && definition.credential.is_none()
    }

    /// What the request's form says of the key.
    pub(crate) fn bind(&self, request: HttpRequest) -> HttpRequest {
        match self {
            Self::SignedRequest(key) => request.bound_to(key),
            Self::Bearer | Self::Dpop(_) | Self::Foreign(_) => request,
        }
    }

    /// Checks that the provider did bind the token, and did so only when it was asked to.
    pub(crate) fn check(&self, token_type: &str) -> Result<(), Error> {
        let (asked, binding) = match self {
            Self::Bearer => ("Bearer", Binding::Bearer),
            Self::SignedRequest(_) => ("pop", Binding::Own(Method::SignedRequest)),
            Self::Dpop(_) => ("DPoP", Binding::Own(Method::Dpop)),
            Self::Foreign(_) => return Ok(()),
        };
        match binding.admits(token_type) {
            true => Ok(()),
            false => Err(TokenResponseError::from(Misbehaviour::OtherTokenType { asked }).into()),
        }
    }
}

impl Engine {
    /// What a request is for, with the application's key, which is made if need be. To be called without a lease.
    ///
    /// # Errors
    /// When the provider has no such method, or the key cannot be kept.
    pub(crate) async fn possess(
        self: &Arc<Self>,
        user: &Arc<User>,
        app: &Arc<ClientApplication>,
        binding: Binding,
    ) -> Result<Possession, Error> {
        Ok(match binding {
            Binding::Bearer => Possession::Bearer,
            Binding::Foreign(key_id) => Possession::Foreign(key_id),
            Binding::Own(Method::SignedRequest) => {
                if !binds_signed_requests(app.definition()) {
                    return Err(Error::NotOffered("signed requests; only Microsoft Entra ID does"));
                }
                Possession::SignedRequest(self.proof_key(user, app, Method::SignedRequest).await?)
            }
            Binding::Own(Method::Dpop) => {
                if !self.discover(user, app).await?.supports_dpop() {
                    return Err(Error::NotOffered("DPoP with ES256"));
                }
                Possession::Dpop(self.proof_key(user, app, Method::Dpop).await?)
            }
        })
    }

    async fn proof_key(
        &self,
        user: &User,
        app: &ClientApplication,
        method: Method,
    ) -> Result<Arc<ProofKey>, Error> {
        if let Some(key) = self.find_proof_key(user, app, method)? {
            return Ok(key);
        }
        let made = self.make_proof_key();
        let definition = app.definition();
        let key = KeptKey {
            environment: definition.authority.environment().into(),
            client_id: definition.client_id.clone(),
            method: method.token_type().into(),
            key_id: made.thumbprint().into(),
            secret: made.to_pkcs8_pem(),
        };
        let lease = self.lease(user).await?;
        user.commit(&lease, |cache| cache.plan_proof_key(key)).await?;
        // Another request may have been first: then that one's key it is.
        self.find_proof_key(user, app, method)?.ok_or(Error::Bug("a key that was kept is gone"))
    }

    /// The application's key, if it has one.
    pub(crate) fn find_proof_key(
        &self,
        user: &User,
        app: &ClientApplication,
        method: Method,
    ) -> Result<Option<Arc<ProofKey>>, Error> {
        if let Some(known) = app.known_proof_key(method) {
            return Ok(Some(known));
        }
        let Some(kept) = kept_key(&user.cache(), app.definition(), method).cloned() else {
            return Ok(None);
        };
        let key = ProofKey::from_pkcs8_pem(&kept.secret)
            .map_err(|_| Error::Bug("a key that was kept cannot be read"))?;
        let key = Arc::new(key);
        app.remember_proof_key(method, &key);
        Ok(Some(key))
    }

    fn make_proof_key(&self) -> ProofKey {
        loop {
            if let Some(key) = ProofKey::from_random(&Zeroizing::new(self.random())) {
                return key;
            }
        }
    }
}

/// Where else it is asked for, a provider that does not know it would issue a bearer token and rotate the refresh token.
fn binds_signed_requests(definition: &Definition) -> bool {
    matches!(definition.authority.kind(), AuthorityKind::Entra | AuthorityKind::Ciam)
}

fn kept_key<'a>(
    cache: &'a TokenCache,
    definition: &Definition,
    method: Method,
) -> Option<&'a Arc<KeptKey>> {
    let environment = definition.authority.environment();
    cache.proof_key(environment, &definition.client_id, method.token_type())
}

/// The name of a key that the program named in the request's form: by name, else by what it confirmed.
fn foreign_key(fields: &ExtraFields) -> Option<String> {
    let is_given = |it: &str, value: &str, name: &str| it == name && !value.is_empty();
    let value = |name: &str| {
        fields.iter().find(|(it, value)| is_given(it, value, name)).map(|(_, value)| value)
    };
    let key_id = value("key_id").or_else(|| value("req_cnf"));
    // With neither, the token is of a type that no other request brings.
    let token_type = || value("token_type").filter(|it| !it.eq_ignore_ascii_case("bearer"));
    key_id.or_else(token_type).map(str::to_owned)
}
