//! Which callers an application is for whose credential the broker keeps.
//!
//! The user is the boundary: the kernel names it. The program is what the kernel said of the process when it connected. A
//! program of the same user that means harm can have another one started in its name, so a rule about programs keeps honest
//! programs apart and mistakes small, and no more than that.

use std::fmt;
use std::path::PathBuf;

use valetkey_model::{Caller, FileId, Partition};

use crate::Denial;

/// Whom an application is for. A caller must fit all that is given; where nothing is given, nobody does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallerRule {
    /// Programs.
    pub programs: Option<Vec<ProgramFile>>,
    /// Users.
    pub users: Option<Vec<Partition>>,
}

/// A program that a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFile {
    /// As the rule names it.
    pub path: PathBuf,
    /// What is there at the moment.
    pub file: Option<FileId>,
}

/// Who was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody is.
    NobodyNamed,
    /// Another user.
    User(Partition),
    /// Another program; `None` when the system does not show which.
    Program(Option<PathBuf>),
}

/// Lets a caller in, or not.
///
/// # Errors
/// The denial, with who was not let in.
pub fn admit(rule: &CallerRule, app: &str, caller: &Caller) -> Result<(), Denial> {
    match find_refusal(rule, caller) {
        None => Ok(()),
        Some(refusal) => Err(Denial::Caller { app: app.to_owned(), refusal }),
    }
}

fn find_refusal(rule: &CallerRule, caller: &Caller) -> Option<Refusal> {
    if rule.programs.is_none() && rule.users.is_none() {
        return Some(Refusal::NobodyNamed);
    }
    if let Some(users) = &rule.users
        && !users.contains(&caller.partition)
    {
        return Some(Refusal::User(caller.partition.clone()));
    }
    let programs = rule.programs.as_ref()?;
    let is_named = programs.iter().any(|program| is_running(program, caller));
    (!is_named).then(|| Refusal::Program(caller.program.clone()))
}

/// Whether a caller runs this program: by the file where the platform tells it, since the same path is another file in another process's mounts; else by path.
pub fn is_running(program: &ProgramFile, caller: &Caller) -> bool {
    match (program.file, caller.program_file) {
        (Some(named), Some(running)) => named == running,
        (None, None) => caller.program.as_ref() == Some(&program.path),
        _ => false,
    }
}

impl Refusal {
    pub(crate) fn hint(&self, app: &str) -> String {
        match self {
            Self::NobodyNamed => format!(
                "Name the programs that it is for in [apps.{app}] of the daemon's configuration: programs = [\"/path\"]."
            ),
            Self::User(user) => {
                let user = user.as_str().split_once(':').map_or(user.as_str(), |(_, id)| id);
                format!(
                    "To let this user in, add {user} to `users` in [apps.{app}] of the daemon's configuration."
                )
            }
            Self::Program(Some(path)) if path.to_string_lossy().ends_with(REPLACED) => {
                "The program's file was replaced since it was started; start the program again."
                    .to_owned()
            }
            Self::Program(Some(path)) => format!(
                "To let it in, add {path:?} to `programs` in [apps.{app}] of the daemon's configuration."
            ),
            Self::Program(None) => format!(
                "It hides its executable, or is another user's, whose programs this daemon cannot see; [apps.{app}] can be opened to users with `users` in the place of `programs`."
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyNamed => {
                f.write_str("for those whom the configuration names, and it names nobody")
            }
            Self::User(user) => write!(f, "not for the user {}", user.as_str()),
            Self::Program(Some(path)) => write!(f, "not for the program {path:?}"),
            Self::Program(None) => f.write_str("not for a program that the system does not show"),
        }
    }
}

/// What Linux writes behind the path of an executable that is no longer there.
const REPLACED: &str = " (deleted)";

#[cfg(test)]
mod tests {
    use valetkey_model::ProcessId;

    use super::*;

    const MINE: FileId = FileId { device: 1, inode: 7 };
    const OTHER: FileId = FileId { device: 1, inode: 8 };

    fn named(file: Option<FileId>) -> Option<Vec<ProgramFile>> {
        Some(vec![ProgramFile { path: "/usr/bin/x".into(), file }])
    }

    fn users(uid: u32) -> Option<Vec<Partition>> {
        Some(vec![Partition::of_uid(uid)])
    }

    fn check(rule: CallerRule, program: Option<(&str, Option<FileId>)>, hint: Option<&str>) {
        let caller = Caller {
            partition: Partition::of_uid(1000),
            process: Some(ProcessId { number: 1, started: 1 }),
            program: program.map(|(path, _)| path.into()),
            program_file: program.and_then(|(_, file)| file),
            groups: Vec::new(),
        };
        let given = admit(&rule, "reports", &caller).err().and_then(|denial| denial.hint());
        assert_eq!(given.is_some(), hint.is_some(), "{rule:?} {given:?}");
        assert!(given.unwrap_or_default().contains(hint.unwrap_or_default()), "{rule:?}");
    }

    #[test]
    fn a_caller_must_fit_all_that_is_named_and_nobody_fits_nothing() {
        let mine = Some(("/usr/bin/x", Some(MINE)));
        let rule = |programs, users| CallerRule { programs, users };
        check(rule(None, None), mine, Some("programs = "));
        check(rule(named(Some(MINE)), None), mine, None);
        check(rule(named(Some(MINE)), users(1000)), mine, None);
        check(rule(None, users(1000)), None, None);
        check(
            rule(named(Some(MINE)), users(0)),
            mine,
            Some("add 1000 to `users` in [apps.reports]"),
        );
        check(rule(named(Some(MINE)), users(1000)), None, Some("hides its executable"));
        check(rule(Some(Vec::new()), None), mine, Some("\"/usr/bin/x\" to `programs`"));
    }

    #[test]
    fn a_program_is_known_by_its_file_and_not_by_its_path() {
        let rule = |file| CallerRule { programs: named(file), users: None };
        check(rule(Some(MINE)), Some(("/mnt/elsewhere", Some(MINE))), None);
        check(rule(Some(MINE)), Some(("/usr/bin/x", Some(OTHER))), Some("add \"/usr/bin/x\""));
        check(
            rule(Some(MINE)),
            Some(("/usr/bin/x (deleted)", Some(OTHER))),
            Some("start the program again"),
        );
        check(rule(None), Some(("/usr/bin/x", Some(OTHER))), Some("add"));
        check(rule(Some(MINE)), Some(("/usr/bin/x", None)), Some("add"));
        check(rule(None), Some(("/usr/bin/x", None)), None);
    }
}
