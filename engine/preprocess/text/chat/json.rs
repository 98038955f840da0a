//! JSON as Python writes it.

use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::value::convert::{from_json, size};
use crate::{Error, Result};

/// `json.dumps(value, ensure_ascii=False)`
pub(crate) fn dumps(value: &serde_json::Value) -> Result<String> {
    let text = crate::preprocess::text::jinja::dumps(&Budget::new(size(value)), &from_json(value));
    text.map_err(|error| Error::request("inputs", error))
}
