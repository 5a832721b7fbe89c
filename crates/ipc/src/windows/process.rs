//! Processes, their programs and their users, from the Windows API.

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::ptr;

use valetkey_model::{Caller, Confinement, Executable, Parent, ProcessId, Program, Unidentified};
use windows_sys::Win32::Foundation::{FILETIME, HANDLE, LocalFree, WAIT_TIMEOUT};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, OpenProcessToken,
    PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE, QueryFullProcessImageNameW,
    WaitForSingleObject,
};

use crate::interpreter::is_interpreter;

/// The SID of this process's user, as text.
pub(crate) fn own_sid() -> io::Result<String> {
    // SAFETY: takes nothing and answers a pseudo handle, which is not to be closed.
    sid_of_handle(unsafe { GetCurrentProcess() })
}

/// The SID of another process's user, as text.
pub(crate) fn sid_of(process_id: u32) -> io::Result<String> {
    sid_of_handle(open(process_id)?.as_raw_handle())
}

/// The process at the other end of a pipe. While the handle is open, its number is not given to another one.
pub(crate) struct Process(Option<Known>);

struct Known {
    number: u32,
    handle: OwnedHandle,
}

impl Process {
    pub(crate) fn of_peer(number: Option<u32>) -> Self {
        Self(number.and_then(|number| Some(Known { number, handle: open(number).ok()? })))
    }

    /// The SID of its user; `None` when it does not show it.
    pub(crate) fn user(&self) -> Option<String> {
        sid_of_handle(self.0.as_ref()?.handle.as_raw_handle()).ok()
    }

    pub(crate) fn id(&self) -> Option<ProcessId> {
        let known = self.0.as_ref()?;
        Some(ProcessId { number: known.number, started: started(&known.handle)? })
    }

    /// A process's handle is signalled once it has ended.
    pub(crate) fn is_running(&self) -> bool {
        self.0.as_ref().is_some_and(|known| {
            // SAFETY: the handle is open for as long as `known` lives.
            let state = unsafe { WaitForSingleObject(known.handle.as_raw_handle(), 0) };
            state == WAIT_TIMEOUT
        })
    }

    pub(crate) fn executable(&self) -> Option<PathBuf> {
        program_of(&self.0.as_ref()?.handle)
    }

    /// Neither mounts nor files that are replaced while they run deceive here; units and parents are not told, and there are
    /// neither flatpaks nor snaps.
    pub(crate) fn describe(&self, caller: &Caller) -> Program {
        let unidentified = |path, why| Program::unidentified(path, why, Confinement::Free);
        match caller.program.clone() {
            path if !self.is_running() => unidentified(path, Unidentified::Ended),
            Some(path) if !is_interpreter(&path) => {
                let executable = Executable::Identified(path);
                Program { executable, unit: None, confinement: Confinement::Free }
            }
            path @ Some(_) => unidentified(path, Unidentified::Interpreter),
            None => unidentified(None, Unidentified::Hidden),
        }
    }

    pub(crate) fn script(&self) -> Option<String> {
        None
    }

    pub(crate) fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}

/// When a process was created, in units of 100 nanoseconds.
fn started(process: &OwnedHandle) -> Option<u64> {
    let mut times = [FILETIME::default(); 4];
    let [created, ended, kernel, user] = &mut times;
    // SAFETY: the handle is open, and each pointer leads to a FILETIME that lives for the call.
    let done = unsafe { GetProcessTimes(process.as_raw_handle(), created, ended, kernel, user) };
    let created = (u64::from(created.dwHighDateTime) << 32) | u64::from(created.dwLowDateTime);
    (done != 0).then_some(created)
}

/// A process's executable; `None` when it does not show it.
fn program_of(process: &OwnedHandle) -> Option<PathBuf> {
    let mut text = vec![0u16; 1024];
    let mut length = u32::try_from(text.len()).ok()?;
    // SAFETY: the handle is open, and `length` is the number of elements that `text` has room for.
    let done = unsafe {
        QueryFullProcessImageNameW(process.as_raw_handle(), 0, text.as_mut_ptr(), &mut length)
    };
    let text = text.get(..usize::try_from(length).ok()?)?;
    (done != 0).then(|| PathBuf::from(OsString::from_wide(text)))
}

fn open(process_id: u32) -> io::Result<OwnedHandle> {
    let rights = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;
    // SAFETY: takes values alone.
    let handle = unsafe { OpenProcess(rights, 0, process_id) };
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the handle is open and nobody else owns it.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

fn sid_of_handle(process: HANDLE) -> io::Result<String> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the process handle is valid, and `token` lives for the call.
    if unsafe { OpenProcessToken(process, TOKEN_QUERY, &mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the handle is open and nobody else owns it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut length = 0;
    // SAFETY: asks for the length alone; a null buffer of length zero is what the interface documents for that.
    unsafe {
        GetTokenInformation(token.as_raw_handle(), TokenUser, ptr::null_mut(), 0, &mut length)
    };
    // Of u64, so that it is aligned for TOKEN_USER.
    let mut buffer = vec![0u64; usize::try_from(length).unwrap_or(0).div_ceil(8).max(1)];
    // SAFETY: the buffer has at least `length` bytes.
    let done = unsafe {
        let start = buffer.as_mut_ptr().cast();
        GetTokenInformation(token.as_raw_handle(), TokenUser, start, length, &mut length)
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call filled the buffer with a TOKEN_USER, whose SID pointer leads into the same buffer.
    let sid = unsafe { (*buffer.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    let mut text: *mut u16 = ptr::null_mut();
    // SAFETY: the SID is valid while `buffer` lives.
    if unsafe { ConvertSidToStringSidW(sid, &mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so `text` is a zero-terminated string.
    let owned = unsafe { widestring::U16CStr::from_ptr_str(text) }.to_string_lossy();
    // SAFETY: the string was allocated by the call above, for us to free, and is not used any more.
    unsafe { LocalFree(text.cast()) };
    Ok(owned)
}
