//! Reasoning between `<thought>` and `</thought>`: EXAONE Deep.

use crate::postprocess::answer::format::{Format, Reasoning};

pub(super) const FORMAT: Format =
    Format { name: "exaone-deep", templates: &[&["<thought>"]], reasoning: &[Reasoning::first("<thought>", "</thought>")], ..Format::NONE };
