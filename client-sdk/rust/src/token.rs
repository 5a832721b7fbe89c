//! `POST /v1/apps/{app}/token`: tokens that need no person.

use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{Grant, SecretText, TokenRequest, TokenResponse};

use crate::app::{App, BlockingApp};
use crate::call::Call;
use crate::error::Error;
use crate::http1::fill;

impl App {
    /// A token from the cache, else by a refresh that the daemon makes once for all who wait for it.
    ///
    /// # Errors
    /// [`Error::is_sign_in_needed`] tells when only a person can help; then start a flow.
    pub async fn acquire_token_silent(
        &self,
        request: &TokenRequest,
    ) -> Result<TokenResponse, Error> {
        self.acquire_token(request).await
    }

    /// A token by the request's grant, for an application that has something in its hands: its own credential, a user's
    /// call, a password, another library's refresh token.
    ///
    /// # Errors
    /// The provider's refusal, or why it could not be asked.
    pub async fn acquire_token(&self, request: &TokenRequest) -> Result<TokenResponse, Error> {
        let outcome = self.call(|app| acquire(app, request)).await;
        match asked_with(request, self.definition.answer(&outcome)) {
            None => outcome,
            Some(request) => self.call(|app| acquire(app, &request)).await,
        }
    }

    /// Forgets the application's own tokens, those of no user.
    ///
    /// # Errors
    /// When it has none by its kind, or the daemon does not confirm it.
    pub async fn remove_own_tokens(&self) -> Result<(), Error> {
        self.call(remove).await
    }
}

impl BlockingApp {
    /// As [`App::acquire_token_silent`].
    ///
    /// # Errors
    /// [`Error::is_sign_in_needed`] tells when only a person can help; then start a flow.
    pub fn acquire_token_silent(&self, request: &TokenRequest) -> Result<TokenResponse, Error> {
        self.acquire_token(request)
    }

    /// As [`App::acquire_token`].
    ///
    /// # Errors
    /// The provider's refusal, or why it could not be asked.
    pub fn acquire_token(&self, request: &TokenRequest) -> Result<TokenResponse, Error> {
        let outcome = self.call(|app| acquire(app, request));
        match asked_with(request, self.definition.answer(&outcome)) {
            None => outcome,
            Some(request) => self.call(|app| acquire(app, &request)),
        }
    }

    /// As [`App::remove_own_tokens`].
    ///
    /// # Errors
    /// When it has none by its kind, or the daemon does not confirm it.
    pub fn remove_own_tokens(&self) -> Result<(), Error> {
        self.call(remove)
    }
}

/// The same request with an assertion.
fn asked_with(request: &TokenRequest, assertion: Option<SecretText>) -> Option<TokenRequest> {
    let client_assertion = Some(assertion?);
    Some(TokenRequest { client_assertion, ..request.clone() })
}

fn remove(app: &str) -> Call<()> {
    Call::delete(&fill(route::TOKENS, &[app]))
}

fn acquire(app: &str, request: &TokenRequest) -> Call<TokenResponse> {
    let call = Call::post(&fill(route::TOKEN, &[app]), request);
    match request.grant {
        Grant::Silent | Grant::ClientCredentials | Grant::OnBehalfOf | Grant::CloudShell => {
            call.repeatable()
        }
        // What is redeemed may be good for one use.
        Grant::Password
        | Grant::RefreshToken
        | Grant::UserFederatedCredential
        | Grant::AuthorizationCode => call,
    }
}
