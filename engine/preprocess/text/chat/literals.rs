//! What a template is made of: the text that it writes, and the variables that it reads.

use super::parsed::parsed;
use crate::Result;

/// Between two pieces of text, so that none is found across them.
const APART: char = '\0';

/// The plain text and the strings of a template, apart from each other.
pub(super) fn literals(template: &str) -> Result<String> {
    let mut text = String::new();
    parsed(template)?.literals(&mut |piece| {
        text.push_str(piece);
        text.push(APART);
    });
    Ok(text)
}

/// Whether a template reads a variable that it does not set itself.
///
/// # Errors
/// A configuration error with the line when the template is not valid Jinja.
pub(crate) fn reads(template: &str, variable: &str) -> Result<bool> {
    Ok(parsed(template)?.reads(variable))
}
