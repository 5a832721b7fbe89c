//! Where keys are that live on: pages that the kernel writes neither to the swap nor into a dump.
//!
//! They are in slots of a key each, since the kernel locks whole pages and lets a user lock few (`RLIMIT_MEMLOCK`): another
//! page is locked when all are full, and none is given back. Where there is no page to be had, keys are on the heap: nothing
//! fails, the log says so once, and [`keys_in_swap`] counts them.
//! Of macOS and Windows only the lock is asked for: neither writes a core file by itself.

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

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

    fn within(pages: &Pages, bytes: Zeroizing<[u8; 32]>) -> Self {
        if let Some((page, slot)) = pages.take() {
            // SAFETY: the slot is within the page, and was free until this line.
            unsafe { page.slot(slot).write(*bytes) };
            return Self(Place::Slot(page, slot));
        }
        if ON_HEAP.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "no more memory can be locked (`ulimit -l`, LimitMEMLOCK=): keys may reach the swap"
            );
        }
        Self(Place::Heap(Box::new(bytes)))
    }
}

impl From<Zeroizing<[u8; 32]>> for Key {
    fn from(bytes: Zeroizing<[u8; 32]>) -> Self {
        static PAGES: Pages = Pages::new(allocate_locked);
        Self::within(&PAGES, bytes)
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

/// The locked pages of a process.
struct Pages {
    pages: Mutex<Vec<&'static Page>>,
    allocate: fn(usize) -> Option<NonNull<u8>>,
}

impl Pages {
    const fn new(allocate: fn(usize) -> Option<NonNull<u8>>) -> Self {
        Self { pages: Mutex::new(Vec::new()), allocate }
    }

    /// A free slot, of another page if need be. What could not be locked is tried again: keys have left meanwhile.
    fn take(&self) -> Option<(&'static Page, u32)> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = pages.iter().find_map(|page| Some((*page, page.take()?))) {
            return Some(taken);
        }
        let start = (self.allocate)(PAGE_SIZE)?.cast();
        let page: &'static Page = Box::leak(Box::new(Page { start, taken: Mutex::new(0) }));
        pages.push(page);
        Some((page, page.take()?))
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

    fn allocate(size: usize) -> Option<NonNull<u8>> {
        Some(NonNull::from(Box::leak(vec![0_u8; size].into_boxed_slice())).cast())
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
    fn a_full_page_has_no_slot_until_one_is_given_back_and_another_page_is_taken() {
        let pages = Pages::new(allocate);
        let slots: Vec<_> = (0..128).map(|_| pages.take().unwrap()).collect();
        let page = slots[0].0;
        assert!(slots.iter().all(|(other, _)| std::ptr::eq(*other, page)));
        assert!((0..128).eq(slots.iter().map(|(_, slot)| *slot)));
        assert_eq!(page.take(), None);
        let (other, slot) = pages.take().unwrap();
        assert!(!std::ptr::eq(other, page) && slot == 0);
        page.give_back(77);
        assert!(matches!(pages.take(), Some((again, 77)) if std::ptr::eq(again, page)));
    }

    #[test]
    fn keys_beyond_the_memory_that_can_be_locked_are_whole_counted_and_told_of() {
        static LEFT: AtomicUsize = AtomicUsize::new(1);
        let pages = Pages::new(|size| {
            let fewer = |left: usize| left.checked_sub(1);
            LEFT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).ok()?;
            allocate(size)
        });
        let before = keys_in_swap();
        let bytes = |number: u8| Zeroizing::new([number; 32]);
        let keys: Vec<_> = (0..200).map(|number| Key::within(&pages, bytes(number))).collect();
        assert!(keys.iter().zip(0..200).all(|(key, number)| **key == [number; 32]));
        let on_heap = keys.iter().filter(|key| matches!(key.0, Place::Heap(_))).count();
        assert_eq!((on_heap, keys_in_swap()), (72, before + 72));
        drop(keys);
        assert_eq!(keys_in_swap(), before);
        assert!(matches!(Key::within(&pages, bytes(1)).0, Place::Slot(..)), "there is room again");
    }
}
