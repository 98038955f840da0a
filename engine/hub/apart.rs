//! Threads of their own, for work that must not run in somebody's asynchronous code. Where the system starts none, that is an error.

use std::thread::{self, Builder, Scope};

/// What work gives that runs on a thread of its own, which is waited for.
///
/// # Errors
/// In words, where there is no such thread, or the work broke off.
pub(super) fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    thread::scope(|scope| {
        let thread = Builder::new().spawn_scoped(scope, work).map_err(|error| refused(&error))?;
        thread.join().map_err(|_| "it broke off".to_owned())
    })
}

/// Lets so many threads do this at once, or as many of them as the system starts.
///
/// # Errors
/// In words, where it starts none.
pub(super) fn together<'scope>(
    scope: &'scope Scope<'scope, '_>,
    count: usize,
    work: impl Fn() + Send + Copy + 'scope,
) -> Result<(), String> {
    for number in 0..count {
        if let Err(error) = Builder::new().spawn_scoped(scope, work) {
            return if number == 0 { Err(refused(&error)) } else { Ok(()) };
        }
    }
    Ok(())
}

fn refused(error: &std::io::Error) -> String {
    format!("the system starts no thread for it: {error}")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_breaks_off_is_told() {
        assert_eq!(apart(|| 3), Ok(3));
        assert_eq!(apart(|| assert_eq!(1, 2)), Err("it broke off".to_owned()));
        let done = AtomicUsize::new(0);
        let work = || _ = done.fetch_add(1, Ordering::Relaxed);
        thread::scope(|scope| together(scope, 3, work)).unwrap();
        assert_eq!(done.into_inner(), 3);
    }
}
