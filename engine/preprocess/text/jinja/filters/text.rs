//! Filters of text.

use std::sync::Arc;

use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::format::html::escape;
use crate::preprocess::text::jinja::format::wrap::{Wrapping, wrap};
use crate::preprocess::text::jinja::format::{percent, pretty};
use crate::preprocess::text::jinja::methods;
use crate::preprocess::text::jinja::methods::lines::lines;
use crate::preprocess::text::jinja::methods::strings;
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::run::iterate::{collect, length};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::run::operators::binary;
use crate::preprocess::text::jinja::syntax::tree::Binary;
use crate::preprocess::text::jinja::text::is_space;
use crate::preprocess::text::jinja::value::number::index;
use crate::preprocess::text::jinja::value::repr::str_of;
use crate::preprocess::text::jinja::value::{Dict, Value};

/// `soft_str(value)`: HTML stays HTML.
fn soft(machine: &Machine<'_>, value: &Value) -> Result<Value> {
    match value {
        Value::Str(_) | Value::Markup(_) => Ok(value.clone()),
        _ => Ok(Value::Str(str_of(&machine.budget, value)?)),
    }
}

/// A method of the text of the only argument.
fn method(machine: &Machine<'_>, arguments: Arguments, filter: &str, name: &str) -> Result<Value> {
    let bound = arguments.bind(filter, ["s"], 1)?;
    methods::call(machine, &soft(machine, bound.value(0))?, name, Arguments::default())
}

pub(super) fn upper(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    method(machine, arguments, "do_upper", "upper")
}

pub(super) fn lower(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    method(machine, arguments, "do_lower", "lower")
}

pub(super) fn capitalize(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    method(machine, arguments, "do_capitalize", "capitalize")
}

/// Jinja's own title case: words begin behind spaces, hyphens and opening brackets only.
pub(super) fn title(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_title", ["s"], 1)?;
    let text = str_of(&machine.budget, bound.value(0))?;
    machine.budget.make(2 * text.len())?;
    let splits = |c: char| c == '-' || is_space(c) || matches!(c, '(' | '{' | '[' | '<');
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| splits(c) != splits(first)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        out.extend(first.to_uppercase());
        out.push_str(&word[first.len_utf8()..].to_lowercase());
        rest = behind;
    }
    Ok(Value::str(out))
}

pub(super) fn string(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    soft(machine, arguments.unnamed::<1>("soft_str", 1)?.value(0))
}

pub(super) fn center(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_center", ["value", "width"], 1)?;
    let width = bound.given(1).cloned().unwrap_or(Value::Int(80));
    methods::call(machine, &soft(machine, bound.value(0))?, "center", Arguments::of(vec![width]))
}

pub(super) fn trim(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_trim", ["value", "chars"], 1)?;
    let set = bound.given(1).cloned().unwrap_or(Value::None);
    methods::call(machine, &soft(machine, bound.value(0))?, "strip", Arguments::of(vec![set]))
}

pub(super) fn pprint(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    Value::made(&machine.budget, pretty::pformat(&machine.budget, arguments.bind("do_pprint", ["value"], 1)?.value(0))?)
}

/// `replace(s, old, new, count=None)`
pub(super) fn replace(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let budget = &machine.budget;
    let bound = arguments.bind("do_replace", ["s", "old", "new", "count"], 3)?;
    let count = bound.some(3).map_or(Ok(-1), crate::preprocess::text::jinja::run::arguments::integer)?;
    let (text, old, new) = (bound.value(0), bound.value(1), bound.value(2));
    if !machine.autoescape.get() {
        let replaced = strings::replace(budget, &str_of(budget, text)?, &str_of(budget, old)?, &str_of(budget, new)?, count)?;
        return Ok(Value::str(replaced));
    }
    let text =
        if old.is_markup() || (new.is_markup() && !text.is_markup()) { Value::Markup(escape(budget, text)?) } else { soft(machine, text)? };
    let new = if text.is_markup() { escape(budget, new)? } else { str_of(budget, new)? };
    let replaced = strings::replace(budget, text.as_str().unwrap_or_default(), &str_of(budget, old)?, &new, count)?;
    Ok(Value::text(replaced, text.is_markup()))
}

/// `format(value, *args, **kwargs)`: `%`
pub(super) fn format(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let Arguments { mut positional, keywords } = arguments;
    if positional.is_empty() {
        return Err(Error::type_error("do_format() missing 1 required positional argument: 'value'"));
    }
    let text = soft(machine, &positional.remove(0))?;
    let values = if keywords.is_empty() {
        Value::tuple(&machine.budget, positional)?
    } else if positional.is_empty() {
        let mut dict = Dict::default();
        keywords.into_iter().for_each(|(name, value)| dict.insert_str(name, value));
        Value::dict(dict)?
    } else {
        return Err(Error::new(Kind::Argument, "can't handle positional and keyword arguments at the same time"));
    };
    percent::format(machine, text.as_str().unwrap_or_default(), &values, text.is_markup())
}

/// `indent(s, width=4, first=False, blank=False)`
pub(super) fn indent(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let budget = &machine.budget;
    let bound = arguments.bind("do_indent", ["s", "width", "first", "blank"], 1)?;
    let (first, blank) = (bound.truth(2, false)?, bound.truth(3, false)?);
    let value = bound.value(0);
    let markup = value.is_markup();
    let indentation: Arc<str> = match bound.given(1) {
        None => "    ".into(),
        Some(width) => match (width, index(width)) {
            (Value::Str(text) | Value::Markup(text), _) => text.clone(),
            (_, Some(width)) => {
                let width = usize::try_from(width).unwrap_or(0);
                budget.make(width)?;
                " ".repeat(width).into()
            }
            (other, None) => {
                return Err(Error::type_error(format!("can't multiply sequence by non-int of type '{}'", other.type_name())));
            }
        },
    };
    value.defined()?;
    let Some(text) = value.as_str() else {
        // To a list Python adds the line break, and then finds no lines in it.
        return Err(match value {
            Value::List(_) => Error::no_method("list", "splitlines"),
            _ => Error::type_error(format!("unsupported operand type(s) for +=: '{}' and 'str'", value.type_name())),
        });
    };
    let whole = [text, "\n"].concat();
    let lines = lines(&whole, false);
    budget.make(whole.len().saturating_add(indentation.len().saturating_mul(lines.len() + 1)))?;
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        if if number == 0 { first } else { blank || !line.is_empty() } {
            out.push_str(&indentation);
        }
        out.push_str(line);
    }
    Ok(Value::text(out, markup))
}

fn need_text<'a>(value: &'a Value, what: &str) -> Result<&'a str> {
    let value = value.defined()?;
    value.as_str().ok_or_else(|| Error::type_error(format!("{what}: must be str, not {}", value.type_name())))
}

/// `truncate(s, length=255, killwords=False, end="...", leeway=None)`
pub(super) fn truncate(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_truncate", ["s", "length", "killwords", "end", "leeway"], 1)?;
    let dots = Value::from("...");
    let end = bound.given(3).unwrap_or(&dots);
    let (wanted, leeway) = (bound.integer(1, 255)?, bound.some(4).map_or(Ok(5), crate::preprocess::text::jinja::run::arguments::integer)?);
    let end_length = end.as_str().map(|end| end.chars().count() as i64).ok_or_else(|| Error::type_error("end must be str"))?;
    if wanted < end_length {
        return Err(Error::new(Kind::Assertion, format!("expected length >= {end_length}, got {wanted}")));
    }
    if leeway < 0 {
        return Err(Error::new(Kind::Assertion, format!("expected leeway >= 0, got {leeway}")));
    }
    let value = bound.value(0);
    let Some(length) = length(machine, value)? else {
        return Err(Error::type_error(format!("object of type '{}' has no len()", value.type_name())));
    };
    if length as i64 <= wanted.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let text = need_text(value, "truncate")?;
    let kept = usize::try_from(wanted - end_length).unwrap_or(0);
    let cut = &text[..text.char_indices().nth(kept).map_or(text.len(), |(index, _)| index)];
    let cut = if bound.truth(2, false)? { cut } else { cut.rsplit_once(' ').map_or(cut, |(before, _)| before) };
    machine.budget.make(cut.len())?;
    binary(machine, Binary::Add, &Value::text(cut, value.is_markup()), end)
}

/// `wordwrap(s, width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True)`
pub(super) fn wordwrap(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_wordwrap", ["s", "width", "break_long_words", "wrapstring", "break_on_hyphens"], 1)?;
    let value = bound.value(0).defined()?;
    let Some(text) = value.as_str() else {
        return Err(Error::no_method(value.type_name(), "splitlines"));
    };
    // Python takes only True itself for splitting, but anything true for breaking.
    let splits = bound.given(4).is_none_or(|value| matches!(value, Value::Bool(true)));
    let wrapping = Wrapping { width: bound.integer(1, 79)?, break_long_words: bound.truth(2, true)?, break_on_hyphens: splits };
    let new_line = Value::from("\n");
    let joint = bound.some(3).unwrap_or(&new_line);
    let mut wrapped = Vec::new();
    for line in lines(text, false) {
        let parts = wrap(&machine.budget, line, wrapping)?;
        wrapped.push(methods::call(machine, joint, "join", Arguments::of(vec![texts(machine, parts)?]))?);
    }
    methods::call(machine, joint, "join", Arguments::of(vec![Value::list(&machine.budget, wrapped)?]))
}

fn texts(machine: &Machine<'_>, parts: Vec<String>) -> Result<Value> {
    Value::list(&machine.budget, parts.into_iter().map(Value::str).collect())
}

pub(super) fn wordcount(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_wordcount", ["s"], 1)?;
    let text = str_of(&machine.budget, bound.value(0))?;
    machine.budget.work(8 * text.len())?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    Ok(Value::from(text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).count()))
}

/// The items of a list of strings, such as schemes.
pub(super) fn strings_of(machine: &Machine<'_>, value: &Value) -> Result<Vec<Arc<str>>> {
    collect(machine, value)?.iter().map(|item| Ok(Arc::from(need_text(item, "scheme")?))).collect()
}
