//! Owners, modes and links.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

use crate::Readers;
use crate::error::{PathError, Problem};
use crate::openness::{Kind, MeantFor, Open};

pub(crate) fn check_way_to(path: &Path) -> Result<(), PathError> {
    let absolute = std::path::absolute(path).map_err(|e| PathError::io("find", path, e))?;
    let mut walk = Walk { here: PathBuf::from("/"), ahead: Vec::new(), links: 0 };
    walk.turn_to(&absolute);
    while let Some(name) = walk.ahead.pop() {
        if !walk.step(name)? {
            break;
        }
    }
    Ok(())
}

/// Sticky does not help: it lets everybody make folders.
pub(crate) fn find_keeper(folder: &Path) -> Option<u32> {
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let is_closed = |found: &Metadata| found.is_dir() && found.mode() & 0o022 == 0;
    let is_of_root = |above: &Path| {
        above.symlink_metadata().is_ok_and(|found| is_closed(&found) && found.uid() == 0)
    };
    if !folder.is_absolute() || !folder.components().all(is_plain) {
        return None;
    }
    let found = folder.symlink_metadata().ok().filter(is_closed)?;
    folder.ancestors().skip(1).all(is_of_root).then(|| found.uid())
}

pub(crate) fn make_private(builder: &mut DirBuilder) {
    builder.mode(0o700);
}

pub(crate) fn check_file(metadata: &Metadata, readers: Readers) -> Result<(), Problem> {
    check_owner(metadata)?;
    let others = others_than(readers, metadata.gid(), own_group());
    match metadata.mode() & 0o7777 {
        mode if mode & others != 0 => Err(Problem::ReadableByOthers { mode }),
        mode if mode & 0o022 != 0 => Err(Problem::FileWritableByOthers { mode }),
        _ => Ok(()),
    }
}

/// The permission bits of those who are not to read.
fn others_than(readers: Readers, group: u32, own_group: Option<u32>) -> u32 {
    match readers {
        Readers::Anybody => 0,
        Readers::OwnGroup if own_group == Some(group) => 0o007,
        Readers::OwnerAlone | Readers::OwnGroup => 0o077,
    }
}

/// Nobody else may write to the folder, sticky or not.
pub(crate) fn check_private_folder(folder: &Path) -> Result<(), PathError> {
    let metadata = folder.metadata().map_err(|error| PathError::io("look at", folder, error))?;
    let mode = metadata.mode() & 0o7777;
    if is_shared(&metadata) {
        let problem = match mode & STICKY {
            0 => Problem::FolderWritableByOthers { mode },
            _ => Problem::SharedFolder { mode },
        };
        return Err(PathError::Unsafe { path: folder.into(), problem });
    }
    Ok(())
}

/// No writer of a pipe is waited for.
pub(crate) fn make_prompt(options: &mut OpenOptions) {
    options.custom_flags(OFlags::NONBLOCK.bits().cast_signed());
}

/// Mode 0600 if the call creates the file; no link is followed, and no reader of a pipe is waited for.
pub(crate) fn make_unlinked(options: &mut OpenOptions) {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
}

/// Ours, and nobody else's to change; that others may read it is no danger to whoever reads it too.
pub(crate) fn check_owned_file(metadata: &Metadata) -> Result<(), Problem> {
    match metadata.uid() {
        owner if owner != rustix::process::geteuid().as_raw() => Err(Problem::OtherOwner { owner }),
        _ => check_file(metadata, Readers::Anybody),
    }
}

pub(crate) fn check_own_file(metadata: &Metadata) -> Result<(), Problem> {
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    if metadata.nlink() != 1 {
        return Err(Problem::OtherNames { names: metadata.nlink() });
    }
    match metadata.uid() {
        owner if owner != rustix::process::geteuid().as_raw() => Err(Problem::OtherOwner { owner }),
        _ => check_file(metadata, Readers::OwnerAlone),
    }
}

pub(crate) fn find_open(path: &Path, meant_for: MeantFor) -> Option<Open> {
    let found = path.symlink_metadata().ok()?;
    let mode = found.mode() & 0o7777;
    let kind = match found.file_type() {
        kind if kind.is_dir() => Kind::Folder,
        kind if kind.is_socket() => Kind::Socket,
        kind if kind.is_file() => Kind::File,
        _ => return None,
    };
    let is_open = is_own(&found) && mode & meant_for.forbidden() != 0;
    is_open.then(|| Open { path: path.into(), mode, kind, meant_for })
}

/// By its handle: what is closed is what was looked at.
pub(crate) fn close_folder(folder: &Path) -> io::Result<Option<u32>> {
    let folder = File::open(folder)?;
    let found = folder.metadata()?;
    let mode = found.mode() & 0o7777;
    if !found.is_dir() || !is_own(&found) || mode & 0o077 == 0 || mode & 0o022 != 0 {
        return Ok(None);
    }
    folder.set_permissions(Permissions::from_mode(mode & !0o077))?;
    Ok(Some(mode))
}

fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw()
}

/// A way through the file system, with the links in it taken by hand.
struct Walk {
    /// Where we are; free of links.
    here: PathBuf,
    /// The names that come, the next one last.
    ahead: Vec<OsString>,
    links: usize,
}

impl Walk {
    /// One name further; false where nothing is of that name.
    fn step(&mut self, name: OsString) -> Result<bool, PathError> {
        if name == ".." {
            self.here.pop();
            return Ok(true);
        }
        let folder = look_at(&self.here)?;
        check_folder(&folder).map_err(|problem| self.refuse(&self.here, problem))?;
        let next = self.here.join(name);
        match look_at(&next) {
            Ok(found) if found.is_symlink() => self.follow(&next, &found, &folder)?,
            Ok(_) => self.here = next,
            Err(PathError::Io { source, .. }) if is_absent(&source) => return Ok(false),
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn follow(
        &mut self,
        link: &Path,
        metadata: &Metadata,
        folder: &Metadata,
    ) -> Result<(), PathError> {
        check_owner(metadata).map_err(|problem| self.refuse(link, problem))?;
        // Sticky does not help here: where hard links are not restricted, anybody can put one of our links there.
        if is_shared(folder) {
            return Err(self.refuse(link, Problem::LinkAmongOthers));
        }
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(self.refuse(link, Problem::TooManyLinks));
        }
        let target = link.read_link().map_err(|e| PathError::io("read link", link, e))?;
        self.turn_to(&target);
        Ok(())
    }

    fn turn_to(&mut self, target: &Path) {
        if target.is_absolute() {
            self.here = PathBuf::from("/");
        }
        let names = target.components().rev().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
        self.ahead.extend(names);
    }

    fn refuse(&self, path: &Path, problem: Problem) -> PathError {
        PathError::Unsafe { path: path.into(), problem }
    }
}

fn look_at(path: &Path) -> Result<Metadata, PathError> {
    path.symlink_metadata().map_err(|error| PathError::io("look at", path, error))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn check_folder(folder: &Metadata) -> Result<(), Problem> {
    check_owner(folder)?;
    let mode = folder.mode() & 0o7777;
    if is_shared(folder) && mode & STICKY == 0 {
        return Err(Problem::FolderWritableByOthers { mode });
    }
    Ok(())
}

fn check_owner(metadata: &Metadata) -> Result<(), Problem> {
    match metadata.uid() {
        0 => Ok(()),
        owner if owner == rustix::process::geteuid().as_raw() => Ok(()),
        owner => Err(Problem::OtherOwner { owner }),
    }
}

fn is_shared(folder: &Metadata) -> bool {
    can_others_write(folder.mode(), folder.gid(), own_group())
}

/// The group of this user's number, which nobody else is in. Root's group is no such group.
fn own_group() -> Option<u32> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    (user == group && user != 0).then_some(group)
}

/// Many systems give each user a group of the same number and a umask of 002, so that `~/.local` is writable by a group that
/// nobody else is in: by `own_group`.
fn can_others_write(mode: u32, group: u32, own_group: Option<u32>) -> bool {
    let by_group = mode & 0o020 != 0 && own_group != Some(group);
    by_group || mode & 0o002 != 0
}

const STICKY: u32 = 0o1000;
/// As Linux has it.
const MOST_LINKS: usize = 40;

#[cfg(test)]
mod tests;
