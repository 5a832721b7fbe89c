//! What the first rule that fits lets pass.

use super::*;

fn check_rule(rule: Rule, wanted: &Wanted, expected: Option<&str>) {
    let decision = decide(
        &with_rules(vec![rule.clone()]),
        &asker(None),
        &Grants::default(),
        wanted.clone(),
        NOW,
    );
    let said = decision.without_asking().err().map(|denial| denial.to_string());
    match (expected, &said) {
        (None, None) => {}
        (Some(part), Some(said)) if said.contains(part) => {}
        _ => panic!("{rule:?} says {said:?} instead of {expected:?}"),
    }
}

fn list(members: &[&str]) -> Option<Vec<String>> {
    Some(members.iter().map(|member| (*member).to_owned()).collect())
}

fn apps(names: &[&str]) -> Option<Vec<NamedApp>> {
    let named = |name: &&str| NamedApp { name: (*name).to_owned(), declared: None };
    Some(names.iter().map(named).collect())
}

#[test]
fn a_rule_allows_what_it_names_and_nothing_else_of_that_kind() {
    let wanted = Wanted::new();
    let ceiling = |ceiling| Rule { name: "rule 1".to_owned(), ceiling, ..Rule::default() };
    let accounts =
        |members: &[&str]| ceiling(Ceiling { accounts: list(members), ..Ceiling::default() });
    check_rule(accounts(&["alice@contoso.com"]), &wanted, None);
    check_rule(accounts(&["uid.utid"]), &wanted, None);
    check_rule(
        accounts(&["bob@contoso.com"]),
        &wanted,
        Some(
            "rule 1 of the daemon's configuration does not allow this program the account Alice@Contoso.com",
        ),
    );
    check_rule(accounts(&[]), &wanted, Some("the account"));
    let authorities =
        |members: &[&str]| ceiling(Ceiling { authorities: list(members), ..Ceiling::default() });
    check_rule(authorities(&["login.microsoftonline.com"]), &wanted, None);
    check_rule(
        authorities(&["login.example"]),
        &wanted,
        Some("the provider login.microsoftonline.com"),
    );
    let scopes =
        |members: &[&str]| ceiling(Ceiling { scopes: list(members), ..Ceiling::default() });
    check_rule(scopes(&["User.Read", "Mail.Read"]), &wanted, None);
    check_rule(scopes(&["https://graph.microsoft.com/User.Read"]), &wanted, None);
    check_rule(scopes(&["user.read"]), &wanted, Some("the scope User.Read"));
    check_rule(scopes(&["https://elsewhere.example/User.Read"]), &wanted, Some("the scope"));
    let audiences =
        |members: &[&str]| ceiling(Ceiling { audiences: list(members), ..Ceiling::default() });
    check_rule(audiences(&["https://graph.microsoft.com/"]), &wanted, None);
    check_rule(
        audiences(&["https://vault.azure.net"]),
        &wanted,
        Some("tokens for https://graph.microsoft.com"),
    );
    let vault = Wanted {
        scopes: ScopeSet::from_target("https://vault.azure.net/.default"),
        ..wanted.clone()
    };
    check_rule(audiences(&["https://vault.azure.net"]), &vault, None);
    let options = AuthorityOptions { oidc: true, validate: true };
    let elsewhere = Authority::parse("https://login.example.com/t", options).unwrap();
    let nameless = Wanted { authority: elsewhere, ..wanted };
    check_rule(audiences(&["https://graph.microsoft.com"]), &nameless, Some("names no resource"));
}

#[test]
fn a_rule_fits_by_all_that_it_names_of_the_caller() {
    let wanted = Wanted::new();
    let denying = |who| Rule { name: "it".to_owned(), denies: true, who, ..Rule::default() };
    let denied = Some("it of the daemon's configuration allows this program nothing");
    let whos = [
        (Who::default(), true),
        (Who { users: Some(vec![Partition::of_uid(1000)]), ..Who::default() }, true),
        (Who { users: Some(vec![Partition::of_uid(1001)]), ..Who::default() }, false),
        (Who { users: Some(Vec::new()), ..Who::default() }, false),
        (Who { programs: Some(vec!["/usr/bin/mail".into()]), ..Who::default() }, true),
        (Who { programs: Some(vec!["/usr/bin/other".into()]), ..Who::default() }, false),
        (Who { units: list(&["mail.service"]), ..Who::default() }, true),
        (Who { units: list(&["other.service"]), ..Who::default() }, false),
        (Who { apps: apps(&["mail"]), ..Who::default() }, true),
        (Who { apps: apps(&["C1"]), ..Who::default() }, true),
        (Who { apps: apps(&["c2"]), ..Who::default() }, false),
        (Who { apps: apps(&["mail"]), units: list(&["other.service"]), ..Who::default() }, false),
    ];
    for (who, fits) in whos {
        check_rule(denying(who), &wanted, denied.filter(|_| fits));
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let allowing = Rule { who: Who { apps: apps(&["mail"]), ..Who::default() }, ..Rule::default() };
    let denying = Rule { denies: true, ..Rule::default() };
    for (rules, expected) in
        [(vec![allowing.clone(), denying.clone()], true), (vec![denying, allowing], false)]
    {
        let decision =
            decide(&with_rules(rules), &asker(None), &Grants::default(), Wanted::new(), NOW);
        assert_eq!(decision.without_asking().is_ok(), expected);
    }
}

#[test]
fn a_rule_may_keep_the_person_from_being_asked() {
    let rule = Rule { forbids_asking: true, ..Rule::default() };
    check_rule(rule.clone(), &Wanted::new(), None);
    check_rule(rule.clone(), &Wanted { is_sign_in: true, ..Wanted::new() }, Some("ask the person"));
    let rule = Rule { consent: Some(Consent::Ask), ..rule };
    check_rule(rule, &Wanted::new(), Some("ask the person"));
}

#[test]
fn administration_is_for_whom_the_first_rule_that_fits_lets() {
    let check = |rules: Vec<Rule>, expected: bool| {
        let policy = with_rules(rules);
        assert_eq!(decide_on_own_administration(&policy, &asker(None)).is_ok(), expected);
        assert_eq!(decide_on_cache(&policy, &asker(None), In).is_ok(), expected);
        assert_eq!(decide_on_cache(&policy, &asker(None), Out).is_ok(), expected);
    };
    check(Vec::new(), true);
    let list = || Some(vec!["one".to_owned()]);
    let ceiling = |ceiling| Rule { ceiling, ..Rule::default() };
    for (rule, unsaid, said) in [
        (Rule::default(), true, true),
        (Rule { consent: Some(Consent::NotAsked), ..Rule::default() }, true, true),
        (Rule { consent: Some(Consent::Ask), ..Rule::default() }, false, true),
        (Rule { forbids_asking: true, ..Rule::default() }, false, true),
        (ceiling(Ceiling { accounts: list(), ..Ceiling::default() }), false, true),
        (ceiling(Ceiling { authorities: list(), ..Ceiling::default() }), false, true),
        (ceiling(Ceiling { scopes: list(), ..Ceiling::default() }), false, true),
        (ceiling(Ceiling { audiences: list(), ..Ceiling::default() }), false, true),
        (Rule { denies: true, ..Rule::default() }, false, false),
    ] {
        for (may_administer, expected) in [(None, unsaid), (Some(true), said), (Some(false), false)]
        {
            check(vec![Rule { may_administer, ..rule.clone() }], expected);
        }
    }
}

#[test]
fn a_cache_does_not_leave_where_the_person_is_to_be_asked_or_a_rule_bounds_an_application() {
    let check = |consent: Consent, rules: Vec<Rule>, expected: bool| {
        let policy = Policy { consent, ..with_rules(rules) };
        assert!(decide_on_cache(&policy, &asker(None), In).is_ok());
        let refused = decide_on_cache(&policy, &asker(None), Out).err();
        assert_eq!(refused, (!expected).then_some(Denial::CacheExportUnsaid), "{policy:?}");
    };
    let open = |may_administer| Rule { may_administer, ..Rule::default() };
    check(Consent::Ask, Vec::new(), false);
    check(Consent::Ask, vec![open(None)], false);
    check(Consent::Ask, vec![Rule { consent: Some(Consent::NotAsked), ..open(None) }], true);
    check(Consent::Ask, vec![open(Some(true))], true);

    let mail = NamedApp { name: "mail".to_owned(), declared: None };
    let who = Who { apps: Some(vec![mail]), ..Who::default() };
    let of_mail = |denies| Rule { who: who.clone(), denies, ..Rule::default() };
    check(Consent::NotAsked, vec![of_mail(false)], true);
    check(Consent::NotAsked, vec![of_mail(true)], false);
    check(Consent::NotAsked, vec![of_mail(true), open(None)], false);
    check(Consent::NotAsked, vec![of_mail(true), open(Some(true))], true);
    check(Consent::NotAsked, vec![open(None), of_mail(true)], true);
    let units = Some(vec!["other.service".to_owned()]);
    let others = Rule { who: Who { units, ..who }, denies: true, ..Rule::default() };
    check(Consent::NotAsked, vec![others], true);
}

#[test]
fn a_rule_about_an_application_of_the_configuration_fits_it_however_it_is_opened() {
    let declared = DeclaredApp {
        client_id: "C1".to_owned(),
        environments: vec!["login.microsoftonline.com".to_owned(), "login.windows.net".to_owned()],
    };
    let named = NamedApp { name: "mail".to_owned(), declared: Some(declared) };
    let who = Who { apps: Some(vec![named]), ..Who::default() };
    let rule = Rule { denies: true, who, ..Rule::default() };
    let mail = Wanted::new().application;
    for (application, fits) in [
        (mail, true),
        (Application { name: None, ..mail }, true),
        (Application { name: Some("other"), ..mail }, true),
        (Application { name: None, environment: "login.windows.net", ..mail }, true),
        (Application { name: None, environment: "login.example", ..mail }, false),
        (Application { name: None, client_id: "c2", ..mail }, false),
    ] {
        let wanted = Wanted { application, ..Wanted::new() };
        check_rule(rule.clone(), &wanted, Some("nothing").filter(|_| fits));
    }
}

#[test]
fn an_application_is_the_same_at_each_host_of_its_cloud() {
    let opened_at = |known: &str, host: &'static str| {
        let environments = vec![known.to_owned()];
        let declared = DeclaredApp { client_id: "c1".to_owned(), environments };
        let named = NamedApp { name: "it".to_owned(), declared: Some(declared) };
        let who = Who { apps: Some(vec![named]), ..Who::default() };
        let rule = Rule { denies: true, who, ..Rule::default() };
        let application =
            Application { name: None, environment: host, ..Wanted::new().application };
        let wanted = Wanted { application, ..Wanted::new() };
        decide(&with_rules(vec![rule]), &asker(None), &Grants::default(), wanted, NOW)
            .without_asking()
            .is_err()
    };
    let (public, american) = ("login.microsoftonline.com", "login-us.microsoftonline.com");
    for (known, host, expected) in [
        (public, public, true),
        (public, american, true),
        (american, public, true),
        (public, "westus2.login.microsoftonline.com", true),
        (public, "westus2.r.login.microsoftonline.com", true),
        ("login.microsoft.com", "westus2.login.microsoft.com", true),
        (public, "login.microsoftonline.us", false),
        (public, "evil-login.microsoftonline.com", false),
        ("op.example", "op.example", true),
        ("op.example", "other.op.example", false),
    ] {
        assert_eq!(opened_at(known, host), expected, "{known} {host}");
    }
}

#[test]
fn a_client_id_is_the_same_in_each_spelling_of_a_guid() {
    let id = "5e1fa8b2-0000-4000-8000-00000000da7a";
    for (client_id, expected) in [
        (id, true),
        ("5E1FA8B2-0000-4000-8000-00000000DA7A", true),
        ("{5e1fa8b2-0000-4000-8000-00000000da7a}", true),
        ("(5e1fa8b2-0000-4000-8000-00000000da7a)", true),
        ("5e1fa8b200004000800000000000da7a", true),
        (" 5e1fa8b2-0000-4000-8000-00000000da7a ", true),
        ("{0x5e1fa8b2,0x0000,0x4000,{0x80,0x00,0x00,0x00,0x00,0x00,0xda,0x7a}}", true),
        ("5e1fa8b2-0000-4000-8000-00000000da7b", false),
        ("5e1fa8b2-0000-4000-8000-00000000da7", false),
        ("", false),
    ] {
        let application = Application { client_id, name: None, ..Wanted::new().application };
        let wanted = Wanted { application, ..Wanted::new() };
        let who = Who { apps: apps(&[id]), ..Who::default() };
        let rule = Rule { denies: true, who, ..Rule::default() };
        check_rule(rule, &wanted, Some("nothing").filter(|_| expected));
    }
    // Other providers' ids are words, and hyphens and braces tell them apart.
    let application = Application { client_id: "c-1", name: None, ..Wanted::new().application };
    let wanted = Wanted { application, ..Wanted::new() };
    let who = Who { apps: apps(&["c1"]), ..Who::default() };
    check_rule(Rule { denies: true, who, ..Rule::default() }, &wanted, None);
}

#[test]
fn what_is_consented_to_for_later_is_bounded_as_what_is_asked_for_at_once() {
    let ceiling = Ceiling { scopes: list(&["User.Read"]), ..Ceiling::default() };
    let rule = Rule { ceiling, ..Rule::default() };
    let later = |scopes| Wanted { later: ScopeSet::from_target(scopes), ..Wanted::new() };
    check_rule(rule.clone(), &later("User.Read"), None);
    check_rule(rule, &later("Mail.ReadWrite"), Some("the scope Mail.ReadWrite"));
}

#[test]
fn where_tokens_are_bounded_no_field_says_what_they_are_for() {
    let by = |ceiling| Rule { name: "rule 1".to_owned(), ceiling, ..Rule::default() };
    let of_scopes = by(Ceiling { scopes: list(&["User.Read"]), ..Ceiling::default() });
    let graph = list(&["https://graph.microsoft.com"]);
    let of_audiences = by(Ceiling { audiences: graph, ..Ceiling::default() });
    let of_accounts = by(Ceiling { accounts: list(&["uid.utid"]), ..Ceiling::default() });
    for (field, is_refused) in [
        ("resource", true),
        ("Resource", true),
        ("audience", true),
        ("authorization_details", true),
        ("subject_token", true),
        ("actor_token_type", true),
        ("requested_token_type", true),
        ("resource_id", true),
        ("target", true),
        ("scopes", true),
        ("aud", true),
        ("request", true),
        ("request_uri", true),
        ("whatever", true),
        ("client_session", false),
        ("fmi_path", false),
        ("key_id", false),
        ("req_cnf", false),
        ("token_type", false),
        ("Token_Type", false),
    ] {
        let wanted = Wanted { field: Some(field), ..Wanted::new() };
        let refused = Some("rule 1 of the daemon's configuration bounds").filter(|_| is_refused);
        check_rule(of_scopes.clone(), &wanted, refused);
        check_rule(of_audiences.clone(), &wanted, refused);
        check_rule(of_accounts.clone(), &wanted, None);
    }
}

#[test]
fn an_account_that_the_first_rule_that_fits_leaves_out_is_not_known_of() {
    let mail = Who { apps: apps(&["mail"]), ..Who::default() };
    let only = |who: &Who, name: &str| {
        let ceiling = Ceiling { accounts: list(&[name]), ..Ceiling::default() };
        Rule { who: who.clone(), ceiling, ..Rule::default() }
    };
    let alices = |who: &Who| only(who, "alice@contoso.com");
    let bobs = |who: &Who| only(who, "bob@contoso.com");
    let all = Who::default();
    let denies = Rule { denies: true, ..Rule::default() };
    let check = |rules: Vec<Rule>, expected: [bool; 2]| {
        let wanted = Wanted::new();
        let (application, account) = (wanted.application(), wanted.account().unwrap());
        let application = Application { name: Some("mail"), ..application };
        let policy = with_rules(rules);
        let told = [Some(application), None]
            .map(|application| may_know_of(&policy, &asker(None), application, account));
        assert_eq!(told, expected, "{policy:?}");
    };
    check(vec![], [true, true]);
    check(vec![Rule::default()], [true, true]);
    check(vec![alices(&all)], [true, true]);
    check(vec![bobs(&all)], [false, false]);
    check(vec![denies], [false, false]);
    check(vec![alices(&mail), bobs(&all)], [true, false]);
    check(vec![bobs(&mail), alices(&all)], [false, true]);
}

struct Resource(&'static str);

impl MachineSubject for Resource {
    fn check_endpoint(&self, _admitted: &MachineEndpoints) -> Result<(), String> {
        Ok(())
    }

    fn resource(&self) -> Option<&str> {
        Some(self.0)
    }
}

#[test]
fn a_managed_identity_is_bounded_by_scopes_as_by_audiences() {
    let (vault, all) = ("https://vault.azure.net", "https://vault.azure.net/.default");
    for (scopes, audiences, expected) in [
        (None, None, true),
        (list(&[all]), None, true),
        (list(&[all]), list(&[vault]), true),
        (list(&["https://vault.azure.net/Secret.Get"]), None, false),
        (list(&["User.Read"]), None, false),
        (list(&["User.Read"]), list(&[vault]), false),
        (None, list(&["https://graph.microsoft.com"]), false),
    ] {
        let ceiling = Ceiling { scopes, audiences, ..Ceiling::default() };
        let policy = with_rules(vec![Rule { ceiling, ..Rule::default() }]);
        let decision = decide_on_machine(&policy, &asker(None), Resource(vault));
        assert_eq!(decision.is_ok(), expected, "{policy:?}");
    }
}

#[test]
fn who_may_have_nothing_is_turned_away_unless_an_earlier_rule_is_about_applications() {
    let by_apps = |denies| {
        let who = Who { apps: apps(&["mail"]), ..Who::default() };
        Rule { who, denies, ..Rule::default() }
    };
    let nothing = Rule { denies: true, ..Rule::default() };
    let of_others = Who { units: list(&["other.service"]), ..Who::default() };
    let of_others = Rule { denies: true, who: of_others, ..Rule::default() };
    for (rules, of_an_application, other) in [
        (Vec::new(), true, true),
        (vec![nothing.clone()], false, false),
        (vec![of_others.clone()], true, true),
        (vec![Rule::default(), nothing.clone()], true, true),
        (vec![by_apps(true)], true, true),
        (vec![by_apps(false), nothing.clone()], true, false),
        (vec![by_apps(true), nothing], false, false),
    ] {
        let policy = with_rules(rules);
        let decide = |errand| decide_on_entry(&policy, &asker(None), errand).is_ok();
        let decided = (decide(Errand::OfAnApplication), decide(Errand::Other));
        assert_eq!(decided, (of_an_application, other), "{policy:?}");
    }
}
