//! Key files of Azure Arc's agent. The folder is the agent's, and the name comes from whoever answered at its endpoint: so
//! nothing but a small regular file is read, and no link is followed to one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};

use valetkey_engine::ports::KeyFileError;
use valetkey_model::Secret;
use valetkey_oauth::ARC_KEY_FILE_LIMIT;

/// What is in a key file.
///
/// # Errors
/// When it cannot be read, or is none.
pub async fn read(path: &str) -> Result<Secret, KeyFileError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_blocking(&owned)).await;
    read.unwrap_or_else(|died| Err(io::Error::other(died)))
        .map_err(|error| KeyFileError { path: path.to_owned(), reason: error.to_string() })
}

fn read_blocking(path: &str) -> io::Result<Secret> {
    let file = open_unfollowed(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let limit = ARC_KEY_FILE_LIMIT as u64;
    // With room for all of it from the start, so that no growing leaves a copy behind.
    let mut key = String::with_capacity(ARC_KEY_FILE_LIMIT + 1);
    file.take(limit + 1).read_to_string(&mut key)?;
    let key = Secret::new(key);
    if key.expose().len() > ARC_KEY_FILE_LIMIT {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    Ok(key)
}

/// A pipe in the file's place must not hold the daemon up either.
#[cfg(unix)]
fn open_unfollowed(path: &str) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(windows)]
fn open_unfollowed(path: &str) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt as _;

    // Opens a link itself, which is then no regular file.
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)
}

#[cfg(all(test, unix))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic in a test's own helper is a failed test")]

    use std::fs::{self, File};
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;

    async fn check(name: &str, expected: Result<&str, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for (name, content) in [
            ("good.key", "open sesame"),
            ("full.key", &"x".repeat(ARC_KEY_FILE_LIMIT)),
            ("large.key", &"x".repeat(ARC_KEY_FILE_LIMIT + 1)),
        ] {
            let mut file = File::create(path.join(name)).unwrap();
            file.write_all(content.as_bytes()).unwrap();
        }
        fs::create_dir(path.join("folder.key")).unwrap();
        symlink(path.join("good.key"), path.join("link.key")).unwrap();
        let outcome = read(path.join(name).to_str().unwrap()).await;
        match (&outcome, expected) {
            (Ok(key), Ok(expected)) => assert_eq!(key.expose(), expected, "{name}"),
            (Err(error), Err(expected)) => assert!(error.reason.contains(expected), "{error}"),
            _ => panic!("{name}: {outcome:?}"),
        }
    }

    #[tokio::test]
    async fn a_small_regular_file_is_read_and_nothing_else() {
        check("good.key", Ok("open sesame")).await;
        check("full.key", Ok(&"x".repeat(ARC_KEY_FILE_LIMIT))).await;
        check("large.key", Err("larger than 4096 bytes")).await;
        check("folder.key", Err("no regular file")).await;
        check("link.key", Err("symbolic link")).await;
        check("missing.key", Err("No such file")).await;
    }
}
