//! Rules: what a program may ask for, in the shape of gssproxy's sections.

use std::path::PathBuf;

use serde::Deserialize;
use valetkey_policy::Consent;

use super::UserName;

/// What a program may ask for. The first rule that fits who asks decides, and the others are not looked at; who fits none may
/// do as if there were no rules. A rule fits who fits all of `users`, `programs`, `units` and `apps` that it has, and a member
/// of each. An empty list is met by nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RuleConfig {
    /// What it is called in errors; else its place among the rules.
    pub name: Option<String>,
    /// The users that it fits, by name or by number. One whom the machine does not know is an error.
    pub users: Option<Vec<UserName>>,
    /// The programs that it fits, as absolute paths of their executables. It keeps honest programs apart; who can run programs
    /// as the same user can get around it, and naming an interpreter fits whatever it runs.
    pub programs: Option<Vec<PathBuf>>,
    /// The systemd units that it fits, as `backup.service`.
    pub units: Option<Vec<String>>,
    /// The applications that it fits, by their names in this file or their client ids. A name stands for the client id at that
    /// provider, however a program opens it. A rule with this key says nothing of who may administer, or use a managed
    /// identity.
    pub apps: Option<Vec<String>>,
    /// True: nothing is allowed but to read the status; in a rule with `apps`, nothing of these applications.
    pub deny: bool,
    /// The accounts that may be used, listed, heard of in events, and signed out, by user name or, which no other library's
    /// cache can give another meaning, home account id (`valetkey accounts` lists both); any by default.
    pub accounts: Option<Vec<String>>,
    /// The providers that may be spoken to, as `host` or `host:port`; any by default.
    pub authorities: Option<Vec<String>>,
    /// The scopes that may be asked for, for now or for later; any by default. A cached token that is good for more is no
    /// answer, and the provider is asked for another one; what it puts into that beyond what it was asked for is the
    /// provider's. For a managed identity the scope is `/.default` of the resource. With this key or `audiences`, a program
    /// adds no fields of its own to a token request but `client_session`, `fmi_path`, `key_id`, `req_cnf` and `token_type`:
    /// others, such as `resource`, may say what the token is for.
    pub scopes: Option<Vec<String>>,
    /// The resources that tokens may be asked for, as `https://graph.microsoft.com`; any by default. Otherwise as `scopes`.
    pub audiences: Option<Vec<String>>,
    /// Whether the person may be asked, to sign in or for consent; true by default.
    pub may_ask: Option<bool>,
    /// Whether it may list, answer and revoke grants, set secrets, lock and unlock, rotate keys, move caches in and out, and
    /// read the record and the diagnosis. By default true, unless the rule takes something away, by a list, `deny`, `may_ask`
    /// or `consent = "ask"`: who administers could get it back. Programs that are, or may be, in a flatpak or a snap take
    /// `true`, and so does `valetkey cache export` where `[policy] consent = "ask"` or a rule about applications takes
    /// something away; the rule for it can name `/usr/bin/valetkey` in `programs`.
    pub may_administer: Option<bool>,
    /// Whether the person is asked before an account is used that another program has signed in; as `[policy]` says by default.
    pub consent: Option<ConsentName>,
}

/// Whether the person is asked before a program uses an account that another program has signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConsentName {
    /// Not: what one program of a user has signed in, all of the user's programs may use.
    #[default]
    None,
    /// Once for each program, account, application and its scopes; the answer is remembered as the person says.
    Ask,
}

impl From<ConsentName> for Consent {
    fn from(name: ConsentName) -> Self {
        match name {
            ConsentName::None => Self::NotAsked,
            ConsentName::Ask => Self::Ask,
        }
    }
}
