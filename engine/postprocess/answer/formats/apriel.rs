//! Reasoning up to `[BEGIN FINAL RESPONSE]`, and a list of calls between `<tool_calls>` and `</tool_calls>`: Apriel 1.5 and 1.6.

use crate::postprocess::answer::{
    format::{Format, Mark, Reasoning},
    formats::jamba,
};

pub(super) const FORMAT: Format = Format {
    name: "apriel",
    templates: &[&["[BEGIN FINAL RESPONSE]"]],
    reasoning: &[Reasoning::first("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"), Reasoning::first("<thinking>", "</thinking>")],
    marks: &[Mark::anywhere("<tool_calls>", jamba::calls)],
    silent: &["[END FINAL RESPONSE]"],
    ..Format::NONE
};
