//! Who may ask for what: one pure decision, `decide(policy, asker, grants, request)`.
//!
//! Its answer is the only thing that can build an [`Authorized`] request, and the engine takes nothing else, so a path
//! around the policy does not compile. This crate does no I/O, keeps no state, and knows neither engine nor wire. Ids in a
//! request are filters, never authority: whose tokens are meant comes from the caller, which the kernel named.
//!
//! In this order: what the broker as a whole does not do ([`Policy`]), what the first rule that fits does not allow
//! ([`Rule`]), and what the person has said, or is to be asked ([`Grants`]).

mod admission;
mod asker;
mod bound;
mod denial;
mod fields;
mod grant;
mod named_app;
mod rule;
mod service;
mod subject;

use std::path::PathBuf;
use std::sync::Arc;

use valetkey_model::{Caller, Confinement, Partition, ScopeSet, UnixTime};

use fields::find_target;

pub use admission::{CallerRule, ProgramFile, Refusal, admit, is_running};
pub use asker::{Asker, ProgramKey};
pub use bound::Bound;
pub use denial::Denial;
pub use grant::{Grant, Grants, Question, Word};
pub use named_app::{DeclaredApp, NamedApp};
pub use rule::{Ceiling, Consent, Rule, RuleRefusal, Who};
pub use service::{
    Clientele, Members, ServiceDenial, Users, decide_connection, decide_on_shared_administration,
};
pub use subject::{Account, Application, CacheSubject, MachineSubject, Purpose, Subject};

/// What the person or the administrator allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which providers may be spoken to.
    pub authorities: Admission,
    /// What may be asked for managed identities.
    pub machine_endpoints: MachineEndpoints,
    /// The endpoints that may be asked in Microsoft's place whether a host is one of its clouds: URLs.
    pub instance_discovery_endpoints: Vec<String>,
    /// Nobody gets a cache in clear.
    pub forbids_cache_export: bool,
    /// Nobody signs in by a code.
    pub forbids_device_code: bool,
    /// Whether a program needs the person's word, where no rule says so.
    pub consent: Consent,
    /// The first that fits decides; who fits none may do as if there were no rules.
    pub rules: Vec<Rule>,
}

/// Which providers may be spoken to. The broker fetches no URL that a client sent, other than one admitted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A user's own broker: any https authority, and loopback for development. (What is neither is no [`Authority`].)
    ///
    /// [`Authority`]: valetkey_model::Authority
    Any,
    /// A system service: the hosts that its configuration names, as `host` or `host:port` in lower case.
    Hosts(Vec<String>),
}

/// What may be asked for managed identities, beside the platform's own place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineEndpoints {
    /// Whether any port of the machine itself, and of its link. A service of several users would speak to it by its own user, in
    /// the place of one whom the port may not be for.
    pub admits_near: bool,
    /// The hosts, in lower case.
    pub hosts: Vec<String>,
}

impl Policy {
    /// The default of a broker that serves one user.
    pub fn of_user() -> Self {
        Self {
            authorities: Admission::Any,
            machine_endpoints: MachineEndpoints { admits_near: true, hosts: Vec::new() },
            instance_discovery_endpoints: Vec::new(),
            forbids_cache_export: false,
            forbids_device_code: false,
            consent: Consent::NotAsked,
            rules: Vec::new(),
        }
    }

    /// Whether decisions depend on more of a caller than its user.
    pub fn looks_at_programs(&self) -> bool {
        self.consent == Consent::Ask || !self.rules.is_empty()
    }

    /// The programs that the rules name.
    pub fn programs(&self) -> Vec<PathBuf> {
        let named = self.rules.iter().filter_map(|rule| rule.who.programs.as_ref());
        named.flatten().cloned().collect()
    }

    /// Whether decisions depend on whose tokens are asked for, so that this must be found out first.
    pub fn looks_at_accounts(&self) -> bool {
        self.consent == Consent::Ask || self.rules.iter().any(Rule::looks_at_accounts)
    }
}

/// A request that the policy let pass, and for whom.
#[derive(Clone, Debug)]
pub struct Authorized<T> {
    asker: Arc<Asker>,
    request: T,
}

impl<T> Authorized<T> {
    /// Whose tokens.
    pub fn partition(&self) -> &Partition {
        self.asker.partition()
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.asker.caller
    }

    /// Who asked, as far as the policy looks.
    pub fn asker(&self) -> &Arc<Asker> {
        &self.asker
    }

    /// For what.
    pub fn request(&self) -> &T {
        &self.request
    }

    /// For what, owned.
    pub fn into_request(self) -> T {
        self.request
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Decision<T> {
    /// It may be done.
    Authorized(Authorized<T>),
    /// It may not.
    Denied(Denial),
    /// The person must say; here is the request back, to be decided on with the answer.
    Ask(Box<Question>, T),
}

impl<T> Decision<T> {
    /// Where nobody can be asked.
    ///
    /// # Errors
    /// The denial, or that nobody has said yes.
    pub fn without_asking(self) -> Result<Authorized<T>, Denial> {
        match self {
            Self::Authorized(authorized) => Ok(authorized),
            Self::Denied(denial) => Err(denial),
            Self::Ask(question, _) => Err(Denial::Unanswered { username: question.username }),
        }
    }
}

/// Decides whether `asker` may have `request` done.
pub fn decide<T: Subject>(
    policy: &Policy,
    asker: &Arc<Asker>,
    grants: &Grants,
    mut request: T,
    now: UnixTime,
) -> Decision<T> {
    let rule = match check(policy, asker, &request) {
        Ok(rule) => rule,
        Err(denial) => return Decision::Denied(denial),
    };
    let leave = request.account().map_or(Ok(Leave::ForAll), |account| {
        let (application, scopes) = (request.application(), request.scopes());
        let purpose = Purpose { application, account, scopes };
        find_leave(policy, rule, asker, grants, purpose, now)
    });
    let leave = match leave {
        Ok(leave) => leave,
        Err(denial) => return Decision::Denied(denial),
    };
    if !matches!(leave, Leave::ForAll)
        && let Some(field) = find_target(&request)
    {
        return Decision::Denied(Denial::Field(field));
    }
    let consented = match leave {
        Leave::ForAll => None,
        Leave::For(scopes) => Some(scopes),
        Leave::ToAsk(question) => return Decision::Ask(Box::new(question), request),
    };
    if let Admission::Hosts(hosts) = &policy.authorities {
        request.accept_sites(hosts);
    }
    request.accept_bound(Bound::of(rule.map(|rule| &rule.ceiling), consented));
    authorize(asker, request)
}

fn authorize<T>(asker: &Arc<Asker>, request: T) -> Decision<T> {
    Decision::Authorized(Authorized { asker: Arc::clone(asker), request })
}

/// The rule that fits, if any does.
fn check<'a, T: Subject>(
    policy: &'a Policy,
    asker: &Asker,
    request: &T,
) -> Result<Option<&'a Rule>, Denial> {
    if let Admission::Hosts(hosts) = &policy.authorities {
        let is_foreign = |site: &str| !hosts.iter().any(|host| host == site);
        let site = request.authority().site();
        if is_foreign(site) {
            return Err(Denial::Authority { site: site.to_owned() });
        }
        if let Some(site) = request.proxies().into_iter().find(|site| is_foreign(site)) {
            return Err(Denial::Proxy { site: site.to_owned() });
        }
    }
    request.check_endpoint(&policy.machine_endpoints).map_err(Denial::Endpoint)?;
    if policy.forbids_device_code && request.is_by_device_code() {
        return Err(Denial::DeviceCode);
    }
    if let Some(url) = request.instance_discovery_endpoint()
        && !policy.instance_discovery_endpoints.iter().any(|known| known == url)
    {
        return Err(Denial::InstanceDiscovery { url: url.to_owned() });
    }
    let rule = Rule::find(&policy.rules, asker, Some(request.application()));
    rule.map_or(Ok(()), |rule| rule.check(request))?;
    Ok(rule)
}

/// Decides whether `asker` may use an account; the question to put to the person, if only that can tell. Of what is asked for
/// before it is known whose tokens will come of it, as of a sign-in, this is to be asked again when they have come.
///
/// # Errors
/// The denial, with what could be done about it.
pub fn decide_on_account(
    policy: &Policy,
    asker: &Asker,
    grants: &Grants,
    purpose: Purpose<'_>,
    now: UnixTime,
) -> Result<Option<Question>, Denial> {
    let rule = Rule::find(&policy.rules, asker, Some(purpose.application));
    match find_leave(policy, rule, asker, grants, purpose, now)? {
        Leave::ForAll | Leave::For(_) => Ok(None),
        Leave::ToAsk(question) => Ok(Some(question)),
    }
}

/// What an account may be used for without asking the person.
enum Leave {
    /// For anything that the rule allows: nobody need be asked, or the program has signed the account in.
    ForAll,
    /// For these scopes, and nothing else.
    For(ScopeSet),
    /// For nothing yet.
    ToAsk(Question),
}

fn find_leave(
    policy: &Policy,
    rule: Option<&Rule>,
    asker: &Asker,
    grants: &Grants,
    purpose: Purpose<'_>,
    now: UnixTime,
) -> Result<Leave, Denial> {
    if let Some(rule) = rule {
        rule.check_account(purpose.account)?;
    }
    let consent = rule.and_then(|rule| rule.consent).unwrap_or(policy.consent);
    // What is in a partition of the application's own was brought by whoever may use that.
    if consent == Consent::NotAsked || !purpose.application.is_shared {
        return Ok(Leave::ForAll);
    }
    let Some(question) = Question::new(&asker.program, purpose) else { return Ok(Leave::ForAll) };
    match grants.find(&question, now) {
        Some(Grant { word: Word::No, until, .. }) => {
            let left = until.map_or(0, |until| until.seconds_since(now));
            let seconds = u64::try_from(left).unwrap_or_default();
            Err(Denial::Refused { username: question.username, seconds })
        }
        Some(_) => Ok(grants.allowed_scopes(&question, now).map_or(Leave::ForAll, Leave::For)),
        None => match rule {
            Some(rule) if rule.forbids_asking => Err(rule.refuse(RuleRefusal::Asking)),
            _ => Ok(Leave::ToAsk(question)),
        },
    }
}

/// Whether `asker` may know of an account: one that its rule does not let it use looks to it as if it were not there.
pub fn may_know_of(
    policy: &Policy,
    asker: &Asker,
    application: Option<Application<'_>>,
    account: Account<'_>,
) -> bool {
    let rule = Rule::find(&policy.rules, asker, application);
    rule.is_none_or(|rule| !rule.denies && rule.check_account(account).is_ok())
}

/// Decides whether `asker` may have `request` done by the machine.
///
/// # Errors
/// The denial, with what could be done about it.
pub fn decide_on_machine<T: MachineSubject>(
    policy: &Policy,
    asker: &Arc<Asker>,
    request: T,
) -> Result<Authorized<T>, Denial> {
    request.check_endpoint(&policy.machine_endpoints).map_err(Denial::Endpoint)?;
    if let Some(rule) = Rule::find(&policy.rules, asker, None) {
        rule.check_resource(request.resource())?;
    }
    Ok(Authorized { asker: Arc::clone(asker), request })
}

/// Lets `asker` have `request` done with the cache that is the caller's own; whose that is, the kernel said.
///
/// # Errors
/// When it would be handed out, and must not be, or a rule leaves such things to others.
pub fn decide_on_cache<T: CacheSubject>(
    policy: &Policy,
    asker: &Arc<Asker>,
    request: T,
) -> Result<Authorized<T>, Denial> {
    if T::HANDS_OUT && policy.forbids_cache_export {
        return Err(Denial::CacheExport);
    }
    decide_on_own_administration(policy, asker)?;
    if T::HANDS_OUT {
        check_export(policy, asker)?;
    }
    Ok(Authorized { asker: Arc::clone(asker), request })
}

/// By way of the whole cache nobody gets what a rule about an application withholds, or what the person is to be asked about.
fn check_export(policy: &Policy, asker: &Asker) -> Result<(), Denial> {
    let rule = Rule::find(&policy.rules, asker, None);
    if rule.is_some_and(|rule| rule.may_administer == Some(true)) {
        return Ok(());
    }
    let mut earlier = policy.rules.iter().take_while(|earlier| Some(*earlier) != rule);
    let is_bounded = earlier.any(|earlier| earlier.who.fits_asker(asker) && earlier.restricts());
    let consent = rule.and_then(|rule| rule.consent).unwrap_or(policy.consent);
    match is_bounded || consent == Consent::Ask {
        true => Err(Denial::CacheExportUnsaid),
        false => Ok(()),
    }
}

/// Decides whether `asker` may have anything done at all. Whether a rule that allows nothing fits may depend on the
/// application: of an `errand` that names one, that is left to the decision on it where an earlier rule is about
/// applications.
///
/// # Errors
/// When nothing is.
pub fn decide_on_entry(policy: &Policy, asker: &Asker, errand: Errand) -> Result<(), Denial> {
    let is_first = |rule: &&Rule| match (&rule.who.apps, errand) {
        (None, _) => true,
        (Some(_), Errand::OfAnApplication) => !rule.denies,
        (Some(_), Errand::Other) => false,
    };
    let mut fitting = policy.rules.iter().filter(|rule| rule.who.fits_asker(asker));
    match fitting.find(is_first) {
        Some(rule) if rule.denies => Err(rule.refuse(RuleRefusal::Everything)),
        _ => Ok(()),
    }
}

/// What somebody has come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Something of an application's, and which one is yet to be seen.
    OfAnApplication,
    /// Anything else.
    Other,
}

/// Decides whether `asker` may administer what is the user's own: grants, secrets, keys, the lock, the record, the cache as a
/// whole.
///
/// # Errors
/// When the first rule that fits leaves that to others, or says nothing of it and takes something away, or the program is in a
/// sandbox, or may be.
pub fn decide_on_own_administration(policy: &Policy, asker: &Asker) -> Result<(), Denial> {
    if let Some(rule) = Rule::find(&policy.rules, asker, None) {
        match rule.may_administer {
            Some(true) if !rule.denies => return Ok(()),
            None if !rule.restricts() => {}
            _ => return Err(rule.refuse(RuleRefusal::Administration)),
        }
    }
    match asker.confinement {
        Confinement::Free => Ok(()),
        Confinement::Sandbox(_) => Err(Denial::Sandboxed),
        Confinement::Unknown => Err(Denial::PerhapsSandboxed),
    }
}

#[cfg(test)]
mod tests;
