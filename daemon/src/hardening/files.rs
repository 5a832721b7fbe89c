//! Landlock (landlock(7)): what of the file system the process may change, and that it starts no program.

use std::path::Path;

use landlock::{
    ABI, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, RestrictionStatus,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};
use valetkey_proto::v1::Held;

/// What a confined process goes on to change.
#[derive(Clone, Copy, Debug)]
pub struct Folders<'a> {
    /// Beneath these it makes, writes, moves and removes files and folders.
    pub written: &'a [&'a Path],
    /// In these it removes files, and no more.
    pub cleared: &'a [&'a Path],
}

/// Confines this thread and all that it starts. Reading stays open: a configuration that changes while the daemon runs may
/// name any file. So does the network: Landlock knows ports and no addresses, and a redirect may be to any port.
pub(super) fn confine(folders: Folders<'_>) -> Result<Held, RulesetError> {
    // The newest that this list was checked against; kernels that know less hold what they know.
    let changes = AccessFs::from_write(ABI::V6) | AccessFs::Execute;
    let written = make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    });
    let rules = rules(folders.written, written)
        .chain(rules(folders.cleared, AccessFs::RemoveFile.into()))
        .map(Ok::<_, RulesetError>);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(changes)?
        // No signal leaves but to what it started itself.
        .scope(Scope::Signal)?
        .create()?
        .add_rules(rules)?
        .restrict_self()?;
    Ok(held(&status))
}

/// A folder that is not there cannot be changed either.
fn rules(
    folders: &[&Path],
    access: BitFlags<AccessFs>,
) -> impl Iterator<Item = PathBeneath<PathFd>> {
    let opened = folders.iter().filter_map(|folder| PathFd::new(folder).ok());
    opened.map(move |folder| PathBeneath::new(folder, access))
}

fn held(status: &RestrictionStatus) -> Held {
    match status.ruleset {
        RulesetStatus::FullyEnforced => Held::All,
        RulesetStatus::PartiallyEnforced => Held::Part,
        RulesetStatus::NotEnforced => Held::None,
    }
}
