//! Methods of Python's strings, dictionaries and lists; what is not here is minijinja-contrib's.

use minijinja::formatting::FormatStyle;
use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::budget::Budget;
use super::operators::format_with;
use super::python::{is_space, pairs, str_of};
use super::strings::{self, Ends};

/// Calls a method that the value itself does not have.
pub(super) fn call(budget: &Budget, state: &mut State<'_, '_>, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let own = match value.kind() {
        ValueKind::String => string(budget, value.as_str().unwrap_or_default(), method, arguments)?,
        ValueKind::Map => dictionary(budget, value, method, arguments)?,
        ValueKind::Seq => list(value, method, arguments)?,
        ValueKind::Number => number(value, method),
        _ => None,
    };
    match own {
        Some(answer) => Ok(answer),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments),
    }
}

/// The arguments of a call under their names.
struct Arguments<'a> {
    positional: &'a [Value],
    kwargs: Option<Kwargs>,
    names: &'a [&'a str],
}

impl<'a> Arguments<'a> {
    fn new(arguments: &'a [Value], names: &'a [&'a str]) -> Result<Self, Error> {
        let (kwargs, positional) = match arguments.split_last() {
            Some((last, others)) if last.is_kwargs() => (Some(Kwargs::try_from(last.clone())?), others),
            _ => (None, arguments),
        };
        if positional.len() > names.len() {
            return Err(Error::from(ErrorKind::TooManyArguments));
        }
        Ok(Self { positional, kwargs, names })
    }

    /// An argument; `None` when it is missing or Python's `None`.
    fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        let index = self.names.iter().position(|known| *known == name);
        let named: Option<Value> = self.kwargs.as_ref().and_then(|kwargs| kwargs.get(name).ok());
        let value = index.and_then(|index| self.positional.get(index).cloned()).or(named);
        match value {
            Some(value) if value.is_undefined() => Err(Error::new(ErrorKind::UndefinedError, format!("{name} is undefined"))),
            value => Ok(value.filter(|value| !value.is_none())),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match self.get(name)? {
            None => Ok(None),
            Some(value) => value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| wrong(format!("{name} must be a string"))),
        }
    }

    fn needed(&self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| Error::new(ErrorKind::MissingArgument, name.to_owned()))
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, Error> {
        self.get(name)?.map(i64::try_from).transpose()
    }

    /// How often to split or replace; as often as possible when negative.
    fn limit(&self, name: &str) -> Result<usize, Error> {
        Ok(self.integer(name)?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX))
    }
}

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

fn string(budget: &Budget, text: &str, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let read = |names| Arguments::new(arguments, names);
    Ok(Some(match method {
        "strip" | "lstrip" | "rstrip" => {
            let ends = match method {
                "strip" => Ends::Both,
                "lstrip" => Ends::Start,
                _ => Ends::End,
            };
            Value::from(strings::strip(text, read(&["chars"])?.text("chars")?.as_deref(), ends))
        }
        "split" | "rsplit" => {
            let arguments = read(&["sep", "maxsplit"])?;
            let (separator, limit) = (arguments.text("sep")?, arguments.limit("maxsplit")?);
            if separator.as_deref() == Some("") {
                return Err(wrong("empty separator"));
            }
            let pieces = if method == "split" { strings::split } else { strings::rsplit }(text, separator.as_deref(), limit);
            budget.spend(pieces.len() * size_of::<Value>() + text.len())?;
            Value::from(pieces)
        }
        "splitlines" => Value::from(strings::splitlines(text, read(&["keepends"])?.get("keepends")?.is_some_and(|keep| keep.is_true()))),
        "replace" => {
            let arguments = read(&["old", "new", "count"])?;
            replace(budget, text, &arguments.needed("old")?, &arguments.needed("new")?, arguments.limit("count")?)?
        }
        "removeprefix" => Value::from(text.strip_prefix(read(&["prefix"])?.needed("prefix")?.as_str()).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(read(&["suffix"])?.needed("suffix")?.as_str()).unwrap_or(text)),
        "startswith" | "endswith" | "find" | "rfind" | "index" | "rindex" | "count" => {
            search(text, method, &read(&["sub", "start", "end"])?)?
        }
        "partition" | "rpartition" => {
            let separator = read(&["sep"])?.needed("sep")?;
            partition(text, &separator, method == "partition")
        }
        "join" => {
            let items = read(&["iterable"])?.get("iterable")?.ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
            join(budget, text, &items)?
        }
        "center" | "ljust" | "rjust" | "zfill" => {
            let arguments = read(&["width", "fillchar"])?;
            let width = arguments.integer("width")?.unwrap_or(0);
            fill(budget, text, method, width, &arguments.text("fillchar")?.unwrap_or_else(|| " ".to_owned()))?
        }
        "capitalize" => Value::from(strings::capitalize(text)),
        "title" => Value::from(strings::title(text)),
        "swapcase" => Value::from(strings::swapcase(text)),
        "casefold" => Value::from(text.to_lowercase().replace('ß', "ss")),
        "isspace" => Value::from(!text.is_empty() && text.chars().all(is_space)),
        "isdecimal" | "isdigit" if text.is_ascii() => Value::from(!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())),
        "format" => {
            let widths =
                arguments.iter().filter_map(Value::as_i64).any(|number| number > 9999) && text.matches('{').count() > arguments.len();
            if widths {
                return Err(wrong("the format string asks for too wide a field"));
            }
            format_with(budget, FormatStyle::StrFormat, text, arguments)?
        }
        _ => return Ok(None),
    }))
}

/// `replace(old, new, count)`
pub(super) fn replace(budget: &Budget, text: &str, old: &str, new: &str, limit: usize) -> Result<Value, Error> {
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    budget.spend(text.len() + found.min(limit).saturating_mul(new.len()))?;
    Ok(Value::from(text.replacen(old, new, limit)))
}

/// `sep.join(items)`: every item must be a string.
fn join(budget: &Budget, separator: &str, items: &Value) -> Result<Value, Error> {
    let mut out = String::new();
    for (index, item) in items.try_iter()?.enumerate() {
        let item = item.as_str().ok_or_else(|| wrong(format!("join: item {index} is not a string but {}", str_of(&item))))?;
        let separator = if index > 0 { separator } else { "" };
        budget.spend(separator.len() + item.len())?;
        out.push_str(separator);
        out.push_str(item);
    }
    Ok(Value::from(out))
}

/// The methods that look for a string within `[start:end]`, counted in characters.
fn search(text: &str, method: &str, arguments: &Arguments<'_>) -> Result<Value, Error> {
    let count = text.chars().count();
    let place = |value: Option<i64>, default: usize| match value {
        None => default,
        Some(place) if place < 0 => count.saturating_sub(usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX)),
        Some(place) => usize::try_from(place).unwrap_or(usize::MAX),
    };
    let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(at, _)| at);
    let start = place(arguments.integer("start")?, 0);
    let end = place(arguments.integer("end")?, count);
    let part = if start > count || start > end { None } else { Some(&text[byte(start)..byte(end)]) };
    let sought = arguments.get("sub")?.ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
    if method.ends_with("with") {
        let matches = |sought: &Value| -> Result<bool, Error> {
            let sought = sought.as_str().ok_or_else(|| wrong(format!("{method}: needs a string or a tuple of strings")))?;
            Ok(part.is_some_and(|part| if method == "startswith" { part.starts_with(sought) } else { part.ends_with(sought) }))
        };
        if !sought.is_tuple() {
            return matches(&sought).map(Value::from);
        }
        let found: Vec<bool> = sought.try_iter()?.map(|one| matches(&one)).collect::<Result<_, _>>()?;
        return Ok(Value::from(found.contains(&true)));
    }
    let sought = sought.as_str().ok_or_else(|| wrong(format!("{method}: needs a string")))?;
    if method == "count" {
        let occurrences = |part: &str| if sought.is_empty() { part.chars().count() + 1 } else { part.matches(sought).count() };
        return Ok(Value::from(part.map_or(0, occurrences)));
    }
    let found = part.and_then(|part| if method.starts_with('r') { part.rfind(sought) } else { part.find(sought) });
    match (part, found) {
        (Some(part), Some(at)) => Ok(Value::from(start + part[..at].chars().count())),
        _ if method.ends_with("index") => Err(wrong("substring not found")),
        _ => Ok(Value::from(-1)),
    }
}

fn partition(text: &str, separator: &str, first: bool) -> Value {
    let found = if first { text.split_once(separator) } else { text.rsplit_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if first => [text, "", ""],
        None => ["", "", text],
    };
    Value::from(Tuple::from(parts.map(Value::from)))
}

/// `center`, `ljust`, `rjust` and `zfill`
pub(super) fn fill(budget: &Budget, text: &str, method: &str, width: i64, with: &str) -> Result<Value, Error> {
    if with.chars().count() != 1 {
        return Err(wrong("the fill character must be one character"));
    }
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars().count());
    budget.spend(text.len() + missing.saturating_mul(with.len()))?;
    Ok(Value::from(match method {
        "ljust" => text.to_owned() + &with.repeat(missing),
        "rjust" => with.repeat(missing) + text,
        "zfill" => {
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
        _ => {
            // The odd one goes left of the text only when the width is odd.
            let left = missing / 2 + (missing & usize::try_from(width).unwrap_or(0) & 1);
            with.repeat(left) + text + &with.repeat(missing - left)
        }
    }))
}

fn dictionary(budget: &Budget, value: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    let entries = || -> Result<Vec<(Value, Value)>, Error> {
        Arguments::new(arguments, &[])?;
        let entries = pairs(value);
        budget.spend(entries.len() * 2 * size_of::<Value>())?;
        Ok(entries)
    };
    Ok(match method {
        "items" => Some(entries()?.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))).collect()),
        "keys" => Some(entries()?.into_iter().map(|(key, _)| key).collect()),
        "values" => Some(entries()?.into_iter().map(|(_, value)| value).collect()),
        "copy" => Some(Value::from_pairs(entries()?)),
        _ => None,
    })
}

fn list(value: &Value, method: &str, arguments: &[Value]) -> Result<Option<Value>, Error> {
    Ok(match (method, arguments) {
        ("index", [sought]) => {
            let index = value.try_iter()?.position(|item| item == *sought);
            Some(Value::from(index.ok_or_else(|| wrong("the value is not in the list"))?))
        }
        ("copy", []) => Some(value.clone()),
        _ => None,
    })
}

fn number(value: &Value, method: &str) -> Option<Value> {
    let number = f64::try_from(value.clone()).ok()?;
    (method == "is_integer").then(|| Value::from(number.fract() == 0.0))
}
