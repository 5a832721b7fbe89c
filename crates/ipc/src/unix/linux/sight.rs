//! What only who might trace a process sees of it.
//!
//! To follow `/proc/<number>/exe` takes as much as to read the process's memory (`PTRACE_MODE_READ`, ptrace(2)). Landlock takes
//! that from a process for all others but its own children (landlock(7)), so that a confined one has somebody else look.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use valetkey_model::FileId;

/// A process's program; nothing of a process that hides it, or that is another user's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The path by which the process runs it.
    pub program: Option<PathBuf>,
    /// The file.
    pub program_file: Option<FileId>,
    /// The name of the flatpak application that it is.
    pub flatpak: Option<String>,
}

type Eyes = Box<dyn Fn(u32) -> Sight + Send + Sync>;

static OTHERS: OnceLock<Eyes> = OnceLock::new();

/// From here on `eyes` look at processes, for the whole of this one; the first to be named stay.
pub fn look_through(eyes: impl Fn(u32) -> Sight + Send + Sync + 'static) {
    let _ = OTHERS.set(Box::new(eyes));
}

/// By whoever does the looking.
pub(super) fn see(number: u32) -> Sight {
    OTHERS.get().map_or_else(|| Sight::of(number), |eyes| eyes(number))
}

impl Sight {
    /// Looks at a process, by this one.
    pub fn of(number: u32) -> Self {
        // Following this link leads to the file itself, in whatever mounts the process sees it, and even when it was removed.
        let link = PathBuf::from(format!("/proc/{number}/exe"));
        Self {
            program: link.read_link().ok(),
            program_file: file_at(&link),
            flatpak: flatpak_of(number),
        }
    }
}

pub(super) fn file_at(path: &Path) -> Option<FileId> {
    let file = path.metadata().ok()?;
    Some(FileId { device: file.dev(), inode: file.ino() })
}

/// What flatpak puts at the root that an application sees (flatpak-metadata(5)).
fn flatpak_of(number: u32) -> Option<String> {
    let text = super::read_proc(number, "root/.flatpak-info")?;
    let section = text.split("[Application]").nth(1)?;
    let lines = section.lines().skip(1).take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.strip_prefix("name=")).map(str::to_owned).next()
}
