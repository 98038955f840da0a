//! `strftime_now`, in the C locale.

use std::fmt::Write;

use chrono::format::{Item, StrftimeItems};
use chrono::{Local, NaiveDate, NaiveDateTime};

/// What a clock on the wall shows, for `strftime_now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallClock(NaiveDateTime);

impl WallClock {
    /// The local time.
    pub fn now() -> Self {
        Self(Local::now().naive_local())
    }

    /// A date (year, month from 1, day from 1) and a time (hour, minute, second); `None` if the calendar lacks it.
    pub fn at((year, month, day): (i32, u32, u32), (hour, minute, second): (u32, u32, u32)) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, minute, second).map(Self)
    }

    /// `datetime.strftime(format)`: a local time without a zone, and what is no directive stays as it is.
    pub(super) fn format(self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some(start) = rest.find('%') {
            out.push_str(&rest[..start]);
            let directive = rest[start + 1..].trim_start_matches(['-', '_', '0', '^', '#']);
            let end = rest.len() - directive.len() + directive.chars().next().map_or(0, char::len_utf8);
            self.directive(&rest[start..end], directive.chars().next(), &mut out);
            rest = &rest[end..];
        }
        out + rest
    }

    fn directive(self, text: &str, letter: Option<char>, out: &mut String) {
        match letter {
            Some('f') => {
                // Writing to a string cannot fail.
                let _ = write!(out, "{:06}", self.0.and_utc().timestamp_subsec_micros());
            }
            Some('z' | 'Z') => {}
            // No directives of C's library.
            Some('q' | 'v' | '+' | ':' | '.' | '1'..='9') => out.push_str(text),
            _ => {
                let upper = text.contains('^');
                let plain = text.replace('^', "");
                let items: Vec<Item<'_>> = StrftimeItems::new(&plain).collect();
                if items.contains(&Item::Error) || write!(out, "{}", Self::cased(self.0, &items, upper)).is_err() {
                    out.push_str(text);
                }
            }
        }
    }

    fn cased(time: NaiveDateTime, items: &[Item<'_>], upper: bool) -> String {
        let text = time.format_with_items(items.iter()).to_string();
        if upper { text.to_uppercase() } else { text }
    }
}
