//! Reasoning between `<seed:think>` and `</seed:think>`: Seed.

use crate::postprocess::answer::format::{Format, Reasoning};

pub(super) const FORMAT: Format = Format {
    name: "seed",
    templates: &[&["<seed:think>"]],
    reasoning: &[Reasoning::first("<seed:think>", "</seed:think>")],
    ..Format::NONE
};
