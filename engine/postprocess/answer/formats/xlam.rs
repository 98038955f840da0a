//! The whole answer is a JSON list of calls, with a fence or without: xLAM, and others whose templates write calls without marks.

use crate::postprocess::answer::{
    format::{Format, Mark, THINK},
    formats::llama3,
    forms::alone,
};

pub(super) const FORMAT: Format = Format {
    name: "xlam",
    templates: &[&["tools", "\"arguments\""], &["tools", "tool_calls"]],
    reasoning: &[THINK],
    marks: &[Mark::at_start("[", alone::list), Mark::at_start("{", llama3::plain)],
    ..Format::NONE
};
