//! What only who might trace a process sees of it.
//!
//! To follow `/proc/<number>/exe` takes as much as to read the process's memory (`PTRACE_MODE_READ`, ptrace(2)). Landlock takes
//! that from a process for all others but its own children (landlock(7)), so that a confined one has somebody else look.
//!
//! In a user namespace of its own a process may say of itself what it runs (`PR_SET_MM_MAP`, PR_SET_MM(2const)): of one that is
//! not in ours the program is not told, but the flatpak that it is.

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

type Eyes = Box<dyn Fn(u32) -> Option<Sight> + Send + Sync>;

static OTHERS: OnceLock<Eyes> = OnceLock::new();

/// From here on `eyes` look at processes, for the whole of this one; the first to be named stay. They answer `None` when they
/// cannot look, which says nothing of the process.
pub fn look_through(eyes: impl Fn(u32) -> Option<Sight> + Send + Sync + 'static) {
    let _ = OTHERS.set(Box::new(eyes));
}

/// By whoever does the looking.
pub(super) fn see(number: u32) -> Option<Sight> {
    OTHERS.get().map_or_else(|| Some(Sight::of(number)), |eyes| eyes(number))
}

impl Sight {
    /// Looks at a process, by this one.
    pub fn of(number: u32) -> Self {
        // Following this link leads to the file itself, in whatever mounts the process sees it, and even when it was removed.
        let link = PathBuf::from(format!("/proc/{number}/exe"));
        let is_told = is_in_our_user_namespace(number);
        Self {
            program: link.read_link().ok().filter(|_| is_told),
            program_file: file_at(&link).filter(|_| is_told),
            flatpak: flatpak_of(number),
        }
    }
}

/// A kernel without user namespaces has the file for nobody.
fn is_in_our_user_namespace(number: u32) -> bool {
    let namespace = |process: &str| file_at(Path::new(&format!("/proc/{process}/ns/user")));
    namespace("self") == namespace(&number.to_string())
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Runs `cat`, and waits until it does.
    fn run_cat(command: &[&str]) -> Option<Child> {
        let (program, arguments) = command.split_first()?;
        let mut command = Command::new(program);
        command.args(arguments).arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().ok()?;
        child.stdin.as_mut()?.write_all(b"there\n").ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
        (line == "there\n").then_some(child)
    }

    #[test]
    fn a_process_in_another_user_namespace_does_not_say_what_it_runs() {
        let check = |command: &[&str], is_told: bool| {
            let Some(mut child) = run_cat(command) else { return false };
            let sight = Sight::of(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            let told = (sight.program.is_some(), sight.program_file.is_some());
            assert_eq!(told, (is_told, is_told), "{command:?} {sight:?}");
            true
        };
        assert!(check(&["env"], true));
        if !check(&["unshare", "--user"], false) {
            assert!(std::env::var_os("CI").is_none(), "no user namespace can be made here");
            println!("skipped: this machine lets a test make no user namespace");
        }
    }
}
