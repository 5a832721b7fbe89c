//! What a token at hand may be good for: by the person's word.

use super::*;

/// What the person has let the program have of it in these words, each for its scopes, or for any.
fn said(words: &[(Word, Option<&str>)]) -> Grants {
    let asked = question(&asker(None), &Grants::default(), &Wanted::new()).unwrap();
    let grants = words.iter().map(|(word, scopes)| Grant {
        scopes: scopes.map(ScopeSet::from_target),
        ..asked.grant(*word, "g".to_owned(), NOW, None)
    });
    Grants::new(grants.collect())
}

/// Whether a token for these scopes is an answer, where `User.Read` is asked for.
fn check(grants: &Grants, granted: &str, expected: bool) {
    let wanted = Wanted::new();
    let authority = wanted.authority.clone();
    let decision = decide(&asking(), &asker(None), grants, wanted, NOW);
    let bound = decision.without_asking().unwrap().into_request().bound;
    let granted = ScopeSet::from_target(granted);
    let admits = bound.is_none_or(|bound| bound.admits(&granted, &authority));
    assert_eq!(admits, expected, "{grants:?} {granted:?}");
}

#[test]
fn a_token_that_is_good_for_more_than_the_persons_word_is_no_answer() {
    let graph = "https://graph.microsoft.com";
    let (both, all) = ("Mail.ReadWrite User.Read", format!("{graph}/.default User.Read"));
    for word in [Word::Always, Word::UntilLock, Word::ForTime, Word::Once] {
        let grants = said(&[(word, Some("User.Read"))]);
        check(&grants, "User.Read openid profile offline_access", true);
        check(&grants, &format!("{graph}/User.Read"), true);
        check(&grants, both, false);
        check(&grants, "https://vault.azure.net/User.Read", false);
    }
    check(&said(&[(Word::Always, Some(both))]), both, true);
    let one_by_one = [(Word::Always, Some("User.Read")), (Word::Always, Some("Mail.ReadWrite"))];
    check(&said(&one_by_one), both, true);
    check(
        &said(&[(Word::Always, Some("User.Read")), (Word::No, Some("Mail.ReadWrite"))]),
        both,
        false,
    );
    let of_graph = said(&[(Word::Always, Some(&all))]);
    check(&of_graph, both, true);
    check(&of_graph, "User.Read https://vault.azure.net/Secret.Get", false);
}

#[test]
fn who_signed_the_account_in_is_answered_with_any_token_of_it() {
    check(&said(&[(Word::SignedIn, None)]), "Mail.ReadWrite User.Read", true);
    check(
        &said(&[(Word::SignedIn, None), (Word::Always, Some("User.Read"))]),
        "Mail.ReadWrite",
        true,
    );
}

#[test]
fn a_rule_and_the_person_both_bound_what_a_token_is_good_for() {
    let scopes = Some(vec!["User.Read".to_owned(), "Mail.Read".to_owned()]);
    let ceiling = Ceiling { scopes, ..Ceiling::default() };
    let rules = vec![Rule { ceiling, ..Rule::default() }];
    let policy = Policy { rules, ..asking() };
    let grants = said(&[(Word::Always, Some("User.Read Files.Read"))]);
    let authority = Wanted::new().authority;
    let decision = decide(&policy, &asker(None), &grants, Wanted::new(), NOW);
    let bound = decision.without_asking().unwrap().into_request().bound.unwrap();
    for (granted, expected) in
        [("User.Read", true), ("User.Read Mail.Read", false), ("User.Read Files.Read", false)]
    {
        assert_eq!(
            bound.admits(&ScopeSet::from_target(granted), &authority),
            expected,
            "{granted}"
        );
    }
}

#[test]
fn where_the_person_is_asked_what_a_token_is_for_no_field_says_otherwise() {
    let (yes, none) = (said(&[(Word::Always, Some("User.Read"))]), Grants::default());
    let signed_in = said(&[(Word::SignedIn, None)]);
    for (policy, grants, field, is_refused) in [
        (asking(), &yes, "resource", true),
        (asking(), &yes, "whatever", true),
        (asking(), &none, "resource", true),
        (asking(), &yes, "req_cnf", false),
        (asking(), &signed_in, "resource", false),
        (Policy::of_user(), &none, "resource", false),
    ] {
        let wanted = Wanted { field: Some(field), ..Wanted::new() };
        let denial = decide(&policy, &asker(None), grants, wanted, NOW).without_asking().err();
        let expected = is_refused.then(|| Denial::Field(field.to_owned()));
        assert_eq!(denial, expected, "{grants:?} {field}");
    }
    assert!(Denial::Field("resource".to_owned()).hint().unwrap().contains("`scopes`"));
}
