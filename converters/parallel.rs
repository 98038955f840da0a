//! Work on all cores, where the system starts threads for it.

use std::sync::OnceLock;

use rayon::ThreadPoolBuilder;

/// Does work in which there are rayon's parallel iterators. Those panic where the system has refused rayon its threads, by a limit of
/// processes or of memory; here the calling thread does all by itself then.
pub fn parallel<T>(work: impl FnOnce() -> T) -> T {
    static STARTED: OnceLock<bool> = OnceLock::new();
    if !STARTED.get_or_init(started) && rayon::current_thread_index().is_none() {
        alone();
    }
    work()
}

/// Starts the threads that all of the process shares, unless they have been.
fn started() -> bool {
    match ThreadPoolBuilder::new().build_global() {
        Ok(()) => true,
        // The application was first. Only a refusal has a cause.
        Err(error) => std::error::Error::source(&error).is_none(),
    }
}

/// Makes the calling thread a pool of its own, for good.
fn alone() {
    // Nothing that can be refused is asked for.
    let _ = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build();
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    #[test]
    fn a_thread_alone_does_the_same() {
        let sum = || (0..1000_u64).into_par_iter().sum::<u64>();
        assert_eq!(parallel(sum), 499_500);
        let threads = std::thread::spawn(move || {
            alone();
            (parallel(sum), rayon::current_num_threads())
        });
        assert_eq!(threads.join().unwrap(), (499_500, 1));
    }
}
