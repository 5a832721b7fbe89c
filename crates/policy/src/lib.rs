//! Who may ask for what: one pure decision, `decide(policy, caller, request)`.
//!
//! Its answer is the only thing that can build an [`Authorized`] request, and the engine takes nothing else, so a path
//! around the policy does not compile. This crate does no I/O, keeps no state, and knows neither engine nor wire. Ids in a
//! request are filters, never authority: whose tokens are meant comes from the caller, which the kernel named.

mod admission;

use valetkey_model::{Authority, Caller, Partition};

pub use admission::{CallerRule, ProgramFile, Refusal, admit};

/// What the person or the administrator allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which providers may be spoken to.
    pub authorities: Admission,
    /// Beside those on the machine and link-local ones: the hosts, in lower case, that may be asked for managed identities.
    pub managed_identity_hosts: Vec<String>,
    /// The endpoints that may be asked in Microsoft's place whether a host is one of its clouds: URLs.
    pub instance_discovery_endpoints: Vec<String>,
    /// Nobody gets a cache in clear.
    pub forbids_cache_export: bool,
}

/// Which providers may be spoken to. The broker fetches no URL that a client sent, other than one admitted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A user's own broker: any https authority, and loopback for development. (What is neither is no [`Authority`].)
    Any,
    /// A system service: the hosts that its configuration names, as `host` or `host:port` in lower case.
    Hosts(Vec<String>),
}

impl Policy {
    /// The default of a broker that serves one user.
    pub fn of_user() -> Self {
        Self {
            authorities: Admission::Any,
            managed_identity_hosts: Vec::new(),
            instance_discovery_endpoints: Vec::new(),
            forbids_cache_export: false,
        }
    }
}

/// What can be asked for.
pub trait Subject {
    /// The provider that answering would speak to.
    fn authority(&self) -> &Authority;

    /// The endpoint that is to say in Microsoft's place whether the provider's host is one of its clouds: a URL.
    fn instance_discovery_endpoint(&self) -> Option<&str> {
        None
    }

    /// The proxies that the caller wants to be taken, as `host` or `host:port`.
    fn proxies(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether the endpoint of the machine's that answering would speak to as well, if any, is near, or among these hosts.
    ///
    /// # Errors
    /// As [`MachineSubject::check_endpoint`].
    fn check_endpoint(&self, _listed_hosts: &[String]) -> Result<(), String> {
        Ok(())
    }
}

/// What can be asked for of the machine itself: a token of an identity that the platform gave to it.
pub trait MachineSubject {
    /// Whether the endpoint that answering would speak to is near, or among these hosts.
    ///
    /// # Errors
    /// Where it is, when elsewhere, and what could be done about it.
    fn check_endpoint(&self, listed_hosts: &[String]) -> Result<(), String>;
}

/// What can be asked for of the caller's own cache as a whole, for which no provider is spoken to.
pub trait CacheSubject {
    /// Whether what is in the cache leaves the broker by it.
    const HANDS_OUT: bool;
}

/// A request that the policy let pass, and for whom.
#[derive(Clone, Debug)]
pub struct Authorized<T> {
    caller: Caller,
    request: T,
}

impl<T> Authorized<T> {
    /// Whose tokens.
    pub fn partition(&self) -> &Partition {
        &self.caller.partition
    }

    /// Who asked.
    pub fn caller(&self) -> &Caller {
        &self.caller
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

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The system service speaks to configured providers only.
    #[error(
        "this broker does not speak to {site}; its administrator can add it to [policy] authorities"
    )]
    Authority {
        /// The provider that was asked for.
        site: String,
    },
    /// Every URL that a program may have the broker fetch is named by who writes the configuration.
    #[error(
        "this broker asks no instance discovery endpoint {url:?}; who trusts it can add it to [policy] instance_discovery_endpoints of the daemon's configuration"
    )]
    InstanceDiscovery {
        /// The endpoint that was to be asked.
        url: String,
    },
    /// What gives managed identities is elsewhere.
    #[error("{0}")]
    Endpoint(String),
    /// The broker has the application's credential, and the configuration names others for it.
    #[error("application {app:?} is {refusal}")]
    Caller {
        /// The application's name.
        app: String,
        /// Who was not let in.
        refusal: Refusal,
    },
    /// Who writes the configuration wants no cache to leave.
    #[error(
        "this broker hands out no cache: `forbid_cache_export` is set in [policy] of the daemon's configuration"
    )]
    CacheExport,
    /// The system service takes the proxies of its administrator only.
    #[error(
        "this broker takes no proxy {site}; its administrator can add it to [policy] authorities"
    )]
    Proxy {
        /// The proxy that was asked for.
        site: String,
    },
}

impl Denial {
    /// What somebody who writes the configuration can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Caller { app, refusal } => Some(refusal.hint(app)),
            Self::Authority { .. }
            | Self::InstanceDiscovery { .. }
            | Self::Endpoint(_)
            | Self::CacheExport
            | Self::Proxy { .. } => None,
        }
    }
}

/// Decides whether `caller` may have `request` done.
///
/// # Errors
/// The denial, with what could be done about it.
pub fn decide<T: Subject>(
    policy: &Policy,
    caller: &Caller,
    request: T,
) -> Result<Authorized<T>, Denial> {
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
    request.check_endpoint(&policy.managed_identity_hosts).map_err(Denial::Endpoint)?;
    if let Some(url) = request.instance_discovery_endpoint()
        && !policy.instance_discovery_endpoints.iter().any(|known| known == url)
    {
        return Err(Denial::InstanceDiscovery { url: url.to_owned() });
    }
    Ok(Authorized { caller: caller.clone(), request })
}

/// Decides whether `caller` may have `request` done by the machine.
///
/// # Errors
/// The denial, with what could be done about it.
pub fn decide_on_machine<T: MachineSubject>(
    policy: &Policy,
    caller: &Caller,
    request: T,
) -> Result<Authorized<T>, Denial> {
    request.check_endpoint(&policy.managed_identity_hosts).map_err(Denial::Endpoint)?;
    Ok(Authorized { caller: caller.clone(), request })
}

/// Lets `caller` have `request` done with the cache that is the caller's own; whose that is, the kernel said.
///
/// # Errors
/// When it would be handed out, and must not be.
pub fn decide_on_cache<T: CacheSubject>(
    policy: &Policy,
    caller: &Caller,
    request: T,
) -> Result<Authorized<T>, Denial> {
    if T::HANDS_OUT && policy.forbids_cache_export {
        return Err(Denial::CacheExport);
    }
    Ok(Authorized { caller: caller.clone(), request })
}

#[cfg(test)]
mod tests {
    use valetkey_model::AuthorityOptions;

    use super::*;

    struct To(Authority, Vec<&'static str>, Option<&'static str>);

    impl Subject for To {
        fn authority(&self) -> &Authority {
            &self.0
        }

        fn proxies(&self) -> Vec<&str> {
            self.1.clone()
        }

        fn instance_discovery_endpoint(&self) -> Option<&str> {
            self.2
        }
    }

    fn check(authorities: Admission, authority: &str, expected: bool) {
        check_by_way_of(authorities, authority, &[], expected);
    }

    fn check_by_way_of(
        authorities: Admission,
        authority: &str,
        proxies: &[&'static str],
        expected: bool,
    ) {
        let authority = Authority::parse(authority, AuthorityOptions::default()).unwrap();
        let policy = Policy { authorities, ..Policy::of_user() };
        let decision = decide(&policy, &caller(), To(authority, proxies.to_vec(), None));
        assert_eq!(decision.is_ok(), expected);
    }

    fn caller() -> Caller {
        Caller::of(Partition::of_uid(1000))
    }

    #[test]
    fn an_instance_discovery_endpoint_must_be_listed_whoever_asks() {
        let listed = "https://clouds.example/instance";
        for (url, expected) in [
            (None, true),
            (Some(listed), true),
            (Some("https://clouds.example/instance2"), false),
            (Some("https://clouds.example/instance?x=1"), false),
            (Some("https://evil.example/instance"), false),
        ] {
            let options = AuthorityOptions::default();
            let authority = Authority::parse("https://login.example.com/t", options).unwrap();
            let instance_discovery_endpoints = vec![listed.to_owned()];
            let policy = Policy { instance_discovery_endpoints, ..Policy::of_user() };
            let decision = decide(&policy, &caller(), To(authority, Vec::new(), url));
            assert_eq!(decision.is_ok(), expected, "{url:?}");
            let said = decision.err().map(|denial| denial.to_string()).unwrap_or_default();
            assert_eq!(said.contains("[policy] instance_discovery_endpoints"), !expected, "{said}");
        }
    }

    #[test]
    fn a_users_own_broker_speaks_to_any_authority() {
        check(Admission::Any, "https://login.example.com/t", true);
    }

    #[test]
    fn a_system_service_speaks_to_configured_hosts_only() {
        let hosts = || Admission::Hosts(vec!["login.example.com".to_owned()]);
        check(hosts(), "https://LOGIN.example.com/t", true);
        check(hosts(), "https://login.example.com:444/t", false);
        check(hosts(), "https://evil.example/t", false);
    }

    #[test]
    fn a_system_service_takes_no_proxy_that_its_administrator_does_not_know() {
        let authority = "https://login.example.com/t";
        let hosts = || {
            Admission::Hosts(vec!["login.example.com".to_owned(), "proxy.example:3128".to_owned()])
        };
        check_by_way_of(hosts(), authority, &["proxy.example:3128"], true);
        check_by_way_of(hosts(), authority, &["proxy.example:3128", "metadata.internal"], false);
        check_by_way_of(Admission::Any, authority, &["metadata.internal"], true);
    }

    struct In;
    struct Out;

    impl CacheSubject for In {
        const HANDS_OUT: bool = false;
    }

    impl CacheSubject for Out {
        const HANDS_OUT: bool = true;
    }

    #[test]
    fn a_cache_leaves_unless_it_is_forbidden_and_comes_in_anyway() {
        for forbids_cache_export in [false, true] {
            let policy = Policy { forbids_cache_export, ..Policy::of_user() };
            assert!(decide_on_cache(&policy, &caller(), In).is_ok());
            let out = decide_on_cache(&policy, &caller(), Out);
            assert_eq!(out.err(), forbids_cache_export.then_some(Denial::CacheExport));
        }
    }

    #[test]
    fn an_empty_list_admits_nobody() {
        check(Admission::Hosts(Vec::new()), "https://login.example.com/t", false);
    }
}
