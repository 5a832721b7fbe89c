//! Where an access list that is passed on stands for owner and mode.

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use crate::Readers;
use crate::error::{PathError, Problem};
use crate::openness::{MeantFor, Open};

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
pub(crate) fn check_way_to(_path: &Path) -> Result<(), PathError> {
    Ok(())
}

pub(crate) fn find_keeper(_folder: &Path) -> Option<u32> {
    None
}

pub(crate) fn make_private(_builder: &mut DirBuilder) {}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
pub(crate) fn check_file(_metadata: &Metadata, _readers: Readers) -> Result<(), Problem> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
pub(crate) fn check_private_folder(_folder: &Path) -> Result<(), PathError> {
    Ok(())
}

pub(crate) fn make_prompt(_options: &mut OpenOptions) {}

pub(crate) fn make_unlinked(_options: &mut OpenOptions) {}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
pub(crate) fn check_owned_file(_metadata: &Metadata) -> Result<(), Problem> {
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
pub(crate) fn check_own_file(_metadata: &Metadata) -> Result<(), Problem> {
    Ok(())
}

pub(crate) fn find_open(_path: &Path, _meant_for: MeantFor) -> Option<Open> {
    None
}

#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
pub(crate) fn close_folder(_folder: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}
