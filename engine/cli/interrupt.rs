//! Ctrl-C, and what a system ends programs with (SIGTERM, SIGHUP): the first lets what is at work come to its end where that is wanted, the
//! next ends the program at once. What was written stays whole lines, and what is not whole goes away.
//!
//! What the caller has told the program to ignore stays ignored: SIGHUP by `nohup`, SIGINT by shells for what scripts run in the background.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

/// A signal, by its number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signal(u8);

impl Signal {
    /// Ctrl-C.
    pub(super) const INTERRUPT: Self = Self(2);

    /// As shells report a program that a signal has ended.
    pub(super) const fn code(self) -> u8 {
        128 + self.0
    }

    fn name(self) -> &'static str {
        match self.0 {
            1 => " by SIGHUP",
            15 => " by SIGTERM",
            _ => "",
        }
    }
}

/// Whether a signal is dealt with; else the program ends.
type Answer = Box<dyn FnMut(Signal) -> bool + Send>;

static ASKED: AtomicBool = AtomicBool::new(false);
/// The first signal that there was.
static FIRST: AtomicU8 = AtomicU8::new(0);
/// Nothing else is to be said any more.
static ENDING: AtomicBool = AtomicBool::new(false);
static ANSWER: Mutex<Option<Answer>> = Mutex::new(None);
/// Held while a line is being written.
static WRITING: Mutex<()> = Mutex::new(());
/// A file that is not whole yet.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From now on signals are answered here. To be called before other threads are there.
pub(super) fn watch() {
    system::watch(|signal| {
        let _ = FIRST.compare_exchange(0, signal.0, Ordering::SeqCst, Ordering::SeqCst);
        if !lock(&ANSWER).as_mut().is_some_and(|answer| answer(signal)) {
            end(signal);
        }
    });
}

/// What signals mean from now on.
pub(super) fn answer(answer: impl FnMut(Signal) -> bool + Send + 'static) {
    *lock(&ANSWER) = Some(Box::new(answer));
}

/// The first signal only asks.
pub(super) fn gently(ask: impl Fn() + Send + 'static) {
    answer(move |_| {
        let is_first = !ASKED.swap(true, Ordering::SeqCst);
        if is_first {
            let _ = writeln!(io::stderr(), "note: what is at work is finished first; Ctrl-C again ends at once");
            ask();
        }
        is_first
    });
}

/// Whether the program was asked to end.
pub(super) fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// The signal that the program ends for.
pub(super) fn signal() -> Signal {
    match FIRST.load(Ordering::SeqCst) {
        0 => Signal::INTERRUPT,
        first => Signal(first),
    }
}

/// While this is held, a line can be written to its end.
pub(super) fn writing() -> MutexGuard<'static, ()> {
    lock(&WRITING)
}

/// A file that is removed where the program ends before it is whole; `None` when it is.
pub(super) fn unfinished(file: Option<PathBuf>) {
    *lock(&UNFINISHED) = file;
}

/// Waits where the program is being ended: what fails because of that is nothing to tell.
pub(super) fn settle() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Ends the program, but not within a line, unless nobody reads it.
fn end(signal: Signal) -> ! {
    let start = Instant::now();
    let _line = loop {
        match WRITING.try_lock() {
            Err(std::sync::TryLockError::WouldBlock) if start.elapsed() < Duration::from_millis(500) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            line => break line,
        }
    };
    ENDING.store(true, Ordering::SeqCst);
    let _ = writeln!(io::stderr(), "error: interrupted{}", signal.name());
    leave(signal)
}

/// Ends the program without a word.
pub(super) fn leave(signal: Signal) -> ! {
    ENDING.store(true, Ordering::SeqCst);
    if let Some(file) = lock(&UNFINISHED).take() {
        let _ = std::fs::remove_file(file);
    }
    formers::model::converted::abandon();
    system::leave(signal.code())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
#[allow(unsafe_code)]
mod system {
    use std::{mem, ptr, thread};

    use super::Signal;

    /// Signals are blocked in all threads, and taken by one that waits for them: what it calls may do whatever it likes.
    pub(super) fn watch(handle: fn(Signal)) {
        // SAFETY: both structs are plain data that the calls fill; nothing else runs in this process yet.
        let set = unsafe {
            let mut set: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
                let mut now: libc::sigaction = mem::zeroed();
                let is_ignored = libc::sigaction(signal, ptr::null(), &raw mut now) == 0 && now.sa_sigaction == libc::SIG_IGN;
                if !is_ignored {
                    libc::sigaddset(&raw mut set, signal);
                }
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
            set
        };
        let wait = move || {
            loop {
                let mut signal = 0;
                // SAFETY: the set was filled above.
                let error = unsafe { libc::sigwait(&raw const set, &raw mut signal) };
                if let (0, Ok(signal)) = (error, u8::try_from(signal)) {
                    handle(Signal(signal));
                }
            }
        };
        if thread::Builder::new().name("formers-signals".into()).spawn(wait).is_err() {
            // Without a thread signals are the system's matter again.
            // SAFETY: as above.
            unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut()) };
        }
    }

    /// Without what libraries do at the end of a program, which other threads, still at work, would not survive.
    pub(super) fn leave(code: u8) -> ! {
        // SAFETY: ends the process; nothing is read or written.
        unsafe { libc::_exit(i32::from(code)) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod system {
    use super::Signal;

    pub(super) fn watch(handle: fn(Signal)) {
        if let Err(error) = ctrlc::set_handler(move || handle(Signal::INTERRUPT)) {
            tracing::warn!("Ctrl-C cannot be watched for: {error}");
        }
    }

    pub(super) fn leave(code: u8) -> ! {
        std::process::exit(i32::from(code))
    }
}
