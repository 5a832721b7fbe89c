//! Accounts: who has signed in, and signing out.

use std::sync::Arc;
use std::time::Duration;

use valetkey_cache::{Account, Change, RefreshToken, TokenCache};
use valetkey_model::{AccountId, CorrelationId, ScopeSet, Secret};
use valetkey_oauth::{
    ApiId, CacheReason, ProviderMetadata, TokenTypeHint, build_revocation_request,
    parse_revocation_response,
};
use valetkey_policy::Authorized;

use crate::aliases::hosts_of;
use crate::application::ClientApplication;
use crate::credential::Proof;
use crate::engine::Engine;
use crate::error::{Error, SignInReason};
use crate::event::{EventAccount, Happening};
use crate::request::{AccountSelector, AccountsRequest};
use crate::user::User;

/// How long a sign-out waits for the provider to take the refresh token back. Here it is gone already.
const REVOCATION_PATIENCE: Duration = Duration::from_secs(5);

/// Somebody who has signed in.
pub type FoundAccount = Arc<Account>;

impl Engine {
    /// The accounts at an application's provider, one for each home account id, under whichever of the host's names they
    /// signed in. No network, but to find out further names of a host that is not well known when there are none.
    pub async fn accounts(
        &self,
        user: &User,
        authorized: &Authorized<AccountsRequest>,
    ) -> Vec<FoundAccount> {
        let app = &authorized.request().app;
        let found = accounts_at(&user.cache(), app);
        if found.is_empty() && self.learn_aliases(user, app).await {
            return accounts_at(&user.cache(), app);
        }
        found
    }

    /// The account of this id at an application's provider.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn account(
        &self,
        user: &User,
        app: &ClientApplication,
        id: &AccountId,
    ) -> Result<FoundAccount, Error> {
        let find = || find_signed_in(&user.cache(), app, id);
        let mut found = find();
        if found.is_none() && self.learn_aliases(user, app).await {
            found = find();
        }
        found.ok_or_else(|| Error::UnknownAccount(id.as_str().to_owned()))
    }

    /// The account that a silent request means; see [`select_account`].
    pub(crate) async fn find_account(
        &self,
        user: &User,
        app: &ClientApplication,
        selector: &AccountSelector,
        may_be: impl Fn(&FoundAccount) -> bool,
    ) -> Result<AccountId, Error> {
        let selected = select_account(&user.cache(), app, selector, &may_be);
        let is_missed = matches!(selected, Err(Error::SignInNeeded(_) | Error::UnknownAccount(_)));
        if is_missed && self.learn_aliases(user, app).await {
            return select_account(&user.cache(), app, selector, &may_be);
        }
        selected
    }

    /// Signs an account out of an application: its tokens are removed here first, so that it holds without a network,
    /// then the provider is asked to take the refresh tokens back (RFC 7009), if it has a place for that.
    ///
    /// # Errors
    /// When the account is not there, or the removal cannot be saved.
    pub async fn sign_out(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: &Authorized<AccountsRequest>,
    ) -> Result<(), Error> {
        let (this, user) = (Arc::clone(self), Arc::clone(user));
        let request = authorized.request().clone();
        // A task of its own: a caller who hangs up must not leave the disk and the memory differing about who is signed in.
        let task = tokio::spawn(async move { this.remove_account(&user, &request).await });
        task.await.unwrap_or(Err(Error::Bug("a sign-out died")))
    }

    async fn remove_account(&self, user: &User, request: &AccountsRequest) -> Result<(), Error> {
        let Some(account) = &request.account else { return Err(Error::Bug("sign-out of nobody")) };
        let definition = request.app.definition();
        let account = &account.home_account_id;
        let found = self.account(user, &request.app, account).await?;
        let hosts: Vec<_> = hosts_of(&request.app).collect();
        let plan =
            |cache: &TokenCache| cache.plan_sign_out(&hosts, account, Some(&definition.client_id));
        let lease = self.lease(user).await?;
        let changes = user.commit(&lease, plan).await?;
        drop(lease);
        let doomed: Vec<_> =
            changes.iter().filter_map(Change::removed_refresh_token).cloned().collect();
        let signed_out = EventAccount {
            id: account.clone(),
            environment: found.environment.to_string(),
            username: Arc::clone(&found.username),
        };
        let (app, scopes) = (&request.app, ScopeSet::default());
        user.events.tell(Happening::SignedOut, self.now(), app, Some(signed_out), &scopes);
        tokio::select! {
            () = self.revoke(user, request, &doomed) => {}
            () = self.ports.clock.sleep(REVOCATION_PATIENCE) => {
                tracing::info!(correlation_id = %request.correlation_id, "provider did not take the refresh token back in time");
            }
        }
        Ok(())
    }

    /// Asks the provider to take refresh tokens back. Failing to is logged: they expire by themselves.
    async fn revoke(&self, user: &User, request: &AccountsRequest, tokens: &[Arc<RefreshToken>]) {
        let Some(provider) = self.known_metadata(user, &request.app) else { return };
        for token in tokens {
            let AccountsRequest { app, correlation_id, .. } = request;
            self.revoke_refresh_token(&provider, app, correlation_id, &token.secret).await;
        }
    }

    /// Asks the provider to take one refresh token back, if it has a place for that.
    pub(crate) async fn revoke_refresh_token(
        &self,
        provider: &ProviderMetadata,
        app: &ClientApplication,
        correlation_id: &CorrelationId,
        token: &Secret,
    ) {
        let client_id = &app.definition().client_id;
        // Who cannot prove who asks leaves the token to expire.
        let Ok(authentication) = self.authenticate(app, provider, Proof::default()) else { return };
        let (api, reason) = (ApiId::RemoveAccount, CacheReason::NotSilent);
        let call = self.call(app, api, reason, correlation_id, authentication);
        let hint = TokenTypeHint::RefreshToken;
        let Some(revocation) = build_revocation_request(provider, client_id, token, hint, &call)
        else {
            return;
        };
        let outcome = match self.ports.http.send(revocation, app.route()).await {
            Ok(answer) => parse_revocation_response(&answer, self.now()).map_err(Error::from),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            tracing::info!(%error, %correlation_id, "refresh token was not taken back");
        }
    }
}

/// True unless nobody of this id is signed in at the provider.
pub(crate) fn is_signed_in(
    cache: &TokenCache,
    app: &ClientApplication,
    account: &AccountId,
) -> bool {
    find_signed_in(cache, app, account).is_some()
}

/// The account of this id at the provider.
pub(crate) fn find_signed_in(
    cache: &TokenCache,
    app: &ClientApplication,
    account: &AccountId,
) -> Option<FoundAccount> {
    let found = hosts_of(app).find_map(|host| cache.account(host, account).cloned())?;
    Some(with_all_names(cache, app, found))
}

/// Under what name people and rules know it: all that the entries give, where they differ. What another library's cache calls
/// an account must not make it look like somebody else.
fn with_all_names(
    cache: &TokenCache,
    app: &ClientApplication,
    account: FoundAccount,
) -> FoundAccount {
    match name_among(cache, hosts_of(app), &account.home_account_id) {
        Some(name) if name != account.username => {
            Arc::new(Account { username: name, ..Account::clone(&account) })
        }
        _ => account,
    }
}

/// The name of an account at a provider that goes by these hosts; `None` when it has none.
pub(crate) fn name_among<'a>(
    cache: &TokenCache,
    hosts: impl Iterator<Item = &'a str>,
    account: &AccountId,
) -> Option<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for host in hosts {
        for name in cache.usernames(host, account) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(Arc::clone(name));
            }
        }
    }
    match &names[..] {
        [] => None,
        [name] => Some(Arc::clone(name)),
        names => Some(names.join(" or ").into()),
    }
}

/// The account that a silent request means: of several, one that `may_be`.
///
/// # Errors
/// When there is none, or more than one and none was named.
pub(crate) fn select_account(
    cache: &TokenCache,
    app: &ClientApplication,
    selector: &AccountSelector,
    may_be: impl Fn(&FoundAccount) -> bool,
) -> Result<AccountId, Error> {
    match selector {
        AccountSelector::Named(name) => find_named(cache, app, name, may_be),
        AccountSelector::Found(account) => {
            let id = &account.home_account_id;
            let is_there = is_signed_in(cache, app, id);
            is_there.then(|| id.clone()).ok_or(Error::UnknownAccount(id.as_str().to_owned()))
        }
        AccountSelector::Only => {
            let mut accounts = accounts_at(cache, app);
            accounts.retain(may_be);
            choose_only(&accounts).ok_or(Error::SignInNeeded(SignInReason::NoAccount))?
        }
    }
}

fn find_named(
    cache: &TokenCache,
    app: &ClientApplication,
    name: &str,
    may_be: impl Fn(&FoundAccount) -> bool,
) -> Result<AccountId, Error> {
    let unknown = || Error::UnknownAccount(name.to_owned());
    if let Ok(id) = AccountId::new(name)
        && is_signed_in(cache, app, &id)
    {
        return Ok(id);
    }
    let mut accounts = accounts_at(cache, app);
    accounts.retain(|account| account.username.eq_ignore_ascii_case(name));
    // Whoever names what cannot be is to hear that.
    if accounts.iter().any(&may_be) {
        accounts.retain(may_be);
    } else {
        accounts.truncate(1);
    }
    // A guest in several tenants, or a name that a provider gave away twice: a token of the wrong one is worse than none.
    choose_only(&accounts).ok_or_else(unknown)?
}

/// The one that is there; `None` where none is.
fn choose_only(accounts: &[FoundAccount]) -> Option<Result<AccountId, Error>> {
    match accounts {
        [] => None,
        [account] => Some(Ok(account.home_account_id.clone())),
        accounts => Some(Err(ambiguous(accounts))),
    }
}

/// Home account ids go with the user names, since several accounts may share one.
fn ambiguous(accounts: &[FoundAccount]) -> Error {
    let describe =
        |account: &FoundAccount| format!("{} ({})", account.username, account.home_account_id);
    Error::AccountAmbiguous { accounts: accounts.iter().map(describe).collect() }
}

/// Of an account that signed in under several names of the host, the one under the first of them. (MSAL stops at the first
/// name that has any account, and does not see the others.)
fn accounts_at(cache: &TokenCache, app: &ClientApplication) -> Vec<FoundAccount> {
    let mut found = Vec::new();
    for (earlier, host) in hosts_of(app).enumerate() {
        let is_new = |account: &FoundAccount| {
            let mut earlier = hosts_of(app).take(earlier);
            !earlier.any(|host| cache.account(host, &account.home_account_id).is_some())
        };
        let new = cache.accounts(host).into_iter().filter(is_new);
        found.extend(new.map(|account| with_all_names(cache, app, account)));
    }
    found
}
