//! Runs that take too long are stopped: a graph is a stranger's program, and may never end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind, Result};

/// What is being watched, by when it has to end, and the number that tells those of one moment apart.
static WATCHED: Mutex<BTreeMap<(Instant, u64), Stop>> = Mutex::new(BTreeMap::new());
static CHANGED: Condvar = Condvar::new();

struct Stop {
    stop: Box<dyn Fn() + Send>,
    late: Arc<AtomicBool>,
}

/// Something that has to end in time; it is watched for as long as this lives.
pub(super) struct Watched {
    key: (Instant, u64),
    late: Arc<AtomicBool>,
}

/// Calls `stop` after so long, unless what it stops has ended by then.
///
/// # Errors
/// Where the system starts no thread to watch from.
pub(super) fn within(limit: Duration, stop: impl Fn() + Send + 'static) -> Result<Option<Watched>> {
    // Beyond what the clock counts there is no limit.
    let Some(end) = Instant::now().checked_add(limit) else { return Ok(None) };
    start()?;
    let late = Arc::new(AtomicBool::new(false));
    let mut watched = lock();
    let number = (0..).find(|number| !watched.contains_key(&(end, *number))).unwrap_or_default();
    let key = (end, number);
    let is_next = watched.first_key_value().is_none_or(|(first, _)| key < *first);
    watched.insert(key, Stop { stop: Box::new(stop), late: late.clone() });
    drop(watched);
    if is_next {
        CHANGED.notify_one();
    }
    Ok(Some(Watched { key, late }))
}

impl Watched {
    /// Whether it was stopped.
    pub(super) fn is_late(&self) -> bool {
        self.late.load(Ordering::Acquire)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock().remove(&self.key);
    }
}

/// Starts the one thread that watches. A failure is not remembered.
fn start() -> Result<()> {
    static STARTED: OnceLock<()> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if STARTED.get().is_none() {
        let started = Builder::new().name("formers-watch".to_owned()).spawn(watch);
        started
            .map_err(|error| Error::new(ErrorKind::Runtime, format!("a time limit: no thread to watch it: {error}")).caused_by(error))?;
        let _ = STARTED.set(());
    }
    Ok(())
}

fn watch() {
    let mut watched = lock();
    loop {
        let now = Instant::now();
        let Some((&key, _)) = watched.first_key_value() else {
            watched = CHANGED.wait(watched).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        if key.0 > now {
            (watched, _) = CHANGED.wait_timeout(watched, key.0 - now).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        // Whoever is watched cannot go away before it is out of the list, for which this lock is needed.
        if let Some(Stop { stop, late }) = watched.remove(&key) {
            late.store(true, Ordering::Release);
            stop();
        }
    }
}

fn lock() -> MutexGuard<'static, BTreeMap<(Instant, u64), Stop>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_stopped_and_nothing_else() {
        let (stopped, came) = std::sync::mpsc::channel();
        let watch = |name: &'static str, milliseconds| {
            let stopped = stopped.clone();
            within(Duration::from_millis(milliseconds), move || _ = stopped.send(name)).unwrap().unwrap()
        };
        let [slow, late, quick, first] = [watch("slow", 60_000), watch("late", 80), watch("quick", 60), watch("first", 20)];
        drop(quick);
        let two = [came.recv().unwrap(), came.recv().unwrap()];
        assert_eq!(two, ["first", "late"]);
        assert_eq!([&slow, &late, &first].map(Watched::is_late), [false, true, true]);
        assert!(came.try_recv().is_err());
        assert!(within(Duration::MAX, || ()).unwrap().is_none());
    }
}
