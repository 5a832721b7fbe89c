//! Where keys are that live on: a page that the kernel writes neither to the swap nor into a dump.
//!
//! One page for the whole process, in slots of a key each, since the kernel locks whole pages and lets a user lock few
//! (`RLIMIT_MEMLOCK`). It is never given back. Where it cannot be had, keys are on the heap, and [`keys_in_swap`] counts them.
//! Of macOS and Windows only the lock is asked for: neither writes a core file by itself.

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use zeroize::{Zeroize, Zeroizing};

/// 32 secret bytes, zeroed on drop.
pub(crate) struct Key(Place);

enum Place {
    /// The number of a slot that is this key's alone.
    Slot(&'static Page, u32),
    Heap(Box<Zeroizing<[u8; 32]>>),
}

/// How many keys are in memory that the kernel may write to the swap; none where locking memory works.
pub fn keys_in_swap() -> usize {
    ON_HEAP.load(Ordering::Relaxed)
}

static ON_HEAP: AtomicUsize = AtomicUsize::new(0);

impl Key {
    /// `None` for any other length.
    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Zeroizing::new).map(Self::from)
    }
}

impl From<Zeroizing<[u8; 32]>> for Key {
    fn from(bytes: Zeroizing<[u8; 32]>) -> Self {
        if let Some((page, slot)) = Page::of_process().and_then(|page| Some((page, page.take()?))) {
            // SAFETY: the slot is within the page, and was free until this line.
            unsafe { page.slot(slot).write(*bytes) };
            return Self(Place::Slot(page, slot));
        }
        ON_HEAP.fetch_add(1, Ordering::Relaxed);
        Self(Place::Heap(Box::new(bytes)))
    }
}

impl Deref for Key {
    type Target = [u8; 32];

    fn deref(&self) -> &[u8; 32] {
        match &self.0 {
            // SAFETY: written when the key was made, and nobody else's until it is dropped.
            Place::Slot(page, slot) => unsafe { page.slot(*slot).as_ref() },
            Place::Heap(bytes) => bytes,
        }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        match &self.0 {
            Place::Slot(page, slot) => {
                // SAFETY: this key's slot still, and nobody reads a key that is being dropped.
                unsafe { page.slot(*slot).as_mut() }.zeroize();
                page.give_back(*slot);
            }
            Place::Heap(_) => drop(ON_HEAP.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// A locked page.
struct Page {
    start: NonNull<[u8; 32]>,
    /// A bit for each slot that is in use.
    taken: Mutex<u128>,
}

// SAFETY: the bits, under their lock, give each slot to one key, which alone reads and writes it.
unsafe impl Send for Page {}
// SAFETY: the same.
unsafe impl Sync for Page {}

impl Page {
    /// What cannot be locked at first is not tried again: the limit is set before a process starts.
    fn of_process() -> Option<&'static Self> {
        static PAGE: OnceLock<Option<Page>> = OnceLock::new();
        let make =
            || Some(Self { start: allocate_locked(PAGE_SIZE)?.cast(), taken: Mutex::new(0) });
        PAGE.get_or_init(make).as_ref()
    }

    fn take(&self) -> Option<u32> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = taken.trailing_ones();
        *taken |= 1u128.checked_shl(slot)?;
        Some(slot)
    }

    fn give_back(&self, slot: u32) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) &= !(1 << slot);
    }

    /// # Safety
    /// Below 128: the page has that many.
    unsafe fn slot(&self, slot: u32) -> NonNull<[u8; 32]> {
        // SAFETY: 128 slots of 32 bytes are the page.
        unsafe { self.start.add(slot as usize) }
    }
}

/// 128 keys. A kernel with larger pages locks more than is used.
const PAGE_SIZE: usize = 128 * 32;

#[cfg(unix)]
fn allocate_locked(size: usize) -> Option<NonNull<u8>> {
    use rustix::mm::{MapFlags, ProtFlags, mlock, mmap_anonymous, munmap};

    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping where the kernel likes, which nobody else knows of before it is answered.
    unsafe {
        let start = mmap_anonymous(std::ptr::null_mut(), size, access, MapFlags::PRIVATE).ok()?;
        if mlock(start, size).is_err() {
            let _ = munmap(start, size);
            return None;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // Old kernels know less; the process makes no core file anyway.
        let _ = rustix::mm::madvise(start, size, rustix::mm::Advice::LinuxDontDump);
        NonNull::new(start.cast())
    }
}

#[cfg(windows)]
fn allocate_locked(size: usize) -> Option<NonNull<u8>> {
    use windows_sys::Win32::System::Memory::{
        MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc, VirtualFree,
        VirtualLock,
    };

    // SAFETY: new pages where the system likes, which nobody else knows of before they are answered.
    unsafe {
        let start = NonNull::new(VirtualAlloc(
            std::ptr::null(),
            size,
            MEM_COMMIT | MEM_RESERVE,
            PAGE_READWRITE,
        ))?;
        if VirtualLock(start.as_ptr(), size) == 0 {
            VirtualFree(start.as_ptr(), 0, MEM_RELEASE);
            return None;
        }
        Some(start.cast())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let whole = Box::leak(Box::new([[0_u8; 32]; 128]));
        Page { start: NonNull::from(whole).cast(), taken: Mutex::new(0) }
    }

    #[test]
    fn a_key_leaves_nothing_behind_in_its_slot() {
        let key = Key::from(Zeroizing::new([7; 32]));
        assert_eq!((*key, format!("{key:?}").as_str()), ([7; 32], "Key"));
        let Place::Slot(page, slot) = key.0 else {
            panic!("no page could be locked: see `ulimit -l`")
        };
        drop(key);
        // SAFETY: within the page; a test that takes the slot meanwhile writes its own key over the zeros.
        assert_ne!(unsafe { page.slot(slot).read() }, [7; 32]);
    }

    #[test]
    fn a_full_page_has_no_slot_until_one_is_given_back() {
        let page = page();
        let slots: Vec<_> = (0..128).map(|_| page.take().unwrap()).collect();
        assert_eq!(slots, (0..128).collect::<Vec<_>>());
        assert_eq!(page.take(), None);
        page.give_back(77);
        assert_eq!((page.take(), page.take()), (Some(77), None));
    }
}
