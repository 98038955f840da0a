//! What the library has to tell goes to standard error, a line each: `warning: …`, `note: …`.

use std::{
    fmt::{self, Write},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Starts telling: warnings, and more for each `-v`, or what `RUST_LOG` says. With `tell_device` also which device was taken.
pub(super) fn start(verbose: u8, tell_device: bool) {
    // What other crates say is for those who look for bugs.
    let level = match verbose {
        0 if tell_device => "formers=warn,formers::session=info",
        0 => "formers=warn",
        1 => "formers=info,formers::tokens=debug",
        2 => "formers=debug",
        _ => "trace",
    };
    let environment = std::env::var("RUST_LOG").ok().filter(|value| verbose == 0 && !value.is_empty());
    let filter = EnvFilter::builder().parse_lossy(environment.as_deref().unwrap_or(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).event_format(Lines).init();
}

/// Tokens that were read and written so far, where that is told.
static TOKENS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Tells how many tokens were read and written in some time.
pub(super) fn tell_tokens(time: Duration) {
    let [read, written] = TOKENS.each_ref().map(|count| count.load(Ordering::Relaxed));
    let seconds = time.as_secs_f64();
    let rate = |tokens: u64| tokens as f64 / seconds.max(1e-9);
    match (read, written) {
        (0, 0) => tracing::info!("answered in {seconds:.2} s"),
        (read, 0) => tracing::info!("answered in {seconds:.2} s: {read} tokens read, {:.0} tokens/s", rate(read)),
        (read, written) => {
            tracing::info!("answered in {seconds:.2} s: {read} tokens read, {written} written, {:.1} tokens/s", rate(written));
        }
    }
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if event.metadata().target() == "formers::tokens" {
            event.record(&mut Tokens);
            return Ok(());
        }
        let prefix = match *event.metadata().level() {
            // Only the end of the program is an error.
            Level::ERROR | Level::WARN => "warning",
            Level::INFO => "note",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut message = Message(String::new());
        event.record(&mut message);
        writeln!(writer, "{prefix}: {}", super::failure::one_line(&message.0))
    }
}

/// Adds up what events of `formers::tokens` say.
struct Tokens;

impl Visit for Tokens {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some(place) = ["read", "written"].iter().position(|name| *name == field.name()) {
            TOKENS[place].fetch_add(value, Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The message of an event, without its fields.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
