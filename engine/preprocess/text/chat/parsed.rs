//! Templates are read once: the last few stay, as the reference keeps them too.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::render::{NAME, with_stack};
use crate::preprocess::text::jinja::Template;
use crate::preprocess::text::jinja::error::{Error as JinjaError, Kind};
use crate::{Error, ErrorKind, Result};

/// How many templates are kept.
const KEPT: usize = 16;
/// Longer ones are none: the longest that is known has 60 kB.
const LONGEST: usize = 1 << 20;

static TEMPLATES: Mutex<VecDeque<(String, Arc<Template>)>> = Mutex::new(VecDeque::new());

/// The template of a text.
///
/// # Errors
/// A configuration error with the line when the template is not valid Jinja.
pub(super) fn parsed(template: &str) -> Result<Arc<Template>> {
    if template.len() > LONGEST {
        return Err(Error::config(format!("a {NAME} of {} bytes; {LONGEST} are the most", template.len())));
    }
    let mut kept = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = kept.iter().position(|(text, _)| text == template)
        && let Some(entry) = kept.remove(found)
    {
        let template = entry.1.clone();
        kept.push_front(entry);
        return Ok(template);
    }
    drop(kept);
    let read = Arc::new(with_stack(|| Template::new(template).map_err(|error| explain(&error)))?);
    let mut kept = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_front((template.to_owned(), read.clone()));
    kept.truncate(KEPT);
    Ok(read)
}

/// What is wrong with a template, or with what it is given.
pub(super) fn explain(error: &JinjaError) -> Error {
    let line = error.line().map_or(String::new(), |line| format!(", line {line}"));
    let (kind, what) = match error.kind() {
        Kind::Raised => return Error::request("messages", format!("the chat template raises: {}", error.message())),
        Kind::Syntax => (ErrorKind::Config, error.to_string()),
        Kind::Limit => (ErrorKind::Request, format!("it does not end, or makes too much text ({})", error.message())),
        _ => (ErrorKind::Request, format!("{error}; the messages may lack what the template reads")),
    };
    Error::new(kind, format!("{NAME}{line}: {what}"))
}
