//! `text.format(...)`, within the sandbox.

use super::field::format_value;
use super::html::{escape, escape_text};
use super::percent::ascii;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::attributes::{attribute, item};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::Value;
use crate::preprocess::text::jinja::value::repr::{repr, str_of};

/// How deep fields may stand in the formats of fields.
const DEEPEST: usize = 2;

/// What fields are filled with.
pub(crate) enum Given {
    Arguments(Arguments),
    /// The argument of `format_map`.
    Mapping(Value),
}

struct Formatter<'a> {
    machine: &'a Machine<'a>,
    given: Given,
    /// Whether what is filled in becomes HTML.
    markup: bool,
    /// The next field without a name; `None` once fields were numbered.
    automatic: Option<usize>,
    manual: bool,
}

/// Fills the fields of a text.
pub(crate) fn format(machine: &Machine<'_>, text: &str, given: Given, markup: bool) -> Result<Value> {
    let mut formatter = Formatter { machine, given, markup, automatic: Some(0), manual: false };
    let out = formatter.expand(text, 0)?;
    machine.budget.make(out.len())?;
    Ok(Value::text(out, markup))
}

impl Formatter<'_> {
    fn expand(&mut self, text: &str, depth: usize) -> Result<String> {
        if depth > DEEPEST {
            return Err(Error::value_error("Max string recursion exceeded"));
        }
        self.machine.budget.make(text.len())?;
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(['{', '}']) {
            out.push_str(&rest[..start]);
            let brace = &rest[start..=start];
            rest = &rest[start + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                out.push_str(brace);
                rest = behind;
                continue;
            }
            if brace == "}" {
                return Err(Error::value_error("Single '}' encountered in format string"));
            }
            if rest.is_empty() {
                return Err(Error::value_error("Single '{' encountered in format string"));
            }
            let field = field(rest)?;
            rest = &rest[field.len() + 1..];
            self.field(field, depth, &mut out)?;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn field(&mut self, field: &str, depth: usize, out: &mut String) -> Result<()> {
        let (name, conversion, spec) = parts(field)?;
        let value = self.lookup(name)?;
        let budget = &self.machine.budget;
        let value = match conversion {
            None => value,
            Some('s') => Value::Str(str_of(budget, &value)?),
            Some('r') => Value::str(repr(budget, &value)?),
            Some('a') => Value::str(ascii(&repr(budget, &value)?)),
            Some(other) => return Err(Error::value_error(format!("Unknown conversion specifier {other}"))),
        };
        let spec = self.expand(spec, depth + 1)?;
        let budget = &self.machine.budget;
        let text = match (self.markup, value.is_markup()) {
            (true, true) if !spec.is_empty() => return Err(Error::value_error("Unsupported format specification for Markup.")),
            (true, true) => escape(budget, &value)?.to_string(),
            (true, false) => escape_text(budget, &format_value(budget, &value, &spec)?)?.to_string(),
            (false, _) => format_value(budget, &value, &spec)?,
        };
        budget.make(text.len())?;
        out.push_str(&text);
        Ok(())
    }

    /// The value of a field's name, with its attributes and items.
    fn lookup(&mut self, name: &str) -> Result<Value> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut rest) = name.split_at(end);
        let mut value = self.first(first)?;
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('.') {
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                if end == 0 {
                    return Err(Error::value_error("Empty attribute in format string"));
                }
                value = attribute(self.machine, &value, &behind[..end])?;
                rest = &behind[end..];
                continue;
            }
            let Some(behind) = rest.strip_prefix('[') else {
                return Err(Error::value_error("Only '.' or '[' may follow ']' in format field specifier"));
            };
            let Some(end) = behind.find(']') else { return Err(Error::value_error("Missing ']' in format string")) };
            let key = &behind[..end];
            if key.is_empty() {
                return Err(Error::value_error("Empty attribute in format string"));
            }
            let key =
                key.parse::<i64>().ok().filter(|_| key.bytes().all(|byte| byte.is_ascii_digit())).map_or(Value::from(key), Value::from);
            value = item(self.machine, &value, &key)?;
            rest = &behind[end + 1..];
        }
        Ok(value)
    }

    fn first(&mut self, name: &str) -> Result<Value> {
        let number = if name.is_empty() {
            if self.manual {
                return Err(Error::value_error("cannot switch from manual field specification to automatic field numbering"));
            }
            let next = self.automatic.unwrap_or(0);
            self.automatic = Some(next + 1);
            Some(next)
        } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
            if self.automatic.is_some_and(|next| next > 0) {
                return Err(Error::value_error("cannot switch from automatic field numbering to manual field specification"));
            }
            self.manual = true;
            Some(name.parse().map_err(|_| Error::value_error("Too many decimal digits in format string"))?)
        } else {
            None
        };
        let no_key = |name: &str| Error::new(Kind::Key, format!("'{name}'"));
        match (&self.given, number) {
            (Given::Arguments(arguments), Some(number)) => arguments
                .positional
                .get(number)
                .cloned()
                .ok_or_else(|| Error::new(Kind::Index, format!("Replacement index {number} out of range for positional args tuple"))),
            (Given::Arguments(arguments), None) => {
                let found = arguments.keywords.iter().find(|(keyword, _)| &**keyword == name);
                found.map(|(_, value)| value.clone()).ok_or_else(|| no_key(name))
            }
            (Given::Mapping(_), Some(number)) => {
                Err(Error::new(Kind::Index, format!("Replacement index {number} out of range for positional args tuple")))
            }
            (Given::Mapping(mapping), None) => match mapping {
                Value::Dict(dict) => dict.get_str(name).cloned().ok_or_else(|| no_key(name)),
                other => Err(Error::type_error(format!("'{}' object is not a mapping", other.type_name()))),
            },
        }
    }
}

/// The field that begins here, up to its closing brace.
fn field(text: &str) -> Result<&str> {
    let (mut open, mut bracket) = (1, false);
    for (index, c) in text.char_indices() {
        match c {
            '[' if open == 1 => bracket = true,
            ']' => bracket = false,
            '{' if !bracket => open += 1,
            '}' if !bracket => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok(&text[..index]);
        }
    }
    Err(Error::value_error("expected '}' before end of string"))
}

/// A field's name, conversion and format.
fn parts(field: &str) -> Result<(&str, Option<char>, &str)> {
    let mut bracket = false;
    let end = field.find(|c: char| {
        match c {
            '[' => bracket = true,
            ']' => bracket = false,
            _ => {}
        }
        !bracket && matches!(c, '!' | ':')
    });
    let Some(end) = end else { return Ok((field, None, "")) };
    let (name, rest) = field.split_at(end);
    if name.contains('{') {
        return Err(Error::value_error("unexpected '{' in field name"));
    }
    if let Some(spec) = rest.strip_prefix(':') {
        return Ok((name, None, spec));
    }
    let mut chars = rest[1..].chars();
    let Some(conversion) = chars.next() else {
        return Err(Error::value_error("end of string while looking for conversion specifier"));
    };
    match chars.next() {
        None => Ok((name, Some(conversion), "")),
        Some(':') => Ok((name, Some(conversion), chars.as_str())),
        Some(_) => Err(Error::value_error("expected ':' after conversion specifier")),
    }
}
