//! Ctrl-C: the first lets what is at work come to its end where that is wanted, the next ends the program at once. What was written stays
//! whole lines.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::failure::INTERRUPTED;

type Ask = Box<dyn Fn() + Send>;

static ASKED: AtomicBool = AtomicBool::new(false);
/// Asks what is at work to end, where it can.
static GENTLY: Mutex<Option<Ask>> = Mutex::new(None);
/// Held while a line is being written.
static WRITING: Mutex<()> = Mutex::new(());
/// A file that is not whole yet.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From now on Ctrl-C is answered here.
pub(super) fn watch() -> Result<()> {
    let handled = ctrlc::set_handler(|| {
        let ask = lock(&GENTLY).take();
        if let Some(ask) = ask {
            ASKED.store(true, Ordering::SeqCst);
            let _ = writeln!(io::stderr(), "note: what is at work is finished first; Ctrl-C again ends at once");
            ask();
        } else {
            end();
        }
    });
    or_by_itself(handled)
}

/// Where no thread waits for Ctrl-C, the system ends the program.
pub(super) fn or_by_itself(handled: Result<(), ctrlc::Error>) -> Result<()> {
    match handled {
        Err(ctrlc::Error::System(error)) => {
            tracing::warn!("Ctrl-C ends the program at once, as the system starts no thread to wait for it: {error}");
            Ok(())
        }
        handled => handled.context("Ctrl-C"),
    }
}

/// The first Ctrl-C only asks.
pub(super) fn gently(ask: impl Fn() + Send + 'static) {
    *lock(&GENTLY) = Some(Box::new(ask));
}

/// Whether the program was asked to end.
pub(super) fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// While this is held, a line can be written to its end.
pub(super) fn writing() -> MutexGuard<'static, ()> {
    lock(&WRITING)
}

/// A file that is removed where the program ends before it is whole; `None` when it is.
pub(super) fn unfinished(file: Option<PathBuf>) {
    *lock(&UNFINISHED) = file;
}

/// Ends the program, but not within a line, unless nobody reads it.
fn end() -> ! {
    let start = Instant::now();
    let _line = loop {
        match WRITING.try_lock() {
            Err(std::sync::TryLockError::WouldBlock) if start.elapsed() < Duration::from_millis(500) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            line => break line,
        }
    };
    let _ = writeln!(io::stderr(), "error: interrupted");
    if let Some(file) = lock(&UNFINISHED).take() {
        let _ = std::fs::remove_file(file);
    }
    leave()
}

/// Without what libraries do at the end of a program, which other threads, still at work, would not survive.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[allow(unsafe_code)]
fn leave() -> ! {
    // SAFETY: ends the process; nothing is read or written.
    unsafe { libc::_exit(i32::from(INTERRUPTED)) }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn leave() -> ! {
    std::process::exit(i32::from(INTERRUPTED))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
