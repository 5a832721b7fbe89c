//! The steps of a story, and those who take part.

use arbitrary::{Arbitrary, Result, Unstructured};

pub(super) const UIDS: [u32; 2] = [1000, 1001];
const PEOPLE: [&str; 2] = ["ada", "bob"];
pub(super) const CLIENTS: [&str; 3] = ["editor", "reader", "writer"];
const SCOPES: [&str; 3] = ["a", "b", "a b"];
const CHALLENGE: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1"}}}"#;

/// Who, as which user of the machine, at which application, for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Errand {
    pub(super) uid: u32,
    pub(super) person: &'static str,
    pub(super) client: &'static str,
    pub(super) scopes: &'static str,
}

/// A silent request.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) errand: Errand,
    pub(super) force_refresh: bool,
    is_challenged: bool,
}

/// What a provider does to one redemption.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Fault {
    Offline,
    Unavailable,
    Throttled,
    Page,
    /// It answers, and the answer does not arrive.
    Lost,
    Dead,
    NeedsPerson,
}

/// What happens next.
#[derive(Arbitrary, Debug)]
pub(super) enum Step {
    SignIn(Errand),
    /// All of them at once.
    Ask(Box<[Option<Question>; 6]>),
    AskOne(Question),
    /// So many of the usual spans.
    Advance(Span),
    /// The clock is set back.
    SetBack(Span),
    SignOut(Errand),
    /// The provider ends all that a person has.
    EndSignIns(Errand),
    Fail(Fault),
    SetDisk {
        works: bool,
    },
    Rotate(bool),
    Family {
        size: u8,
    },
    /// Another library's tokens come in: an access token, a refresh token, or both.
    Import {
        errand: Errand,
        access_token: bool,
        refresh_token: bool,
    },
    /// All that is in memory is dropped, and the store is opened again.
    Lock,
    Unload(Errand),
    Restart,
    /// The process ends after the provider has answered and before that is saved.
    KillBeforeSave(Question),
}

/// A span of time that something depends on.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Span {
    Second,
    Minute,
    HalfLife,
    AlmostLife,
    Life,
    Day,
}

impl Span {
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::HalfLife => 1800,
            Self::AlmostLife => 3300,
            Self::Life => 3600,
            Self::Day => 90_000,
        }
    }
}

impl Question {
    pub(super) fn challenge(&self) -> Option<String> {
        self.is_challenged.then(|| CHALLENGE.to_owned())
    }
}

impl<'a> Arbitrary<'a> for Errand {
    /// One byte, so that a change of it is another errand.
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let mut rest = usize::from(u8::arbitrary(input)?);
        let mut choose = |count: usize| {
            let chosen = rest % count;
            rest /= count;
            chosen
        };
        Ok(Self {
            uid: UIDS[choose(UIDS.len())],
            person: PEOPLE[choose(PEOPLE.len())],
            client: CLIENTS[choose(CLIENTS.len())],
            scopes: SCOPES[choose(SCOPES.len())],
        })
    }
}

impl Errand {
    pub(super) fn username(&self) -> String {
        format!("{}@contoso.com", self.person)
    }

    pub(super) fn home_account_id(&self) -> String {
        format!("{}.home", self.person)
    }
}
