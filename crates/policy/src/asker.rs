//! Who asks, as far as rules and grants look.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use valetkey_model::{Caller, Confinement, Executable, Partition, ProcessId, Program, Sandbox};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// As the kernel said.
    pub caller: Caller,
    /// Of the programs that the rules name, those that the caller runs at the moment.
    pub runs: Vec<PathBuf>,
    /// The unit of systemd's that it runs in.
    pub unit: Option<String>,
    /// Whether it is kept in a flatpak's or a snap's sandbox.
    pub confinement: Confinement,
    /// By what a person's answer is remembered.
    pub program: ProgramKey,
}

/// By what a program is known again. All of it is soft: a program of the same user can make itself look like another one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProgramKey {
    /// The executable, inside of a sandbox or not. What replaces it, as an update does, is the same program.
    Executable {
        /// Where it is.
        path: PathBuf,
        /// `flatpak:<id>` or `snap:<name>`.
        sandbox: Option<String>,
    },
    /// Nothing but this very process: its executable does not tell what it runs.
    Process(ProcessId),
    /// Not even that.
    Unknown,
}

impl Asker {
    /// A caller of whom nothing more is known, since nobody has looked: it administers nothing unless a rule lets it.
    pub fn plain(caller: &Caller) -> Arc<Self> {
        let program = caller.process.map_or(ProgramKey::Unknown, ProgramKey::Process);
        let (caller, runs) = (caller.clone(), Vec::new());
        Arc::new(Self { caller, runs, unit: None, confinement: Confinement::Unknown, program })
    }

    /// A caller, and what its program looks like at the moment.
    pub fn new(caller: &Caller, program: Program, runs: Vec<PathBuf>) -> Arc<Self> {
        let key = match (&program.executable, caller.process) {
            (Executable::Identified(path), _) => {
                let sandbox = program.confinement.sandbox().map(Sandbox::to_string);
                ProgramKey::Executable { path: path.clone(), sandbox }
            }
            (Executable::Unidentified { .. }, Some(process)) => ProgramKey::Process(process),
            (Executable::Unidentified { .. }, None) => ProgramKey::Unknown,
        };
        let Program { unit, confinement, .. } = program;
        Arc::new(Self { caller: caller.clone(), runs, unit, confinement, program: key })
    }

    /// Whose tokens.
    pub fn partition(&self) -> &Partition {
        &self.caller.partition
    }

    pub(crate) fn runs(&self, program: &Path) -> bool {
        self.runs.iter().any(|named| named == program)
    }
}

impl ProgramKey {
    /// Whether it can be known again once the process has ended.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Executable { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, Rule, decide_on_own_administration};

    #[test]
    fn a_program_that_may_be_in_a_sandbox_administers_only_where_a_rule_says_so() {
        let asker = Asker::plain(&Caller::of(Partition::of_uid(1000)));
        let flatpak = Confinement::Sandbox(Sandbox::Flatpak("org.app".to_owned()));
        for confinement in [Confinement::Free, Confinement::Unknown, flatpak] {
            let is_free = confinement == Confinement::Free;
            let asker = Asker { confinement, ..Asker::clone(&asker) };
            for (may_administer, expected) in
                [(None, is_free), (Some(true), true), (Some(false), false)]
            {
                let rules = vec![Rule { may_administer, ..Rule::default() }];
                let policy = Policy { rules, ..Policy::of_user() };
                let decided = decide_on_own_administration(&policy, &asker);
                assert_eq!(decided.is_ok(), expected, "{asker:?} {may_administer:?}");
            }
            match decide_on_own_administration(&Policy::of_user(), &asker) {
                Ok(()) => assert!(is_free),
                Err(denial) => assert!(denial.hint().unwrap().contains("may_administer")),
            }
        }
    }
}
