//! HTML: escaping, and taking tags away.

use std::sync::Arc;

use super::entities;
use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::Result;
use crate::preprocess::text::jinja::text::is_space;
use crate::preprocess::text::jinja::value::Value;
use crate::preprocess::text::jinja::value::repr::str_of;

/// `markupsafe.escape(value)`; HTML stays as it is.
pub(crate) fn escape(budget: &Budget, value: &Value) -> Result<Arc<str>> {
    let text = str_of(budget, value)?;
    if value.is_markup() {
        budget.make(text.len())?;
        return Ok(text);
    }
    escape_text(budget, &text)
}

/// Text as HTML.
pub(crate) fn escape_text(budget: &Budget, text: &str) -> Result<Arc<str>> {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    budget.make(out.len())?;
    Ok(out.into())
}

/// `Markup(text).striptags()`
pub(crate) fn strip_tags(budget: &Budget, text: &str) -> Result<String> {
    budget.make(3 * text.len())?;
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let comment = rest[start..].starts_with("<!--");
        let (from, end) = if comment { (start + 4, "-->") } else { (start, ">") };
        let Some(found) = rest[from..].find(end) else { break };
        kept.push_str(&rest[..start]);
        rest = &rest[from + found + end.len()..];
    }
    kept.push_str(rest);
    let words: Vec<&str> = kept.split(is_space).filter(|word| !word.is_empty()).collect();
    Ok(entities::unescape(&words.join(" ")))
}
