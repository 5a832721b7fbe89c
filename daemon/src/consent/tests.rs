//! What is asked once, who may answer, and what is remembered.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;

use tempfile::TempDir;
use valetkey_engine::{Attendant, Error};
use valetkey_model::{AccountId, Parent, ProcessId, ScopeSet, UnixTime};
use valetkey_policy::{Denial, Grant, Grants, ProgramKey, Question, Word};
use valetkey_proto::v1::AuditedProgram;
use valetkey_vault::{KeyChoice, KeyProvider, OpenOptions};

use super::*;
use crate::failure::Failure;
use crate::shutdown::Shutdown;

const NOW: UnixTime = UnixTime::from_seconds(1_000);

struct World {
    folder: TempDir,
    user: Partition,
    shutdown: Shutdown,
    stop: ShutdownSignal,
}

impl World {
    fn new() -> Self {
        let (shutdown, stop) = Shutdown::new();
        let folder = tempfile::tempdir().unwrap();
        Self { folder, user: Partition::of_uid(1000), shutdown, stop }
    }

    async fn book(&self) -> Arc<Book> {
        self.consent().book(&self.user).await.unwrap()
    }

    fn consent(&self) -> Consent {
        Consent::new(Arc::new(open(self.folder.path())), self.stop.clone())
    }
}

fn open(folder: &Path) -> VaultStore {
    let mut options = OpenOptions::new(folder, 1_000);
    options.key = KeyChoice::Only(KeyProvider::File);
    VaultStore::open(options, Arc::new(|| 1_000)).unwrap()
}

fn process(number: u32) -> ProcessId {
    ProcessId { number, started: u64::from(number) * 10 }
}

/// What a program of `/usr/bin` asks, or with a path of its own the script in this process.
fn asking(program: &str, number: u32) -> Asking {
    let key = match program.contains("python") {
        true => ProgramKey::Process(process(number)),
        false => ProgramKey::Executable { path: program.into(), sandbox: None },
    };
    let question = Question {
        program: key,
        environment: "login.example.com".to_owned(),
        account: AccountId::new("alice.home").unwrap(),
        username: "alice@example.com".to_owned(),
        client_id: "client".to_owned(),
        app: None,
        scopes: ScopeSet::from_target("User.Read"),
    };
    let parents = vec![Parent { number: 1, name: "/sbin/init".to_owned() }];
    let path = Some(program.to_owned());
    let program = AuditedProgram { path, ..AuditedProgram::default() };
    Asking { question, attendant: attendant(Some(number)), program, parents }
}

/// By a connection of its own.
fn attendant(number: Option<u32>) -> Attendant {
    Attendant::new(number.map(process), &Arc::default())
}

/// What a program asks of which nothing is known.
fn asking_as_nobody() -> Asking {
    let known = asking("/usr/bin/mail", 7);
    let question = Question { program: ProgramKey::Unknown, ..known.question };
    let program = AuditedProgram::default();
    Asking { question, attendant: attendant(None), program, parents: Vec::new() }
}

fn answer(word: Word) -> Answer {
    let seconds = matches!(word, Word::No | Word::ForTime).then_some(300);
    Answer { word, seconds }
}

async fn say(book: &Book, word: Word) -> Answered {
    let open = book.prompts(std::time::Duration::ZERO, || NOW).await;
    let new_id = || format!("grant {}", NUMBERS.fetch_add(1, Ordering::Relaxed));
    let id = open.first().map_or("none", |prompt| &prompt.id);
    book.answer(id, answer(word), Some(&attendant(Some(99))), new_id, NOW).await.unwrap()
}

/// Those who ask wait before the person answers, and this is what each hears.
async fn ask_and_say(book: &Arc<Book>, askings: Vec<Asking>, word: Word) -> Vec<Heard> {
    let count = askings.len();
    let ask = |asking: Asking| {
        let book = Arc::clone(book);
        tokio::spawn(async move { book.ask(&asking, || "prompt".to_owned(), NOW).await })
    };
    let asked: Vec<_> = askings.into_iter().map(ask).collect();
    while waiting(book).await < count {
        tokio::task::yield_now().await;
    }
    assert!(matches!(say(book, word).await, Answered::Told(_)));
    let mut heard = Vec::new();
    for asked in asked {
        heard.push(asked.await.unwrap());
    }
    heard
}

static NUMBERS: AtomicU32 = AtomicU32::new(0);

type Heard = Result<Option<Grant>, Failure>;

async fn waiting(book: &Book) -> usize {
    let open = book.prompts(std::time::Duration::ZERO, || NOW).await;
    open.iter().map(|prompt| prompt.waiting()).sum()
}

fn said(grants: &Grants, asking: &Asking, now: UnixTime) -> Option<Word> {
    grants.find(&asking.question, now).map(|grant| grant.word)
}

#[tokio::test]
async fn fifty_callers_cause_one_prompt_and_hear_one_answer() {
    let world = World::new();
    let book = world.book().await;
    let callers = (0..50).map(|_| asking("/usr/bin/mail", 7)).collect();
    let heard = ask_and_say(&book, callers, Word::Always).await;
    assert!(heard.iter().all(|heard| matches!(heard, Ok(None))));
    assert_eq!(said(&book.grants(), &asking("/usr/bin/mail", 7), NOW), Some(Word::Always));
}

#[tokio::test]
async fn fifty_scripts_of_one_parent_cause_one_prompt_and_the_one_that_was_shown_is_remembered() {
    let world = World::new();
    let book = world.book().await;
    let callers = (10..60).map(|number| asking("/usr/bin/python3", number)).collect();
    let heard = ask_and_say(&book, callers, Word::UntilLock).await;
    let is_once = |heard: &Heard| matches!(heard, Ok(Some(grant)) if grant.word == Word::Once);
    assert!(matches!(heard[0], Ok(None)) && heard[1..].iter().all(is_once));
    let grants = book.grants();
    assert_eq!(said(&grants, &asking("/usr/bin/python3", 10), NOW), Some(Word::UntilLock));
    assert_eq!(said(&grants, &asking("/usr/bin/python3", 11), NOW), None);
}

#[tokio::test]
async fn once_is_for_those_who_wait_and_is_not_remembered() {
    let world = World::new();
    let book = world.book().await;
    let heard = ask_and_say(&book, vec![asking("/usr/bin/mail", 7)], Word::Once).await;
    assert!(matches!(&heard[0], Ok(Some(grant)) if grant.word == Word::Once));
    assert_eq!(book.grants().iter().len(), 0);
}

#[tokio::test]
async fn other_programs_accounts_and_scopes_are_other_prompts_up_to_a_limit() {
    let world = World::new();
    let book = world.book().await;
    let mut others = vec![asking("/usr/bin/mail", 7), asking("/usr/bin/calendar", 8)];
    for number in 0..5 {
        let mut other = asking("/usr/bin/mail", 7);
        other.question.scopes = ScopeSet::from_target(&format!("Scope{number}"));
        others.push(other);
    }
    let mut waiting = Vec::new();
    for (number, asking) in others.into_iter().enumerate() {
        let book = Arc::clone(&book);
        let asked = async move { book.ask(&asking, || number.to_string(), NOW).await };
        waiting.push(Box::pin(asked));
    }
    for (number, asked) in waiting.iter_mut().enumerate() {
        let heard = futures_util::poll!(asked);
        let is_expected = match heard {
            Poll::Pending => number < 5,
            Poll::Ready(heard) => {
                number >= 5 && matches!(heard, Err(Failure::Denied(Denial::TooManyQuestions)))
            }
        };
        assert!(is_expected, "{number}");
    }
}

#[tokio::test]
async fn who_asks_does_not_answer() {
    let world = World::new();
    let book = world.book().await;
    let asking = asking("/usr/bin/mail", 7);
    let mut asked = Box::pin(book.ask(&asking, || "prompt".to_owned(), NOW));
    assert!(futures_util::poll!(&mut asked).is_pending());
    let said = async |number| {
        let respondent = attendant(Some(number));
        let answer = answer(Word::Always);
        book.answer("prompt", answer, Some(&respondent), String::new, NOW).await.unwrap()
    };
    assert!(matches!(said(7).await, Answered::OwnAnswer));
    assert!(futures_util::poll!(&mut asked).is_pending());
    assert!(matches!(said(99).await, Answered::Told(_)));
    assert!(matches!(asked.await, Ok(None)));
}

#[tokio::test]
async fn two_of_whom_nothing_is_known_do_not_share_an_answer() {
    let world = World::new();
    let book = world.book().await;
    let (one, other) = (asking_as_nobody(), asking_as_nobody());
    let ask = |asking, id: &'static str| Box::pin(book.ask(asking, move || id.to_owned(), NOW));
    let mut first = ask(&one, "first");
    let mut again = ask(&one, "again");
    let mut second = ask(&other, "second");
    for asked in [&mut first, &mut again, &mut second] {
        assert!(futures_util::poll!(asked).is_pending());
    }
    let respondent = attendant(Some(99));
    let (yes, new_id) = (answer(Word::UntilLock), || "grant".to_owned());
    let told = book.answer("first", yes, Some(&respondent), new_id, NOW).await.unwrap();
    assert!(matches!(told, Answered::Told(_)));
    for asked in [first, again] {
        assert!(matches!(asked.await, Ok(Some(grant)) if grant.word == Word::Once));
    }
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(said(&book.grants(), &other, NOW), None);
    drop(second);
    assert_eq!(waiting(&book).await, 0);
    assert!(book.prompts(std::time::Duration::ZERO, || NOW).await.is_empty());
}

#[tokio::test]
async fn many_of_whom_nothing_is_known_are_one_program_to_the_limit_of_questions() {
    let world = World::new();
    let book = world.book().await;
    let askings: Vec<_> = (0..5).map(|_| asking_as_nobody()).collect();
    let ids = (0..5).map(|number: u32| move || number.to_string());
    let asked = askings.iter().zip(ids).map(|(asking, id)| Box::pin(book.ask(asking, id, NOW)));
    let mut refused = Vec::new();
    for mut asked in asked.collect::<Vec<_>>().iter_mut() {
        refused.push(futures_util::poll!(&mut asked).is_ready());
    }
    assert_eq!(refused, [false, false, false, false, true]);
}

#[cfg(any(target_os = "linux", windows))]
#[tokio::test]
async fn who_cannot_be_told_from_who_asks_does_not_answer() {
    let world = World::new();
    let book = world.book().await;
    let asking = asking_as_nobody();
    let mut asked = Box::pin(book.ask(&asking, || "prompt".to_owned(), NOW));
    assert!(futures_util::poll!(&mut asked).is_pending());
    let (once, respondent) = (answer(Word::Once), attendant(None));
    let told = book.answer("prompt", once, Some(&respondent), String::new, NOW).await.unwrap();
    assert!(matches!(told, Answered::OwnAnswer));
    assert!(futures_util::poll!(&mut asked).is_pending());
    let told = book.answer("prompt", once, None, String::new, NOW).await.unwrap();
    assert!(matches!(told, Answered::Told(_)), "by the daemon's own side");
    assert!(asked.await.is_ok());
}

#[tokio::test]
async fn nothing_that_lasts_is_said_of_what_only_its_process_is_known_of_or_not_even_that() {
    let world = World::new();
    let book = world.book().await;
    for asking in [asking("/usr/bin/python3", 7), asking_as_nobody()] {
        let mut asked = Box::pin(book.ask(&asking, || "prompt".to_owned(), NOW));
        assert!(futures_util::poll!(&mut asked).is_pending());
        for word in [Word::ForTime, Word::Always] {
            assert!(matches!(say(&book, word).await, Answered::OutlivesProgram), "{word:?}");
        }
        assert_eq!(book.grants().iter().filter(|it| it.word.is_lasting()).count(), 0);
        assert!(futures_util::poll!(&mut asked).is_pending(), "who waits goes on waiting");
        assert!(matches!(say(&book, Word::UntilLock).await, Answered::Told(_)));
        assert!(asked.await.is_ok());
    }
}

#[tokio::test]
async fn an_answer_comes_once() {
    let world = World::new();
    let book = world.book().await;
    ask_and_say(&book, vec![asking("/usr/bin/mail", 7)], Word::No).await;
    assert!(matches!(say(&book, Word::Always).await, Answered::Unknown));
    assert_eq!(said(&book.grants(), &asking("/usr/bin/mail", 7), NOW), Some(Word::No));
    let later = NOW.plus_seconds(301);
    assert_eq!(said(&book.grants(), &asking("/usr/bin/mail", 7), later), None);
}

#[tokio::test(start_paused = true)]
async fn whom_nobody_answers_is_told_so_and_the_prompt_waits_for_the_next_try() {
    let world = World::new();
    let book = world.book().await;
    let asking = asking("/usr/bin/mail", 7);
    let heard = book.ask(&asking, || "first".to_owned(), NOW).await;
    assert!(matches!(heard, Err(Failure::Denied(Denial::Unanswered { .. }))));
    let open = async |now| book.prompts(std::time::Duration::ZERO, move || now).await.len();
    assert_eq!(open(NOW.plus_seconds(299)).await, 1);
    assert_eq!(open(NOW.plus_seconds(300)).await, 0);
}

#[tokio::test]
async fn what_outlives_the_daemon_is_stored_and_the_rest_is_not() {
    let world = World::new();
    {
        let consent = world.consent();
        let book = consent.book(&world.user).await.unwrap();
        for (word, program) in [
            (Word::Always, "/usr/bin/mail"),
            (Word::ForTime, "/usr/bin/calendar"),
            (Word::UntilLock, "/usr/bin/notes"),
            (Word::No, "/usr/bin/game"),
            (Word::UntilLock, "/usr/bin/python3"),
        ] {
            ask_and_say(&book, vec![asking(program, 7)], word).await;
        }
        assert_eq!(book.grants().iter().len(), 5);
    }
    let grants = world.book().await.grants();
    let mut kept: Vec<_> = grants.iter().map(|grant| grant.word).collect();
    kept.sort_by_key(|word| *word != Word::Always);
    assert_eq!(kept, [Word::Always, Word::ForTime]);
    assert_eq!(said(&grants, &asking("/usr/bin/mail", 7), NOW), Some(Word::Always));
    let over = NOW.plus_seconds(300);
    assert_eq!(said(&grants, &asking("/usr/bin/calendar", 7), over), None);
}

#[tokio::test]
async fn a_revoked_grant_is_gone_from_the_store_too() {
    let world = World::new();
    {
        let consent = world.consent();
        let book = consent.book(&world.user).await.unwrap();
        ask_and_say(&book, vec![asking("/usr/bin/mail", 7)], Word::Always).await;
        let id = book.grants().iter().map(|grant| grant.id.clone()).next().unwrap();
        assert_eq!(book.revoke(|grant| grant.id == id).await.unwrap(), 1);
        assert_eq!(book.revoke(|grant| grant.id == id).await.unwrap(), 0);
    }
    assert_eq!(world.book().await.grants().iter().len(), 0);
}

#[tokio::test]
async fn one_users_word_is_not_anothers() {
    let world = World::new();
    let consent = world.consent();
    let mine = consent.book(&world.user).await.unwrap();
    ask_and_say(&mine, vec![asking("/usr/bin/mail", 7)], Word::Always).await;
    let theirs = consent.book(&Partition::of_uid(1001)).await.unwrap();
    assert_eq!(theirs.grants().iter().len(), 0);
}

#[tokio::test]
async fn a_lock_forgets_what_is_not_stored_and_ends_the_waiting() {
    let world = World::new();
    let consent = world.consent();
    let book = consent.book(&world.user).await.unwrap();
    ask_and_say(&book, vec![asking("/usr/bin/mail", 7)], Word::UntilLock).await;
    let asking = asking("/usr/bin/calendar", 8);
    let mut asked = Box::pin(book.ask(&asking, || "prompt".to_owned(), NOW));
    assert!(futures_util::poll!(&mut asked).is_pending());
    consent.forget();
    assert!(matches!(asked.await, Ok(None)));
    assert_eq!(consent.book(&world.user).await.unwrap().grants().iter().len(), 0);
}

#[tokio::test]
async fn who_waits_for_an_answer_does_not_hold_up_the_end() {
    let world = World::new();
    let book = world.book().await;
    let asking = asking("/usr/bin/mail", 7);
    let mut asked = Box::pin(book.ask(&asking, || "prompt".to_owned(), NOW));
    assert!(futures_util::poll!(&mut asked).is_pending());
    world.shutdown.request();
    assert!(matches!(asked.await, Err(Failure::Engine(Error::ShuttingDown))));
}

mod peace;
