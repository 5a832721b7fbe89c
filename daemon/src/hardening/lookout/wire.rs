//! The messages between the daemon and its lookout.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use valetkey_ipc::Sight;
use valetkey_model::FileId;

/// No process has these numbers (proc_sys_kernel(5), `pid_max`).
pub(super) const ALLOW: u32 = u32::MAX;
pub(super) const PROMPT: u32 = u32::MAX - 1;

/// Longer than a path (`PATH_MAX`) and the name of a flatpak together.
pub(super) const LONGEST: usize = 8 * 1024;

pub(super) fn message(number: u32, word: u32, rest: &[u8]) -> Vec<u8> {
    [&number.to_le_bytes(), &word.to_le_bytes(), rest].concat()
}

pub(super) fn parts(message: &[u8]) -> io::Result<(u32, u32, &[u8])> {
    let read = || {
        let (number, rest) = message.split_first_chunk()?;
        let (word, rest) = rest.split_first_chunk()?;
        Some((u32::from_le_bytes(*number), u32::from_le_bytes(*word), rest))
    };
    read().ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Each part with its length and one more in front; zero is for what is not there.
pub(super) fn write_sight(sight: &Sight) -> Vec<u8> {
    let file = sight
        .program_file
        .map(|file| [file.device.to_le_bytes(), file.inode.to_le_bytes()].concat());
    let program = sight.program.as_ref().map(|path| path.as_os_str().as_bytes().to_vec());
    let flatpak = sight.flatpak.as_ref().map(|name| name.as_bytes().to_vec());
    let mut written = Vec::new();
    for part in [file, program, flatpak] {
        let length = part.as_ref().map_or(0, |part| part.len() + 1);
        written.extend(u16::try_from(length).unwrap_or_default().to_le_bytes());
        written.extend(part.filter(|_| length <= usize::from(u16::MAX)).unwrap_or_default());
    }
    written
}

pub(super) fn read_sight(mut written: &[u8]) -> Option<Sight> {
    let mut next = || {
        let (length, rest) = written.split_first_chunk()?;
        let (part, rest) = match usize::from(u16::from_le_bytes(*length)).checked_sub(1) {
            Some(length) => (Some(rest.split_at_checked(length)?.0), &rest[length..]),
            None => (None, rest),
        };
        written = rest;
        Some(part.map(<[u8]>::to_vec))
    };
    let (file, program, flatpak) = (next()?, next()?, next()?);
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_le_bytes);
    let file = file.and_then(|file| {
        let (device, inode) = file.split_at_checked(8)?;
        Some(FileId { device: number(device)?, inode: number(inode)? })
    });
    Some(Sight {
        program: program.map(|path| PathBuf::from(OsString::from_vec(path))),
        program_file: file,
        flatpak: flatpak.and_then(|name| String::from_utf8(name).ok()),
    })
}
