//! Filters that make HTML and addresses.

use std::collections::BTreeSet;

use super::text::strings_of;
use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::format::html::{self, escape_text, strip_tags};
use crate::preprocess::text::jinja::format::urlize::{self as addresses, Links};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::iterate::{Source, collect};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::Value;
use crate::preprocess::text::jinja::value::repr::str_of;

pub(super) fn escape(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    Ok(Value::Markup(html::escape(&machine.budget, arguments.unnamed::<1>("escape", 1)?.value(0))?))
}

pub(super) fn forceescape(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_forceescape", ["value"], 1)?;
    let text = str_of(&machine.budget, bound.value(0))?;
    Ok(Value::Markup(escape_text(&machine.budget, &text)?))
}

pub(super) fn safe(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_mark_safe", ["value"], 1)?;
    Ok(Value::Markup(str_of(&machine.budget, bound.value(0))?))
}

pub(super) fn striptags(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_striptags", ["value"], 1)?;
    let text = str_of(&machine.budget, bound.value(0))?;
    Value::made(&machine.budget, strip_tags(&machine.budget, &text)?)
}

/// A text as part of an address, or of its query.
fn quote(machine: &Machine<'_>, value: &Value, query: bool) -> Result<String> {
    let text = str_of(&machine.budget, value)?;
    machine.budget.make(text.len().saturating_mul(3))?;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => out.push(byte.into()),
            b'/' if !query => out.push('/'),
            b' ' if query => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(out)
}

/// `urlencode(value)`, of a text, a dictionary or pairs
pub(super) fn urlencode(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_urlencode", ["value"], 1)?;
    let value = bound.value(0);
    if value.as_str().is_some() || !Source::can(value) {
        return quote(machine, value, false).map(Value::str);
    }
    let mut parts = Vec::new();
    let mut add = |key: &Value, value: &Value| -> Result<()> {
        parts.push(format!("{}={}", quote(machine, key, true)?, quote(machine, value, true)?));
        Ok(())
    };
    if let Value::Dict(dict) = value {
        dict.iter().try_for_each(|(key, value)| add(key, value))?;
    } else {
        let mut source = Source::of(value)?;
        while let Some(pair) = source.next(machine)? {
            match collect(machine, &pair)?.as_slice() {
                [key, value] => add(key, value)?,
                other => return Err(Error::value_error(format!("not 2 values to unpack but {}", other.len()))),
            }
        }
    }
    Value::made(&machine.budget, parts.join("&"))
}

/// `xmlattr(d, autospace=True)`
pub(super) fn xmlattr(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let budget = &machine.budget;
    let bound = arguments.bind("do_xmlattr", ["d", "autospace"], 1)?;
    let Value::Dict(dict) = bound.value(0).defined()? else {
        return Err(Error::no_method(bound.value(0).type_name(), "items"));
    };
    let mut parts = Vec::new();
    for (key, value) in dict.iter() {
        if value.is_none() || value.is_undefined() {
            continue;
        }
        let Some(name) = key.as_str() else { return Err(Error::type_error("expected string or bytes-like object")) };
        if name.contains(|c: char| matches!(c, '\t'..='\r' | ' ' | '/' | '>' | '=')) {
            return Err(Error::value_error(format!("Invalid character in attribute name: '{name}'")));
        }
        parts.push(format!("{}=\"{}\"", html::escape(budget, key)?, html::escape(budget, value)?));
    }
    let mut text = parts.join(" ");
    if bound.truth(1, true)? && !text.is_empty() {
        text.insert(0, ' ');
    }
    budget.make(text.len())?;
    Ok(Value::text(text, machine.autoescape.get()))
}

/// `urlize(value, trim_url_limit=None, nofollow=False, target=None, rel=None, extra_schemes=None)`
pub(super) fn urlize(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let names = ["value", "trim_url_limit", "nofollow", "target", "rel", "extra_schemes"];
    let bound = arguments.bind("do_urlize", names, 1)?;
    let mut rel: BTreeSet<&str> = bound.text(4)?.unwrap_or_default().split_whitespace().collect();
    rel.insert("noopener");
    if bound.truth(2, false)? {
        rel.insert("nofollow");
    }
    let schemes = bound.some(5).map_or(Ok(Vec::new()), |schemes| strings_of(machine, schemes))?;
    schemes.iter().try_for_each(|scheme| addresses::check_scheme(scheme))?;
    let links = Links {
        limit: bound.some(1).map(crate::preprocess::text::jinja::run::arguments::integer).transpose()?,
        rel: Some(rel.into_iter().collect::<Vec<_>>().join(" ")),
        target: bound.text(3)?.map(str::to_owned),
        schemes,
    };
    let value = bound.value(0);
    let text = if value.is_markup() {
        // What is HTML already is not escaped again.
        addresses::urlize_html(&machine.budget, value.as_str().unwrap_or_default(), &links)?
    } else {
        addresses::urlize(&machine.budget, &str_of(&machine.budget, value)?, &links)?
    };
    Ok(Value::text(text, machine.autoescape.get()))
}
