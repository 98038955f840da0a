//! The threads of our operators.
//!
//! A token is some hundred products of 10 to 100 microseconds, one after the other: threads have to begin at once and end together. Here each
//! has its own range of parts, neighbours in memory and the same in every run, takes parts of others when it is done, and looks for the next
//! product without sleeping; meanwhile it asks for the weights of that product, so that memory is never idle.

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Waiting threads look for work so often before they look at the clock.
const LOOKS: usize = 64;
/// A waiting thread lets others have its core after so long.
const ALONE: Duration = Duration::from_micros(30);
/// Bytes asked for between two looks for work: a few cache lines, which take no longer than a look.
const STEP: usize = 256;
/// The most bytes that a thread asks for ahead: they have to stay in its second cache.
const MOST_AHEAD: usize = 512 << 10;

/// The job that threads may join: its number, whether it is open, and how many have joined.
mod word {
    pub(super) const ONE: u64 = 1;
    pub(super) const JOINED: u64 = (1 << 16) - 1;
    pub(super) const OPEN: u64 = 1 << 16;
    pub(super) const NUMBER: u32 = 17;
}

/// Threads that compute parts of a job with the one that asks for it. They start with the first job.
pub(super) struct Pool {
    /// With the caller's.
    threads: usize,
    shared: Arc<Shared>,
    workers: OnceLock<Vec<JoinHandle<()>>>,
    /// Held by the run whose job it is.
    turn: Mutex<()>,
}

#[repr(align(128))]
struct Line<T>(T);

struct Shared {
    word: Line<AtomicU64>,
    /// For each thread the parts that are left: the first, and behind the last, in 32 bits each.
    ranges: Vec<Line<AtomicU64>>,
    /// Written by the caller while no job is open, read by those who joined one.
    job: UnsafeCell<Option<&'static Work<'static>>>,
    failed: AtomicBool,
    /// Where the weights of the next job begin, and how many bytes they have.
    ahead: [AtomicUsize; 2],
    spin: Duration,
    sleeping: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
    stop: AtomicBool,
}

type Work<'a> = dyn Fn(usize) + Sync + 'a;

// SAFETY: `job` is written only between jobs (`Pool::run` holds `turn`, and has waited for all who joined), and is read only within one.
unsafe impl Sync for Shared {}
// SAFETY: as above; all else may be sent.
unsafe impl Send for Shared {}

impl Pool {
    /// So many threads, with the caller's; after a job they wait busily for this long, then sleep.
    pub(super) fn new(threads: usize, spin: Duration) -> Self {
        let threads = threads.clamp(1, 256);
        let shared = Shared {
            word: Line(AtomicU64::new(0)),
            ranges: (0..threads).map(|_| Line(AtomicU64::new(0))).collect(),
            job: UnsafeCell::new(None),
            failed: AtomicBool::new(false),
            ahead: [AtomicUsize::new(0), AtomicUsize::new(0)],
            spin,
            sleeping: AtomicUsize::new(0),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            stop: AtomicBool::new(false),
        };
        Self { threads, shared: Arc::new(shared), workers: OnceLock::new(), turn: Mutex::new(()) }
    }

    /// Calls this with each number below a count, on all threads. A run that finds the threads at work for another one does all by itself.
    ///
    /// `Err` if one of the calls panicked: what it left out may not pass for a result.
    pub(super) fn run(&self, parts: usize, work: &Work<'_>) -> Result<(), Failed> {
        let turn = match self.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        let Some(_turn) = turn.filter(|_| parts > 1 && self.threads > 1 && u32::try_from(parts).is_ok()) else {
            return catch_unwind(AssertUnwindSafe(|| (0..parts).for_each(work))).map_err(|_| Failed);
        };
        let shared = &*self.shared;
        self.workers.get_or_init(|| (1..self.threads).filter_map(|number| start(number, &self.shared)).collect());
        for (thread, range) in shared.ranges.iter().enumerate() {
            range.0.store(packed(parts * thread / self.threads..parts * (thread + 1) / self.threads), Ordering::Relaxed);
        }
        shared.failed.store(false, Ordering::Relaxed);
        // SAFETY: no job is open and nobody is in one, so nobody reads this; and `work` outlives the job, as this function waits for its end.
        unsafe { *shared.job.get() = Some(std::mem::transmute::<&Work<'_>, &'static Work<'static>>(work)) };
        let number = (shared.word.0.load(Ordering::Relaxed) >> word::NUMBER).wrapping_add(1);
        shared.word.0.store(number << word::NUMBER | word::OPEN, Ordering::SeqCst);
        if shared.sleeping.load(Ordering::SeqCst) > 0 {
            let _asleep = shared.sleep.lock().unwrap_or_else(PoisonError::into_inner);
            shared.wake.notify_all();
        }
        shared.take_part(0, work);
        // All parts are taken: nobody need join any more, and those who did are at their last.
        shared.word.0.fetch_and(!word::OPEN, Ordering::AcqRel);
        let mut looks = 0_usize;
        while shared.word.0.load(Ordering::Acquire) & word::JOINED != 0 {
            looks += 1;
            if looks < 1 << 14 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        if shared.failed.load(Ordering::Relaxed) { Err(Failed) } else { Ok(()) }
    }

    /// Says which bytes the job after the next reads first to last: threads that wait ask for the beginning of their part of them.
    pub(super) fn announce(&self, next: Range<usize>) {
        let [start, length] = &self.shared.ahead;
        start.store(next.start, Ordering::Relaxed);
        length.store(next.len(), Ordering::Relaxed);
    }
}

/// A part of a job panicked.
#[derive(Debug)]
pub(super) struct Failed;

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(self.shared.sleep.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.wake.notify_all();
        for worker in self.workers.take().into_iter().flatten() {
            let _ = worker.join();
        }
    }
}

/// `None` where the system has no more threads: the others do its part.
fn start(number: usize, shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let thread = std::thread::Builder::new().name(format!("formers-{number}")).spawn(move || shared.work(number));
    thread.inspect_err(|error| tracing::warn!("a thread could not be started: {error}")).ok()
}

impl Shared {
    /// What a thread does until the pool ends.
    fn work(&self, thread: usize) {
        let mut last = 0;
        while let Some(number) = self.join(last, thread) {
            last = number;
            // SAFETY: this thread has joined, and so has seen what was written before the job was opened; it stays until this has left.
            if let Some(work) = unsafe { *self.job.get() } {
                self.take_part(thread, work);
            }
            self.word.0.fetch_sub(word::ONE, Ordering::Release);
        }
    }

    /// Waits for another job than the last, and joins it; `None` at the end of the pool.
    fn join(&self, last: u64, thread: usize) -> Option<u64> {
        let mut since: Option<Instant> = None;
        let mut ahead = self.ahead(thread);
        loop {
            for _ in 0..LOOKS {
                let word = self.word.0.load(Ordering::Acquire);
                let number = word >> word::NUMBER;
                if word & word::OPEN == 0 || number == last {
                    ask_for(&mut ahead);
                    continue;
                }
                if self.word.0.compare_exchange(word, word + word::ONE, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    return Some(number);
                }
            }
            if self.stop.load(Ordering::Acquire) {
                return None;
            }
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if waited > self.spin {
                self.rest(last);
                since = None;
                ahead = 0..0;
            } else if waited > ALONE {
                std::thread::yield_now();
            }
        }
    }

    /// Sleeps until there is a job.
    fn rest(&self, last: u64) {
        let mut asleep = self.sleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        loop {
            let word = self.word.0.load(Ordering::SeqCst);
            if self.stop.load(Ordering::SeqCst) || (word & word::OPEN != 0 && word >> word::NUMBER != last) {
                break;
            }
            asleep = self.wake.wait(asleep).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }

    /// The first bytes of this thread's part of the next job.
    fn ahead(&self, thread: usize) -> Range<usize> {
        let [start, length] = self.ahead.each_ref().map(|value| value.load(Ordering::Relaxed));
        let of = |thread: usize| start.wrapping_add((length as u128 * thread as u128 / self.ranges.len() as u128) as usize);
        let (first, end) = (of(thread), of(thread + 1));
        first..end.min(first.saturating_add(MOST_AHEAD))
    }

    fn take_part(&self, thread: usize, work: &Work<'_>) {
        let done = catch_unwind(AssertUnwindSafe(|| {
            while let Some(part) = self.own(thread) {
                work(part);
            }
            let others = self.ranges.len();
            for other in (1..others).map(|step| (thread + step) % others) {
                while let Some(part) = self.others(other) {
                    work(part);
                }
            }
        }));
        if done.is_err() {
            self.failed.store(true, Ordering::Relaxed);
            // What is left is not computed by anybody: it would fail as well.
            for range in &self.ranges {
                range.0.store(0, Ordering::Relaxed);
            }
        }
    }

    /// The first that is left of one's own.
    fn own(&self, thread: usize) -> Option<usize> {
        self.take(thread, |Range { start, end }| (start, start + 1..end))
    }

    /// The last that is left of another's, who takes them from the front.
    fn others(&self, thread: usize) -> Option<usize> {
        self.take(thread, |Range { start, end }| (end - 1, start..end - 1))
    }

    fn take(&self, thread: usize, split: impl Fn(Range<usize>) -> (usize, Range<usize>)) -> Option<usize> {
        let range = &self.ranges.get(thread)?.0;
        let mut given = range.load(Ordering::Relaxed);
        loop {
            let left = unpacked(given);
            if left.is_empty() {
                return None;
            }
            let (part, rest) = split(left);
            match range.compare_exchange_weak(given, packed(rest), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(part),
                Err(now) => given = now,
            }
        }
    }
}

fn packed(range: Range<usize>) -> u64 {
    (range.start as u64) << 32 | range.end as u64
}

fn unpacked(range: u64) -> Range<usize> {
    (range >> 32) as usize..(range & u64::from(u32::MAX)) as usize
}

/// Has the next few cache lines brought into the second cache.
fn ask_for(ahead: &mut Range<usize>) {
    if ahead.start >= ahead.end {
        std::hint::spin_loop();
        return;
    }
    #[cfg(target_arch = "x86_64")]
    for line in (0..STEP).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: an address that is only asked for is never read, whatever is there.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::without_provenance(ahead.start.wrapping_add(line))) };
    }
    ahead.start = ahead.start.saturating_add(STEP);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_done_once_whoever_asks() {
        let pool = Pool::new(3, Duration::from_micros(20));
        for parts in [0, 1, 2, 3, 50, 1000] {
            for pause in [0, 0, 100] {
                std::thread::sleep(Duration::from_micros(pause));
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                pool.announce(counts.as_ptr() as usize..counts.as_ptr() as usize + parts);
                pool.run(parts, &|part| _ = counts[part].fetch_add(1, Ordering::Relaxed)).unwrap();
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn runs_that_overlap_all_end() {
        let pool = Pool::new(2, Duration::ZERO);
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        pool.run(7, &|part| _ = total.fetch_add(part, Ordering::Relaxed)).unwrap();
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 200 * 21);
    }

    #[test]
    fn a_part_that_panics_fails_its_job_and_no_other() {
        let pool = Pool::new(2, Duration::from_millis(1));
        assert!(pool.run(9, &|part| assert_ne!(part, 7)).is_err());
        assert!(pool.run(9, &|_| ()).is_ok());
    }
}
