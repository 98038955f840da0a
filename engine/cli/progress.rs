//! Progress bars on standard error, where that is a terminal.

use std::{
    collections::BTreeMap,
    fmt::Write,
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use formers::hub::Progress;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

/// A bar for each file that is being downloaded.
#[derive(Default)]
pub(super) struct Bars {
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Progress for Bars {
    fn start(&self, file: &str, done: u64, total: Option<u64>) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars
            .entry(file.to_owned())
            .or_insert_with(|| self.all.add(bar(file, "{binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}")));
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
        // What came from an earlier run says nothing about the speed of this one.
        bar.reset_eta();
    }

    fn advance(&self, file: &str, bytes: u64) {
        if let Some(bar) = self.bars.lock().unwrap_or_else(PoisonError::into_inner).get(file) {
            bar.inc(bytes);
        }
    }

    fn finish(&self, file: &str) {
        if let Some(bar) = self.bars.lock().unwrap_or_else(PoisonError::into_inner).remove(file) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

fn bar(name: &str, counts: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!("{{msg:28!}} {{wide_bar}} {counts}"));
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(name.to_owned())
}

/// A bar for inputs that are answered, hidden where answers are shown on the same terminal.
pub(super) fn inputs(count: Option<u64>) -> ProgressBar {
    if super::output::for_people() {
        return ProgressBar::hidden();
    }
    let template = if count.is_some() { "inputs {wide_bar} {pos}/{len} {rate} {eta}" } else { "{spinner} {pos} inputs answered, {rate}" };
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate);
    let bar = ProgressBar::no_length().with_style(style);
    if let Some(count) = count {
        bar.set_length(count);
    }
    bar
}

/// Turns while something goes on whose length is not known.
pub(super) fn spinner(what: &str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    // Its thread is seen by nobody without a terminal, and asking for one panics where the system starts none.
    if io::stderr().is_terminal() && thread::Builder::new().spawn(|| ()).is_ok() {
        spinner.enable_steady_tick(Duration::from_millis(100));
    }
    spinner
}
