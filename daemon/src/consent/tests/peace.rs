//! No program wears the person out, or turns what was said about others.

use super::*;

/// Of another scope than [`asking`].
fn asking_for(program: &str, number: u32, scopes: &str) -> Asking {
    let mut asking = asking(program, number);
    asking.question.scopes = ScopeSet::from_target(scopes);
    asking.question.client_id = format!("client of {scopes}");
    asking
}

#[tokio::test]
async fn a_no_holds_whatever_the_program_asks_for_next_and_through_a_lock() {
    let world = World::new();
    let consent = world.consent();
    let book = consent.book(&world.user).await.unwrap();
    ask_and_say(&book, vec![asking("/usr/bin/mail", 7)], Word::No).await;
    consent.forget();
    let book = consent.book(&world.user).await.unwrap();
    for (program, expected) in [("/usr/bin/mail", Some(Word::No)), ("/usr/bin/calendar", None)] {
        let next = asking_for(program, 8, "Mail.ReadWrite");
        assert_eq!(said(&book.grants(), &next, NOW), expected, "{program}");
        assert_eq!(said(&book.grants(), &next, NOW.plus_seconds(300)), None);
    }
}

#[tokio::test]
async fn a_yes_outlives_a_no_to_more() {
    let world = World::new();
    let book = world.book().await;
    ask_and_say(&book, vec![asking("/usr/bin/mail", 7)], Word::Always).await;
    let more = asking_for("/usr/bin/mail", 7, "Mail.ReadWrite");
    ask_and_say(&book, vec![more], Word::No).await;
    assert_eq!(said(&book.grants(), &asking("/usr/bin/mail", 7), NOW), Some(Word::Always));
}

#[tokio::test]
async fn a_yes_is_about_the_process_that_was_shown_and_those_who_joined_get_one_answer() {
    let world = World::new();
    let book = world.book().await;
    let askings = vec![asking("/usr/bin/python3", 7), asking("/usr/bin/python3", 8)];
    let heard = ask_and_say(&book, askings, Word::UntilLock).await;
    let once: Vec<_> = heard.into_iter().map(|heard| heard.unwrap().map(|it| it.word)).collect();
    assert_eq!(once, [None, Some(Word::Once)]);
    let remembered = |number| said(&book.grants(), &asking("/usr/bin/python3", number), NOW);
    assert_eq!((remembered(7), remembered(8)), (Some(Word::UntilLock), None));
}

#[tokio::test]
async fn a_no_is_about_all_who_have_joined() {
    let world = World::new();
    let book = world.book().await;
    let askings = vec![asking("/usr/bin/python3", 7), asking("/usr/bin/python3", 8)];
    ask_and_say(&book, askings, Word::No).await;
    let remembered = |number| said(&book.grants(), &asking("/usr/bin/python3", number), NOW);
    assert_eq!((remembered(7), remembered(8)), (Some(Word::No), Some(Word::No)));
}

fn sign_in(program: &str, number: usize) -> Grant {
    let question = asking_for(program, 7, &number.to_string()).question;
    question.grant(Word::SignedIn, format!("{program} {number}"), NOW, None)
}

#[tokio::test]
async fn no_program_pushes_out_what_was_said_about_others_or_in_words() {
    let world = World::new();
    let book = world.book().await;
    ask_and_say(&book, vec![asking("/usr/bin/mail", 7)], Word::Always).await;
    book.keep(vec![sign_in("/usr/bin/calendar", 0)], NOW).await.unwrap();
    for number in 0..100 {
        book.keep(vec![sign_in("/usr/bin/mail", number)], NOW).await.unwrap();
    }
    let grants = book.grants();
    let ids: Vec<_> = grants.iter().map(|grant| grant.id.as_str()).collect();
    assert_eq!(ids.len(), 1 + 64);
    assert!(ids.contains(&"/usr/bin/calendar 0") && ids.contains(&"/usr/bin/mail 99"));
    assert!(!ids.contains(&"/usr/bin/mail 0"));
    assert_eq!(said(&grants, &asking("/usr/bin/mail", 7), NOW), Some(Word::Always));
}

async fn open(book: &Book) -> Vec<String> {
    let open = book.prompts(std::time::Duration::ZERO, || NOW).await;
    open.iter().map(|prompt| prompt.id.clone()).collect()
}

#[tokio::test]
async fn questions_that_somebody_waits_for_come_first_and_the_others_give_way() {
    let world = World::new();
    let book = world.book().await;
    let ask = |number: u32| {
        let asking = asking_for("/usr/bin/mail", 7, &number.to_string());
        let book = Arc::clone(&book);
        Box::pin(async move { book.ask(&asking, || number.to_string(), NOW).await })
    };
    for number in 0..4 {
        // It is asked, and waits no more.
        assert!(futures_util::poll!(&mut ask(number)).is_pending());
    }
    assert_eq!(open(&book).await, ["0", "1", "2", "3"]);
    let mut waiting = ask(2);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    assert_eq!(open(&book).await, ["2", "0", "1", "3"]);
    let mut one_more = ask(4);
    assert!(futures_util::poll!(&mut one_more).is_pending());
    assert_eq!(open(&book).await, ["2", "4"]);
}

#[tokio::test]
async fn a_question_of_a_process_that_is_gone_is_put_to_nobody() {
    let world = World::new();
    let book = world.book().await;
    let connection = Arc::default();
    let mut asking = asking("/usr/bin/python3", 7);
    asking.attendant = Attendant::new(Some(process(7)), &connection);
    assert!(futures_util::poll!(Box::pin(book.ask(&asking, || "it".to_owned(), NOW))).is_pending());
    assert_eq!(open(&book).await, ["it"], "it may come back for the answer");
    drop(connection);
    assert!(open(&book).await.is_empty());
}
