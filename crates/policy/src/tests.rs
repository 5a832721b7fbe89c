//! What the policy lets pass, what it denies, and what it has the person asked about.

use std::path::PathBuf;

use valetkey_model::{AccountId, Authority, AuthorityOptions, Executable, ProcessId, ScopeSet};
use valetkey_model::{Confinement, Program, Unidentified};

use super::*;

mod bounds;
mod rules;

struct To {
    authority: Authority,
    proxies: Vec<&'static str>,
    endpoint: Option<&'static str>,
}

impl Subject for To {
    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn application(&self) -> Application<'_> {
        Application { client_id: "client", environment: "there", name: None, is_shared: true }
    }

    fn proxies(&self) -> Vec<&str> {
        self.proxies.clone()
    }

    fn instance_discovery_endpoint(&self) -> Option<&str> {
        self.endpoint
    }
}

fn caller() -> Caller {
    let process = Some(ProcessId { number: 7, started: 70 });
    Caller { process, ..Caller::of(Partition::of_uid(1000)) }
}

fn authority(text: &str) -> Authority {
    Authority::parse(text, AuthorityOptions::default()).unwrap()
}

fn decide_to(policy: &Policy, request: To) -> Result<Authorized<To>, Denial> {
    let asker = Asker::plain(&caller());
    decide(policy, &asker, &Grants::default(), request, UnixTime::from_seconds(0)).without_asking()
}

fn check(authorities: Admission, authority: &str, expected: bool) {
    check_by_way_of(authorities, authority, &[], expected);
}

fn check_by_way_of(authorities: Admission, to: &str, proxies: &[&'static str], expected: bool) {
    let policy = Policy { authorities, ..Policy::of_user() };
    let to = To { authority: authority(to), proxies: proxies.to_vec(), endpoint: None };
    assert_eq!(decide_to(&policy, to).is_ok(), expected);
}

#[test]
fn an_instance_discovery_endpoint_must_be_listed_whoever_asks() {
    let listed = "https://clouds.example/instance";
    for (endpoint, expected) in [
        (None, true),
        (Some(listed), true),
        (Some("https://clouds.example/instance2"), false),
        (Some("https://clouds.example/instance?x=1"), false),
        (Some("https://evil.example/instance"), false),
    ] {
        let instance_discovery_endpoints = vec![listed.to_owned()];
        let policy = Policy { instance_discovery_endpoints, ..Policy::of_user() };
        let authority = authority("https://login.example.com/t");
        let decision = decide_to(&policy, To { authority, proxies: Vec::new(), endpoint });
        assert_eq!(decision.is_ok(), expected, "{endpoint:?}");
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
    let hosts =
        || Admission::Hosts(vec!["login.example.com".to_owned(), "proxy.example:3128".to_owned()]);
    check_by_way_of(hosts(), authority, &["proxy.example:3128"], true);
    check_by_way_of(hosts(), authority, &["proxy.example:3128", "metadata.internal"], false);
    check_by_way_of(Admission::Any, authority, &["metadata.internal"], true);
}

#[test]
fn an_empty_list_admits_nobody() {
    check(Admission::Hosts(Vec::new()), "https://login.example.com/t", false);
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
    let asker = asker(None);
    for forbids_cache_export in [false, true] {
        let policy = Policy { forbids_cache_export, ..Policy::of_user() };
        assert!(decide_on_cache(&policy, &asker, In).is_ok());
        let out = decide_on_cache(&policy, &asker, Out);
        assert_eq!(out.err(), forbids_cache_export.then_some(Denial::CacheExport));
    }
}

/// Who asks in the tests of rules and grants: an identified program, unless `process` gives another.
fn asker(process: Option<u32>) -> Arc<Asker> {
    let path = PathBuf::from("/usr/bin/mail");
    let executable = match process {
        None => Executable::Identified(path.clone()),
        Some(_) => Executable::Unidentified {
            path: Some("/usr/bin/python3".into()),
            why: Unidentified::Interpreter,
        },
    };
    let process = Some(ProcessId { number: process.unwrap_or(7), started: 70 });
    let program = Program {
        executable,
        unit: Some("mail.service".to_owned()),
        confinement: Confinement::Free,
    };
    Asker::new(&Caller { process, ..caller() }, program, vec![path])
}

/// A token request in the tests of rules and grants.
#[derive(Clone, Debug)]
struct Wanted {
    authority: Authority,
    application: Application<'static>,
    scopes: ScopeSet,
    later: ScopeSet,
    field: Option<&'static str>,
    account: AccountId,
    is_sign_in: bool,
    bound: Option<Bound>,
}

impl Wanted {
    fn new() -> Self {
        Self {
            authority: authority("https://login.microsoftonline.com/common"),
            application: Application {
                client_id: "c1",
                environment: "login.microsoftonline.com",
                name: Some("mail"),
                is_shared: true,
            },
            scopes: ScopeSet::from_target("User.Read"),
            later: ScopeSet::default(),
            field: None,
            account: AccountId::new("uid.utid").unwrap(),
            is_sign_in: false,
            bound: None,
        }
    }
}

impl Subject for Wanted {
    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn application(&self) -> Application<'_> {
        self.application
    }

    fn scopes(&self) -> Option<&ScopeSet> {
        Some(&self.scopes)
    }

    fn scopes_for_later(&self) -> Option<&ScopeSet> {
        Some(&self.later)
    }

    fn extra_fields(&self) -> Vec<&str> {
        self.field.into_iter().collect()
    }

    fn accept_bound(&mut self, bound: Option<Bound>) {
        self.bound = bound;
    }

    fn account(&self) -> Option<Account<'_>> {
        let account = Account {
            environment: "login.microsoftonline.com",
            id: &self.account,
            username: "Alice@Contoso.com",
        };
        (!self.is_sign_in).then_some(account)
    }

    fn asks_the_person(&self) -> bool {
        self.is_sign_in
    }
}

const NOW: UnixTime = UnixTime::from_seconds(1_000);

fn with_rules(rules: Vec<Rule>) -> Policy {
    Policy { rules, ..Policy::of_user() }
}

fn asking() -> Policy {
    Policy { consent: Consent::Ask, ..Policy::of_user() }
}

/// The question that is put to the person about a request.
fn question(asker: &Arc<Asker>, grants: &Grants, wanted: &Wanted) -> Option<Question> {
    match decide(&asking(), asker, grants, wanted.clone(), NOW) {
        Decision::Ask(question, _) => Some(*question),
        Decision::Authorized(_) => None,
        Decision::Denied(denial) => panic!("{denial}"),
    }
}

#[test]
fn who_uses_an_account_first_is_asked_about_and_not_again() {
    let (asker, none) = (asker(None), Grants::default());
    let asked = question(&asker, &none, &Wanted::new()).unwrap();
    assert_eq!(asked.username, "Alice@Contoso.com");
    let grants = none.with(asked.grant(Word::Always, "g1".to_owned(), NOW, None));
    assert_eq!(question(&asker, &grants, &Wanted::new()), None);
}

#[test]
fn a_grant_is_for_one_program_account_application_and_its_scopes() {
    let (asker, none) = (asker(None), Grants::default());
    let granted = Wanted { scopes: ScopeSet::from_target("Mail.Read User.Read"), ..Wanted::new() };
    let asked = question(&asker, &none, &granted).unwrap();
    let grants = none.with(asked.grant(Word::Always, "g1".to_owned(), NOW, None));
    let others = [
        (Wanted::new(), false),
        (Wanted { scopes: ScopeSet::from_target("Files.Read"), ..Wanted::new() }, true),
        (Wanted { account: AccountId::new("other.utid").unwrap(), ..Wanted::new() }, true),
        (
            Wanted {
                application: Application { client_id: "c2", ..granted.application },
                ..Wanted::new()
            },
            true,
        ),
    ];
    for (wanted, is_asked) in others {
        assert_eq!(question(&asker, &grants, &wanted).is_some(), is_asked);
    }
    let another = self::asker(Some(8));
    assert!(question(&another, &grants, &Wanted::new()).is_some());
}

#[test]
fn who_signed_the_account_in_uses_it_through_any_application_for_anything() {
    let (asker, none) = (asker(None), Grants::default());
    let asked = question(&asker, &none, &Wanted::new()).unwrap();
    let signed_in = Grant {
        client_id: None,
        scopes: None,
        ..asked.grant(Word::SignedIn, "g1".to_owned(), NOW, None)
    };
    let grants = none.with(signed_in);
    let application = Application { client_id: "c2", ..Wanted::new().application };
    let wanted =
        Wanted { application, scopes: ScopeSet::from_target("Files.Read"), ..Wanted::new() };
    assert_eq!(question(&asker, &grants, &wanted), None);
}

#[test]
fn an_unidentified_program_is_known_by_its_process_alone() {
    let (one, other, none) = (asker(Some(8)), asker(Some(9)), Grants::default());
    let asked = question(&one, &none, &Wanted::new()).unwrap();
    let grants = none.with(asked.grant(Word::Always, "g1".to_owned(), NOW, None));
    assert_eq!(question(&one, &grants, &Wanted::new()), None);
    assert!(question(&other, &grants, &Wanted::new()).is_some());
}

#[test]
fn of_whom_nothing_is_known_no_answer_is_remembered() {
    let nobody = Asker::plain(&Caller { process: None, ..caller() });
    let asked = question(&nobody, &Grants::default(), &Wanted::new()).unwrap();
    let grants = Grants::default().with(asked.grant(Word::Always, "g1".to_owned(), NOW, None));
    assert!(question(&nobody, &grants, &Wanted::new()).is_some());
}

#[test]
fn a_no_holds_for_its_pause_and_the_last_word_counts() {
    let (asker, none) = (asker(None), Grants::default());
    let asked = question(&asker, &none, &Wanted::new()).unwrap();
    let at = |seconds| Some(UnixTime::from_seconds(seconds));
    let no = |until| asked.grant(Word::No, "g2".to_owned(), NOW, at(until));
    let refused = decide(&asking(), &asker, &none.with(no(1_300)), Wanted::new(), NOW);
    let denial = refused.without_asking().unwrap_err();
    assert_eq!(denial.retry_after(), Some(300));
    assert!(denial.hint().unwrap().contains("valetkey grants revoke"));
    assert!(question(&asker, &none.with(no(1_000)), &Wanted::new()).is_some());
    let yes = asked.grant(Word::ForTime, "g3".to_owned(), NOW, at(2_000));
    let grants = none.with(no(1_300)).with(yes);
    assert_eq!(question(&asker, &grants, &Wanted::new()), None);
}

#[test]
fn nobody_is_asked_about_a_partition_of_the_applications_own() {
    let application = Application { is_shared: false, ..Wanted::new().application };
    let wanted = Wanted { application, ..Wanted::new() };
    assert_eq!(question(&asker(None), &Grants::default(), &wanted), None);
}

#[test]
fn a_rule_may_have_its_own_mind_about_consent() {
    let rule = |consent| vec![Rule { consent, ..Rule::default() }];
    for (of_policy, of_rule, is_asked) in [
        (Consent::Ask, Some(Consent::NotAsked), false),
        (Consent::Ask, None, true),
        (Consent::NotAsked, Some(Consent::Ask), true),
        (Consent::NotAsked, None, false),
    ] {
        let policy = Policy { consent: of_policy, rules: rule(of_rule), ..Policy::of_user() };
        let decision = decide(&policy, &asker(None), &Grants::default(), Wanted::new(), NOW);
        assert_eq!(matches!(decision, Decision::Ask(..)), is_asked, "{of_policy:?} {of_rule:?}");
    }
}
