//! Memory that is given back is zeroed first.
//!
//! Types of our own zero what they hold. A token also goes through buffers that are not ours: a JSON text and its strings,
//! a vector that grows, what the stacks of HTTP and TLS read and write. Whatever of these is freed leaves nothing behind,
//! so that what was dropped is in no dump and no swap file later on. What lives on, such as the buffers of a connection that
//! is kept open, is as it was until it is used again.

use std::alloc::{GlobalAlloc, Layout, System};

/// Has all threads share two heaps. By itself glibc gives each thread another, and what one has freed the others do not use
/// again. Two, since two threads read a large store, and would wait for each other at one.
///
/// To be called before there is a second thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn share_heaps() {
    // SAFETY: sets a number in the allocator, under its lock; what it refuses stays as it was.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

/// Other allocators have no such heaps.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn share_heaps() {}

/// An allocator around another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Zeroing<A = System>(A);

impl Zeroing {
    /// Around the system's.
    pub const fn new() -> Self {
        Self(System)
    }
}

// SAFETY: each call goes to the inner allocator with the caller's own arguments; before memory goes back it is written
// to, which it may be until then. `realloc` is the trait's own: a new block, a copy, and `dealloc` of the old one.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Zeroing<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a block of this allocator with its layout, and nobody uses it any more.
        unsafe {
            block.write_bytes(0, layout.size());
            // Nobody reads the zeros, so that the compiler would leave them out.
            zeroize::optimization_barrier(&*std::ptr::slice_from_raw_parts(block, layout.size()));
            self.0.dealloc(block, layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts the bytes that come back and are not zero.
    #[derive(Default)]
    struct Inspector {
        blocks: AtomicUsize,
        left_over: AtomicUsize,
    }

    // SAFETY: the system's allocator does the work; a block is read before it goes back.
    unsafe impl GlobalAlloc for Inspector {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise is passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the block is whole until the system has it.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            let left_over = bytes.iter().filter(|byte| **byte != 0).count();
            self.left_over.fetch_add(left_over, Ordering::Relaxed);
            self.blocks.fetch_add(1, Ordering::Relaxed);
            // SAFETY: the caller's promise is passed on.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn freed_and_moved_memory_is_zeroed() {
        let allocator = Zeroing(Inspector::default());
        let layout = Layout::from_size_align(100, 8).unwrap();
        // SAFETY: the block is written within its size, grown and given back with its own layouts.
        unsafe {
            let block = allocator.alloc(layout);
            assert!(!block.is_null());
            block.write_bytes(0x5a, 100);
            let grown = allocator.realloc(block, layout, 4000);
            assert!(!grown.is_null());
            assert_eq!(std::slice::from_raw_parts(grown, 100), [0x5a; 100]);
            allocator.dealloc(grown, Layout::from_size_align(4000, 8).unwrap());
        }
        let Inspector { blocks, left_over } = allocator.0;
        assert_eq!((blocks.into_inner(), left_over.into_inner()), (2, 0));
    }
}
