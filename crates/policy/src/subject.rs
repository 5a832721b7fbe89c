//! What can be asked for, as far as the policy looks at it.

use valetkey_model::{AccountId, Authority, ScopeSet};

use crate::MachineEndpoints;
use crate::bound::Bound;

/// What can be asked for.
pub trait Subject {
    /// The provider that answering would speak to.
    fn authority(&self) -> &Authority;

    /// On whose behalf the provider would be asked.
    fn application(&self) -> Application<'_>;

    /// For what; `None` where no token is asked for.
    fn scopes(&self) -> Option<&ScopeSet> {
        None
    }

    /// What the person is to consent to beside that, for later.
    fn scopes_for_later(&self) -> Option<&ScopeSet> {
        None
    }

    /// The names of the form fields of the program's own that the provider would be sent.
    fn extra_fields(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Takes note of the only hosts that may be spoken to, as `host` or `host:port`: the provider may send to others.
    fn accept_sites(&mut self, _sites: &[String]) {}

    /// Takes note of what a token at hand may be good for at most, to be the answer.
    fn accept_bound(&mut self, _bound: Option<Bound>) {}

    /// Whose tokens are used, once that is known.
    fn account(&self) -> Option<Account<'_>> {
        None
    }

    /// Whether the person takes part in it.
    fn asks_the_person(&self) -> bool {
        false
    }

    /// Whether the person would sign in by a code, which is as good for whoever sent it (RFC 8628 section 5.4).
    fn is_by_device_code(&self) -> bool {
        false
    }

    /// The endpoint that is to say in Microsoft's place whether the provider's host is one of its clouds: a URL.
    fn instance_discovery_endpoint(&self) -> Option<&str> {
        None
    }

    /// The proxies that the caller wants to be taken, as `host` or `host:port`.
    fn proxies(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether the endpoint of the machine's that answering would speak to as well, if any, is admitted.
    ///
    /// # Errors
    /// As [`MachineSubject::check_endpoint`].
    fn check_endpoint(&self, _admitted: &MachineEndpoints) -> Result<(), String> {
        Ok(())
    }
}

/// An application, by what people call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Application<'a> {
    /// RFC 6749 `client_id`.
    pub client_id: &'a str,
    /// The provider's name in the cache.
    pub environment: &'a str,
    /// Its name in the configuration.
    pub name: Option<&'a str>,
    /// Whether its tokens are where other programs of the user find them.
    pub is_shared: bool,
}

/// An account whose tokens are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account<'a> {
    /// The provider's host.
    pub environment: &'a str,
    /// Home account id.
    pub id: &'a AccountId,
    /// What the person knows it by.
    pub username: &'a str,
}

/// What an account is to be used for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// Through which application.
    pub application: Application<'a>,
    /// Which account.
    pub account: Account<'a>,
    /// For which scopes; `None` where no token is asked for.
    pub scopes: Option<&'a ScopeSet>,
}

impl Account<'_> {
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.username.eq_ignore_ascii_case(name) || self.id.as_str() == name
    }
}

/// What can be asked for of the machine itself: a token of an identity that the platform gave to it.
pub trait MachineSubject {
    /// Whether the endpoint that answering would speak to is admitted.
    ///
    /// # Errors
    /// Where it is, when elsewhere, and what could be done about it.
    fn check_endpoint(&self, admitted: &MachineEndpoints) -> Result<(), String>;

    /// The resource that a token is asked for; `None` where none is.
    fn resource(&self) -> Option<&str> {
        None
    }
}

/// What can be asked for of the caller's own cache as a whole, for which no provider is spoken to.
pub trait CacheSubject {
    /// Whether what is in the cache leaves the broker by it.
    const HANDS_OUT: bool;
}
