//! How many threads a session gets.

use formers_converters::content::has_room;
use serde::Serialize;

use super::SessionOptions;

/// The processor, as far as this process may use it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Threads {
    /// Physical cores of the machine.
    pub physical: usize,
    /// Threads that the system lets this process run at once, with affinity and container limits.
    pub available: usize,
    /// What a session takes when nothing is said.
    pub default: usize,
}

impl Threads {
    /// A session never takes more, whatever is asked for: they would only wait for each other.
    pub const MOST: usize = 256;

    /// Counts anew, since limits may change.
    pub fn count() -> Self {
        let physical = num_cpus::get_physical().max(1);
        let available = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        // Two threads on one core share its arithmetic units, and only get in each other's way.
        Self { physical, available, default: physical.min(available).min(Self::MOST) }
    }
}

/// Threads for a session.
pub(crate) fn wanted(options: &SessionOptions) -> usize {
    match options.threads {
        Some(threads) if threads > 0 => threads.min(Threads::MOST),
        _ => Threads::count().default,
    }
}

/// What the C library reserves for a thread that begins to allocate, beside its stack.
const RESERVED: u64 = 128 << 20;

/// As [`wanted`], but no more than the system starts: ONNX Runtime waits for ever for one that it is refused, so that is tried before.
pub(super) fn granted(options: &SessionOptions) -> usize {
    let wanted = wanted(options);
    // Some more, so that it does not come down to the last one.
    let limited = trial::memory_is_limited();
    let fit = !limited || has_room(wanted as u64 * RESERVED);
    if wanted == 1 || fit && trial::started(wanted + 1) == wanted + 1 {
        return wanted;
    }
    // What takes memory for their stacks takes it from the model as well; a limit of processes has others than this one beneath it.
    let granted = if limited { 1 } else { (trial::started(wanted) / 2).max(1) };
    let why = "the system refuses to start so many, by a limit of processes or of memory";
    tracing::warn!("{granted} threads in place of {wanted}: {why}");
    granted
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod trial {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr::{null, null_mut};
    use std::sync::{Mutex, PoisonError};

    /// How many of so many threads run at once. They are the system's own, without what Rust's bring: a thread that allocates reserves memory for
    /// allocations to come, which would stay taken.
    pub(super) fn started(count: usize) -> usize {
        extern "C" fn wait(gate: *mut c_void) -> *mut c_void {
            // SAFETY: the gate outlives the thread, which is joined. The lock allocates nothing.
            drop(unsafe { &*gate.cast::<Mutex<()>>().cast_const() }.lock().unwrap_or_else(PoisonError::into_inner));
            null_mut()
        }
        let gate = Mutex::new(());
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let start = |_| {
            let mut thread = MaybeUninit::uninit();
            // SAFETY: without attributes it is a thread as ONNX Runtime starts them; the call fills the handle where it gives 0.
            unsafe {
                let refused = libc::pthread_create(thread.as_mut_ptr(), null(), wait, (&raw const gate).cast_mut().cast());
                (refused == 0).then(|| thread.assume_init())
            }
        };
        let threads: Vec<libc::pthread_t> = (0..count).map_while(start).collect();
        drop(closed);
        for thread in &threads {
            // SAFETY: each is joined once.
            unsafe { libc::pthread_join(*thread, null_mut()) };
        }
        threads.len()
    }

    /// Whether this process may have only so much memory.
    pub(super) fn memory_is_limited() -> bool {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the call fills the struct that it is given.
        let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
        known && limit.rlim_cur != libc::RLIM_INFINITY
    }
}

#[cfg(not(target_os = "linux"))]
mod trial {
    use std::sync::{Mutex, PoisonError};

    /// How many of so many threads run at once.
    pub(super) fn started(count: usize) -> usize {
        let gate = Mutex::new(());
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
        std::thread::scope(|scope| {
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, wait).ok();
            let started = (0..count).map_while(start).count();
            drop(closed);
            started
        })
    }

    /// Whether this process may have only so much memory, which is not known here.
    pub(super) fn memory_is_limited() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_threads_than_are_of_use() {
        let with = |threads| SessionOptions { threads, ..SessionOptions::default() };
        for (asked, expected) in [(Some(1), 1), (Some(3), 3), (Some(5000), Threads::MOST), (Some(usize::MAX), Threads::MOST)] {
            assert_eq!(wanted(&with(asked)), expected);
        }
        assert_eq!(wanted(&with(Some(0))), wanted(&with(None)));
        assert_eq!((trial::started(0), trial::started(3), granted(&with(Some(3)))), (0, 3, 3));
    }
}
