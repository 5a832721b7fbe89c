//! Processes, their programs and their users, from the Windows API.

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::ptr;

use windows_sys::Win32::Foundation::{HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{GetTokenInformation, TOKEN_QUERY, TOKEN_USER, TokenUser};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
    QueryFullProcessImageNameW,
};

/// The SID of this process's user, as text.
pub(crate) fn own_sid() -> io::Result<String> {
    // SAFETY: takes nothing and answers a pseudo handle, which is not to be closed.
    sid_of_handle(unsafe { GetCurrentProcess() })
}

/// The SID of another process's user, as text.
pub(crate) fn sid_of(process_id: u32) -> io::Result<String> {
    sid_of_handle(open(process_id)?.as_raw_handle())
}

/// A process's executable; `None` when it does not show it.
pub(crate) fn program_of(process_id: u32) -> Option<PathBuf> {
    let process = open(process_id).ok()?;
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
    // SAFETY: takes values alone.
    let handle = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, process_id) };
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
