//! Azure Cloud Shell: whoever sits at it has signed in already, and an endpoint of the machine gives their tokens
//! (`spec/msal-python.md` section 2.14). There is no refresh token as a rule: who wants another token asks the shell again.
//! What the shell says of its user nobody has signed, and any program could pose as a shell: an application opens with its
//! shell's endpoint, and what that brings is in a partition of the endpoint's own.

use std::sync::Arc;

use url::Url;
use valetkey_cache::{TokenCache, TokenEvent};
use valetkey_model::{AccountId, ScopeSet};
use valetkey_oauth::{
    CLOUD_SHELL_USER, HttpRequest, HttpResponse, IdTokenError, ProviderMetadata,
    build_cloud_shell_request, parse_cloud_shell_token,
};

use crate::accounts::is_signed_in;
use crate::aliases::hosts_of;
use crate::answer::TokenAnswer;
use crate::application::ClientApplication;
use crate::engine::Engine;
use crate::error::{Error, SignInReason};
use crate::event::Happening;
use crate::issue::{Issue, Origin};
use crate::possession::{Binding, Possession};
use crate::request::{Extras, GrantRequest, SilentRequest};
use crate::user::User;

/// `authority_type` of an account that came from there.
const AUTHORITY_TYPE: &str = "CLOUDSHELL";

const NO_ENDPOINT: &str =
    "tokens of Cloud Shell, for an application without a `cloud_shell_endpoint`";

/// What the shell is asked for.
struct Asking<'a> {
    user: &'a User,
    app: &'a ClientApplication,
    scopes: &'a ScopeSet,
    extras: &'a Extras,
    endpoint: &'a Url,
}

impl Engine {
    /// Makes the shell's user an account. The shell is asked whatever is cached: the program wants to know who that is.
    pub(super) async fn sign_in_at_cloud_shell(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &GrantRequest,
    ) -> Result<TokenAnswer, Error> {
        user.save_unsaved().await?;
        let GrantRequest { app, scopes, extras, .. } = request;
        let endpoint = endpoint_of(app).ok_or(Error::NotOffered(NO_ENDPOINT))?;
        let provider = self.discover(user, app).await?;
        let issue = self.ask_cloud_shell(&Asking { user, app, scopes, extras, endpoint }).await?;
        let lease = self.lease(user).await?;
        let authority_type = Some(AUTHORITY_TYPE);
        let origin = Origin { authority_type, extras: Some(extras), ..Origin::default() };
        self.admit_sign_in(user, &lease, app, &provider, origin, issue).await
    }

    /// A token for an account that came from the shell.
    pub(crate) async fn ask_cloud_shell_again(
        self: &Arc<Self>,
        user: &Arc<User>,
        request: &SilentRequest,
        account: &AccountId,
        provider: &ProviderMetadata,
    ) -> Result<TokenAnswer, Error> {
        let SilentRequest { app, scopes, extras, .. } = request;
        let endpoint = endpoint_of(app).ok_or(Error::NotOffered(NO_ENDPOINT))?;
        let issue = self.ask_cloud_shell(&Asking { user, app, scopes, extras, endpoint }).await?;
        // Of a token that cannot be read, such as an SSH certificate, nobody knows whose it is.
        let is_other = |it: &AccountId| it != account && it.as_str() != CLOUD_SHELL_USER;
        if issue.account().as_ref().is_some_and(is_other) {
            return Err(IdTokenError::ForeignSubject.into());
        }
        let extension = extras.extension();
        let event = TokenEvent {
            extension: extension.as_deref(),
            filed_under: Some(account),
            create_account: false,
            ..issue.event(app.definition(), provider, "")
        };
        let now = self.now();
        let mut is_overtaken = false;
        let plan = |cache: &TokenCache| {
            is_overtaken = !is_signed_in(cache, app, account);
            if is_overtaken { Vec::new() } else { cache.plan_token_response(&event, now) }
        };
        let lease = self.lease(user).await?;
        user.commit(&lease, plan).await?;
        if is_overtaken {
            return Err(Error::SignInNeeded(SignInReason::NoAccount));
        }
        user.tell(Happening::Refreshed, now, app, Some(account), scopes);
        Ok(issue.into_answer(Some(account.clone()), now))
    }

    async fn ask_cloud_shell(&self, asking: &Asking<'_>) -> Result<Issue, Error> {
        let Asking { user, app, scopes, extras, endpoint } = *asking;
        let possession = match Binding::of(app.definition(), extras) {
            Binding::Bearer => Possession::Bearer,
            Binding::Foreign(key_id) => Possession::Foreign(key_id),
            Binding::Own(_) => {
                return Err(Error::NotOffered("tokens that are bound to a key of the broker's"));
            }
        };
        let message = build_cloud_shell_request(endpoint.clone(), scopes, &extras.fields);
        let answer = self.send_to_cloud_shell(user, message).await?;
        let client_id = &app.definition().client_id;
        let now = self.now();
        let token = parse_cloud_shell_token(client_id, scopes, &extras.fields, &answer, now)?;
        Issue::of_cloud_shell(token, &possession)
    }

    /// A shell that asked to be left alone is left alone.
    async fn send_to_cloud_shell(
        &self,
        user: &User,
        message: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        if let Some(repeated) = user.http_cache().find(None, &message, self.now()) {
            return Ok(repeated.into_answer());
        }
        let answer = self.ports.machine.send(message.clone(), None).await?;
        let changes = user.http_cache().keep(None, &message, &answer, self.now());
        user.save_answers(changes).await;
        Ok(answer)
    }
}

fn endpoint_of(app: &ClientApplication) -> Option<&Url> {
    app.definition().cloud_shell.as_ref()
}

/// Whether the shell is to be asked for the tokens of an account.
pub(crate) fn came_from_cloud_shell(
    cache: &TokenCache,
    app: &ClientApplication,
    account: &AccountId,
) -> bool {
    if endpoint_of(app).is_none() {
        return false;
    }
    let found = hosts_of(app).find_map(|host| cache.account(host, account));
    found.is_some_and(|account| *account.authority_type == *AUTHORITY_TYPE)
}
