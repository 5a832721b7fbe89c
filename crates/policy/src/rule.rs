//! Rules of the configuration: the first that fits who asks, and for which application, says what may be asked for.

use std::path::PathBuf;

use valetkey_model::{Authority, AuthorityKind, Partition, ScopeSet};

use crate::Denial;
use crate::asker::Asker;
use crate::fields::find_target;
use crate::named_app::NamedApp;
use crate::subject::{Account, Application, Subject};

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What it is called in messages.
    pub name: String,
    /// Whom it fits.
    pub who: Who,
    /// It allows nothing.
    pub denies: bool,
    /// What it allows.
    pub ceiling: Ceiling,
    /// The person may be asked: to sign in, and for consent.
    pub forbids_asking: bool,
    /// Grants, secrets, keys and caches may be administered; when it says nothing, as elsewhere, unless it takes something away.
    pub may_administer: Option<bool>,
    /// Whether the person is asked before an account is used; as elsewhere when it says nothing.
    pub consent: Option<Consent>,
}

/// Whom a rule fits: all that is given must. Where nothing is given, it fits everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Users.
    pub users: Option<Vec<Partition>>,
    /// Programs, by their paths.
    pub programs: Option<Vec<PathBuf>>,
    /// Units of systemd's.
    pub units: Option<Vec<String>>,
    /// Applications.
    pub apps: Option<Vec<NamedApp>>,
}

/// What may be asked for: of each list that is given, a member; of an empty one, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ceiling {
    /// Accounts, by user name, whose case is ignored, or home account id.
    pub accounts: Option<Vec<String>>,
    /// Providers, as `host` or `host:port` in lower case.
    pub authorities: Option<Vec<String>>,
    /// Scopes.
    pub scopes: Option<Vec<String>>,
    /// Resources: a scope's part before its last slash.
    pub audiences: Option<Vec<String>>,
}

/// Whether a program needs the person's word before it uses an account that another program has signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// It does not: the programs of a user are the user's.
    #[default]
    NotAsked,
    /// It does.
    Ask,
}

/// What a rule does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleRefusal {
    /// Anything.
    #[error("allows this program nothing")]
    Everything,
    /// This account.
    #[error("does not allow this program the account {0}")]
    Account(String),
    /// This provider.
    #[error("does not allow this program the provider {0}")]
    Authority(String),
    /// This scope.
    #[error("does not allow this program the scope {0}")]
    Scope(String),
    /// Tokens for this resource.
    #[error("does not allow this program tokens for {0}")]
    Audience(String),
    /// A field of the program's own that may say what the token is for.
    #[error("bounds what this program's tokens are for, and does not allow it the field {0:?}")]
    Field(String),
    /// To ask the person for anything.
    #[error("does not allow this program to ask the person")]
    Asking,
    /// To administer.
    #[error("does not allow this program to administer the broker")]
    Administration,
}

impl Rule {
    /// The first rule that fits.
    pub(crate) fn find<'a>(
        rules: &'a [Self],
        asker: &Asker,
        application: Option<Application<'_>>,
    ) -> Option<&'a Self> {
        rules.iter().find(|rule| rule.who.fits(asker, application))
    }

    pub(crate) fn check<T: Subject>(&self, subject: &T) -> Result<(), Denial> {
        let refuse = |refusal| Err(self.refuse(refusal));
        if self.denies {
            return refuse(RuleRefusal::Everything);
        }
        let authority = subject.authority();
        if !admits(self.ceiling.authorities.as_ref(), |site| site == authority.site()) {
            return refuse(RuleRefusal::Authority(authority.site().to_owned()));
        }
        let scopes = [subject.scopes(), subject.scopes_for_later()].into_iter().flatten();
        let mut scopes = scopes.flat_map(ScopeSet::iter);
        if let Some(refusal) = self.ceiling.find_refused_scope(&mut scopes, authority) {
            return refuse(refusal);
        }
        if self.ceiling.bounds_tokens()
            && let Some(name) = find_target(subject)
        {
            return refuse(RuleRefusal::Field(name));
        }
        match self.forbids_asking && subject.asks_the_person() {
            true => refuse(RuleRefusal::Asking),
            false => Ok(()),
        }
    }

    pub(crate) fn check_account(&self, account: Account<'_>) -> Result<(), Denial> {
        match admits(self.ceiling.accounts.as_ref(), |named| account.is_called(named)) {
            true => Ok(()),
            false => Err(self.refuse(RuleRefusal::Account(account.username.to_owned()))),
        }
    }

    /// The token of a managed identity is good for whatever the identity may do there: for all scopes of the resource.
    pub(crate) fn check_resource(&self, resource: Option<&str>) -> Result<(), Denial> {
        if self.denies {
            return Err(self.refuse(RuleRefusal::Everything));
        }
        let Some(resource) = resource else { return Ok(()) };
        let of_all_scopes = |named: &String| {
            named.strip_suffix("/.default").is_some_and(|named| is_same(named, resource))
        };
        let is_admitted = admits(self.ceiling.audiences.as_ref(), |named| is_same(named, resource))
            && admits(self.ceiling.scopes.as_ref(), of_all_scopes);
        match is_admitted {
            true => Ok(()),
            false => Err(self.refuse(RuleRefusal::Audience(resource.to_owned()))),
        }
    }

    pub(crate) fn refuse(&self, refusal: RuleRefusal) -> Denial {
        Denial::Rule { rule: self.name.clone(), refusal }
    }

    /// Whether it takes anything away from whom it fits. Who administers could get it back: by an export there is all, and the
    /// record names all.
    pub(crate) fn restricts(&self) -> bool {
        self.denies
            || self.forbids_asking
            || self.consent == Some(Consent::Ask)
            || self.ceiling != Ceiling::default()
    }

    /// Whether what is asked for depends on whose tokens they are.
    pub(crate) fn looks_at_accounts(&self) -> bool {
        self.ceiling.accounts.is_some() || self.consent == Some(Consent::Ask)
    }
}

impl Who {
    fn fits(&self, asker: &Asker, application: Option<Application<'_>>) -> bool {
        self.fits_asker(asker)
            && admits(self.apps.as_ref(), |named| {
                application.is_some_and(|application| named.is(application))
            })
    }

    /// Whether it fits who asks, for whichever application.
    pub(crate) fn fits_asker(&self, asker: &Asker) -> bool {
        admits(self.users.as_ref(), |user| user == asker.partition())
            && admits(self.programs.as_ref(), |program| asker.runs(program))
            && admits(self.units.as_ref(), |unit| asker.unit.as_ref() == Some(unit))
    }
}

impl Ceiling {
    /// Whether it says what tokens may be for.
    pub(crate) fn bounds_tokens(&self) -> bool {
        self.scopes.is_some() || self.audiences.is_some()
    }

    pub(crate) fn find_refused_scope<'a>(
        &self,
        scopes: impl Iterator<Item = &'a str>,
        authority: &Authority,
    ) -> Option<RuleRefusal> {
        for scope in scopes {
            let wanted = qualify(scope, authority);
            if !admits(self.scopes.as_ref(), |named| qualify(named, authority) == wanted) {
                return Some(RuleRefusal::Scope(scope.to_owned()));
            }
            let audience = wanted.audience.unwrap_or_default();
            if !admits(self.audiences.as_ref(), |named| is_same(named, audience)) {
                return Some(RuleRefusal::Audience(match audience {
                    "" => format!("the scope {scope}, which names no resource"),
                    audience => audience.to_owned(),
                }));
            }
        }
        None
    }
}

/// A scope, and the resource that it is of.
#[derive(PartialEq)]
pub(crate) struct Qualified<'a> {
    pub(crate) audience: Option<&'a str>,
    pub(crate) name: &'a str,
}

impl Qualified<'_> {
    /// Entra's word for all that the application may have of the resource.
    pub(crate) fn is_default(&self) -> bool {
        self.audience.is_some() && self.name == ".default"
    }
}

/// A scope of Entra's names its resource before the last slash; one that names none is Microsoft Graph's.
pub(crate) fn qualify<'a>(scope: &'a str, authority: &Authority) -> Qualified<'a> {
    match scope.rsplit_once('/') {
        Some((audience, name)) => {
            Qualified { audience: Some(audience.trim_end_matches('/')), name }
        }
        None if authority.kind() == AuthorityKind::Entra => {
            Qualified { audience: Some("https://graph.microsoft.com"), name: scope }
        }
        None => Qualified { audience: None, name: scope },
    }
}

fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

fn admits<T>(list: Option<&Vec<T>>, is_meant: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|list| list.iter().any(is_meant))
}
