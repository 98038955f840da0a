//! What the library has to tell goes to standard error, a line each: `warning: …`, `note: …`.

use std::fmt::{self, Write};

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
    let level = match verbose {
        0 if tell_device => "warn,formers::session=info",
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let environment = std::env::var("RUST_LOG").ok().filter(|value| verbose == 0 && !value.is_empty());
    let filter = EnvFilter::builder().parse_lossy(environment.as_deref().unwrap_or(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).event_format(Lines).init();
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let prefix = match *event.metadata().level() {
            // Only the end of the program is an error.
            Level::ERROR | Level::WARN => "warning",
            Level::INFO => "note",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut message = Message(String::new());
        event.record(&mut message);
        writeln!(writer, "{prefix}: {}", formers_converters::shortened(message.0).replace('\n', " "))
    }
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
