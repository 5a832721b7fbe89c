//! The silent decision (`spec/msal-python.md` section 4.6): what a token request needs, given what is cached and what time
//! it is. A pure function; doing what it says is `refresh.rs`'s part.

use std::collections::BTreeSet;
use std::sync::Arc;

use valetkey_cache::{AccessToken, AccessTokenQuery, RefreshToken, TokenCache};
use valetkey_model::{AccountId, ScopeSet, UnixTime};
use valetkey_oauth::CacheReason;
use valetkey_policy::Bound;

use crate::aliases::hosts_of;
use crate::application::ClientApplication;
use crate::error::SignInReason;
use crate::grant::cloud_shell::came_from_cloud_shell;
use crate::issue::is_same_client;
use crate::possession::Binding;
use crate::request::SilentRequest;

/// A token with less than this left counts as expired: the resource's clock may differ, and the request takes time.
pub const MANDATORY_SECONDS: i64 = 300;
/// Without the provider's `refresh_in`, a token is refreshed ahead of need in this last part of its lifetime.
const ADVISORY_PART: i64 = 6;

/// What a request needs.
#[derive(Clone)]
pub enum Decision {
    /// This token, and nothing else.
    Fresh(Arc<AccessToken>),
    /// This token, and a refresh behind it.
    Aging(Arc<AccessToken>, RefreshPlan),
    /// A refresh, for which the caller waits.
    Refresh(RefreshPlan),
    /// Cloud Shell, which the account came from.
    AskCloudShell,
    /// A person.
    SignIn(SignInReason),
}

/// Which refresh tokens to try, best first, and why.
#[derive(Clone)]
pub struct RefreshPlan {
    /// Never empty.
    pub candidates: Vec<Candidate>,
    /// For the provider's telemetry.
    pub reason: CacheReason,
}

/// A refresh token, and what its failure would mean.
#[derive(Clone)]
pub struct Candidate {
    /// The token.
    pub token: Arc<RefreshToken>,
    /// Another member's of Microsoft's family, tried on the chance that this client belongs to it: a failure says nothing
    /// about the person's sign-in, and is not reported.
    pub is_guess: bool,
}

impl Decision {
    /// The [`Candidate::redemption_key`]s of the refresh tokens that may be tried.
    pub fn redemption_keys(&self) -> BTreeSet<String> {
        match self {
            Self::Aging(_, plan) | Self::Refresh(plan) => {
                plan.candidates.iter().map(Candidate::redemption_key).collect()
            }
            Self::Fresh(_) | Self::AskCloudShell | Self::SignIn(_) => BTreeSet::new(),
        }
    }
}

impl Candidate {
    /// Names what must not be redeemed twice at once: one account's token of one client, or of its whole family.
    pub fn redemption_key(&self) -> String {
        let token = &self.token;
        let account = token.home_account_id.as_ref().map_or("", AccountId::as_str);
        let holder = match (&token.family_id, &token.client_id) {
            (Some(family), _) => format!("family {family}"),
            (None, Some(client)) => client.as_str().to_ascii_lowercase(),
            (None, None) => String::new(),
        };
        format!("{}\n{account}\n{holder}", token.environment)
    }
}

/// Decides about `request` for `account`. `realm` is the tenant as the provider's metadata name it.
pub fn decide(
    cache: &TokenCache,
    request: &SilentRequest,
    realm: &str,
    account: &AccountId,
    now: UnixTime,
) -> Decision {
    let wanted = Wanted::of(request, account);
    let (cached, reason) = match find_access_token(cache, &wanted, realm, now) {
        (Some(token), None) => return Decision::Fresh(token),
        (cached, reason) => (cached, reason.unwrap_or(CacheReason::NoToken)),
    };
    if came_from_cloud_shell(cache, &request.app, account) {
        return cached.map_or(Decision::AskCloudShell, Decision::Fresh);
    }
    let candidates = find_candidates(cache, request, account);
    match cached {
        Some(token) if candidates.is_empty() => Decision::Fresh(token),
        Some(token) => Decision::Aging(token, RefreshPlan { candidates, reason }),
        None if candidates.is_empty() => Decision::SignIn(SignInReason::NoRefreshToken),
        None => Decision::Refresh(RefreshPlan { candidates, reason }),
    }
}

/// Which access token would do.
pub(crate) struct Wanted<'a> {
    pub(crate) app: &'a ClientApplication,
    /// None for the application's own.
    pub(crate) account: Option<&'a AccountId>,
    pub(crate) scopes: &'a ScopeSet,
    pub(crate) extension: Option<String>,
    pub(crate) binding: Binding,
    /// None that is at hand would.
    pub(crate) must_be_new: bool,
    pub(crate) min_validity: u32,
    /// What it may be good for at most.
    pub(crate) bound: Option<&'a Bound>,
}

impl<'a> Wanted<'a> {
    fn of(request: &'a SilentRequest, account: &'a AccountId) -> Self {
        Self {
            app: &request.app,
            account: Some(account),
            scopes: &request.scopes,
            extension: request.extras.extension(),
            binding: Binding::of(request.app.definition(), &request.extras),
            must_be_new: request.force_refresh || request.claims_challenge.is_some(),
            min_validity: request.min_validity,
            bound: request.bound.as_ref(),
        }
    }

    /// Whether the policy lets this token be the answer. One that came for what may be asked for is the provider's answer to
    /// it, and would come again.
    fn may_be(&self, token: &AccessToken) -> bool {
        let authority = &self.app.definition().authority;
        self.bound.is_none_or(|bound| {
            bound.admits(&token.scopes, authority)
                || token.asked_for().any(|asked| bound.admits(&asked, authority))
        })
    }
}

/// The token to answer with, and the reason to refresh it all the same; or none, and the reason why.
pub(crate) fn find_access_token(
    cache: &TokenCache,
    wanted: &Wanted<'_>,
    realm: &str,
    now: UnixTime,
) -> (Option<Arc<AccessToken>>, Option<CacheReason>) {
    if wanted.must_be_new {
        return (None, Some(CacheReason::ForceRefresh));
    }
    let definition = wanted.app.definition();
    let Ok(key_id) = wanted.binding.key_id(cache, definition) else {
        return (None, Some(CacheReason::NoToken));
    };
    let query = AccessTokenQuery {
        environment: definition.authority.environment(),
        home_account_id: wanted.account,
        client_id: Some(&definition.client_id),
        realm,
        scopes: wanted.scopes,
        extension: wanted.extension.as_deref(),
        key_id: key_id.as_ref(),
    };
    // The own host's first; a token that came through another name of the provider is as good.
    let find = |remaining| {
        hosts_of(wanted.app).find_map(|environment| {
            let query = AccessTokenQuery { environment, ..query };
            let may_be = |token: &AccessToken| wanted.may_be(token);
            let found = cache.find_access_token_among(&query, now, remaining, may_be)?;
            wanted.binding.admits(&found.token_type).then_some(found)
        })
    };
    match find(MANDATORY_SECONDS.max(i64::from(wanted.min_validity))) {
        Some(token) if is_aging(token, now) => (Some(Arc::clone(token)), Some(CacheReason::Aging)),
        Some(token) => (Some(Arc::clone(token)), None),
        None if find(i64::MIN).is_some() => (None, Some(CacheReason::Expired)),
        None => (None, Some(CacheReason::NoToken)),
    }
}

/// True when it is time to renew a token that is still good.
pub(crate) fn is_aging(token: &AccessToken, now: UnixTime) -> bool {
    match token.refresh_on {
        Some(refresh_on) => refresh_on <= now,
        None => {
            let lifetime = token.expires_on.seconds_since(token.cached_at);
            token.expires_on.seconds_since(now) < lifetime / ADVISORY_PART
        }
    }
}

/// Refresh tokens in MSAL's order: a guess at the family when nothing is known of this client yet, its family's, its own;
/// on the own host first, then on the host's aliases.
fn find_candidates(
    cache: &TokenCache,
    request: &SilentRequest,
    account: &AccountId,
) -> Vec<Candidate> {
    let definition = request.app.definition();
    let client_id = &definition.client_id;
    let key_id = Binding::of(definition, &request.extras).refresh_key_id(cache, definition);
    let metadata = cache.app_metadata(definition.authority.environment(), Some(client_id));
    // A client that was answered without `foci` is in no family; one that was never answered may be.
    let family = metadata.map_or(Some("1"), |metadata| metadata.family_id.as_deref());
    let mut candidates = Vec::new();
    for host in hosts_of(&request.app) {
        // A provider takes a bound one that comes without its key for stolen. One from before the application asked for
        // DPoP will do until there is one that is bound; it may be another definition's, which does not ask for it.
        let all = || cache.refresh_tokens(host, account);
        let is_bound = |token: &&Arc<RefreshToken>| token.key_id == key_id;
        let has_bound = all().any(|token| is_bound(&token));
        let is_redeemable =
            |token: &&Arc<RefreshToken>| is_bound(token) || (!has_bound && token.key_id.is_none());
        let tokens = || all().filter(is_redeemable);
        let is_own = |token: &RefreshToken| is_same_client(token.client_id.as_ref(), client_id);
        let add = |candidates: &mut Vec<Candidate>, token: &Arc<RefreshToken>, is_guess| {
            if !candidates.iter().any(|known| Arc::ptr_eq(&known.token, token)) {
                candidates.push(Candidate { token: Arc::clone(token), is_guess });
            }
        };
        let in_family =
            |token: &RefreshToken| family.is_some() && token.family_id.as_deref() == family;
        for token in tokens().filter(|token| in_family(token)) {
            add(&mut candidates, token, metadata.is_none() && !is_own(token));
        }
        // Among a client's own tokens, one that was granted these very scopes goes first: providers other than Entra bind
        // a refresh token to the scopes of its sign-in (RFC 6749 section 6).
        let covers = |token: &RefreshToken| request.scopes.is_subset(&token.scopes);
        for token in tokens().filter(|token| is_own(token) && covers(token)) {
            add(&mut candidates, token, false);
        }
        for token in tokens().filter(|token| is_own(token)) {
            add(&mut candidates, token, false);
        }
    }
    candidates
}

#[cfg(test)]
mod tests;
