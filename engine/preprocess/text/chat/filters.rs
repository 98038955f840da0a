//! Jinja's filters, where minijinja's answer differently from Python's or cost more than a rendering may.

use minijinja::formatting::FormatStyle;
use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::budget::Budget;
use super::operators::format_with;
use super::python::{pairs, str_of};
use super::strings::{self, Ends};
use super::{json, methods};

/// Registers the filters.
pub(super) fn register(environment: &mut Environment<'_>, budget: &Budget) {
    let paid = budget.clone();
    environment.add_filter("tojson", move |value: &Value, positional: Rest<Value>, kwargs: Kwargs| {
        json::tojson(&paid, value, &positional, &kwargs)
    });
    let paid = budget.clone();
    environment.add_filter("string", move |value: &Value| paid.text(str_of(value)));
    let paid = budget.clone();
    environment.add_filter("join", move |value: &Value, d: Option<Value>, attribute: Option<Value>, kwargs: Kwargs| {
        join(&paid, value, option(d, &kwargs, "d")?, option(attribute, &kwargs, "attribute")?, &kwargs)
    });
    let paid = budget.clone();
    environment.add_filter(
        "indent",
        move |value: &Value, width: Option<Value>, first: Option<Value>, blank: Option<Value>, kwargs: Kwargs| {
            let (width, first, blank) =
                (option(width, &kwargs, "width")?, option(first, &kwargs, "first")?, option(blank, &kwargs, "blank")?);
            kwargs.assert_all_used()?;
            indent(&paid, &str_of(value), width, first, blank)
        },
    );
    let paid = budget.clone();
    environment.add_filter("replace", move |value: &Value, old: &Value, new: &Value, count: Option<i64>| {
        let limit = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
        methods::replace(&paid, &str_of(value), &str_of(old), &str_of(new), limit)
    });
    let paid = budget.clone();
    environment.add_filter("format", move |value: &Value, arguments: Rest<Value>| {
        format_with(&paid, FormatStyle::Printf, &str_of(value), &arguments)
    });
    let paid = budget.clone();
    environment.add_filter("center", move |value: &Value, width: Option<Value>| -> Result<Value, Error> {
        let width = width.map_or(Ok(80), i64::try_from)?;
        methods::fill(&paid, &str_of(value), "center", width, " ")
    });
    environment.add_filter("trim", |value: &Value, chars: Option<&str>| strings::strip(&str_of(value), chars, Ends::Both).to_owned());
    environment.add_filter("upper", |value: &Value| str_of(value).to_uppercase());
    environment.add_filter("lower", |value: &Value| str_of(value).to_lowercase());
    environment.add_filter("capitalize", |value: &Value| strings::capitalize(&str_of(value)));
    for name in ["length", "count"] {
        environment.add_filter(name, |value: &Value| match value.len() {
            None if value.is_undefined() => Ok(0),
            None => Err(Error::new(ErrorKind::InvalidOperation, format!("a value of type {} has no length", value.kind()))),
            Some(length) => Ok(length),
        });
    }
    for name in ["default", "d"] {
        environment.add_filter(name, |value: &Value, default: Option<Value>, boolean: Option<Value>, kwargs: Kwargs| {
            let default = default.or(kwargs.get("default_value")?).unwrap_or_else(|| Value::from(""));
            let boolean = option(boolean, &kwargs, "boolean")?.is_some_and(|boolean| boolean.is_true());
            kwargs.assert_all_used()?;
            Ok::<_, Error>(if value.is_undefined() || (boolean && !value.is_true()) { default } else { value.clone() })
        });
    }
    environment.add_filter(
        "dictsort",
        |value: &Value, case_sensitive: Option<Value>, by: Option<Value>, reverse: Option<Value>, kwargs: Kwargs| {
            let case_sensitive = option(case_sensitive, &kwargs, "case_sensitive")?;
            let (by, reverse) = (option(by, &kwargs, "by")?, option(reverse, &kwargs, "reverse")?);
            kwargs.assert_all_used()?;
            dictsort(value, case_sensitive.is_some_and(|yes| yes.is_true()), by.is_some_and(|by| by.as_str() == Some("value")), reverse)
        },
    );
    environment.add_filter("int", |value: &Value, default: Option<Value>, base: Option<Value>, kwargs: Kwargs| {
        let (default, base) = (option(default, &kwargs, "default")?, option(base, &kwargs, "base")?);
        kwargs.assert_all_used()?;
        let base = base.map_or(Ok(10), u32::try_from)?;
        Ok::<_, Error>(int(value, base).map(Value::from).or(default).unwrap_or_else(|| Value::from(0)))
    });
    environment.add_filter("float", |value: &Value, default: Option<Value>, kwargs: Kwargs| {
        let default = option(default, &kwargs, "default")?;
        kwargs.assert_all_used()?;
        let number = match value.as_str() {
            Some(text) => text.trim().parse().ok(),
            None => f64::try_from(value.clone()).ok(),
        };
        Ok::<_, Error>(number.map(Value::from).or(default).unwrap_or_else(|| Value::from(0.0)))
    });
    for name in ["e", "escape", "forceescape"] {
        environment.add_filter(name, |value: &Value| escape(&str_of(value)));
    }
    environment.add_filter("wordcount", |value: &Value| {
        str_of(value).split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).count()
    });
}

/// An argument given by its place or its name.
fn option(positional: Option<Value>, kwargs: &Kwargs, name: &str) -> Result<Option<Value>, Error> {
    let named: Option<Value> = kwargs.get(name)?;
    Ok(positional.or(named).filter(|value| !value.is_none()))
}

fn join(budget: &Budget, value: &Value, d: Option<Value>, attribute: Option<Value>, kwargs: &Kwargs) -> Result<Value, Error> {
    kwargs.assert_all_used()?;
    let separator = d.as_ref().map(str_of).unwrap_or_default();
    let mut out = String::new();
    if value.is_undefined() {
        return Ok(Value::from(out));
    }
    for (index, item) in value.try_iter()?.enumerate() {
        let item = match &attribute {
            Some(attribute) => str_of(&at(&item, attribute)?),
            None => str_of(&item),
        };
        let separator = if index > 0 { separator.as_str() } else { "" };
        budget.spend(separator.len() + item.len())?;
        out.push_str(separator);
        out.push_str(&item);
    }
    Ok(Value::from(out))
}

/// An attribute by its dotted path.
fn at(value: &Value, attribute: &Value) -> Result<Value, Error> {
    match attribute.as_str() {
        None => value.get_item(attribute),
        Some(path) => path.split('.').try_fold(value.clone(), |value, part| match part.parse::<usize>() {
            Ok(index) => value.get_item(&Value::from(index)),
            Err(_) => value.get_attr(part),
        }),
    }
}

fn indent(budget: &Budget, text: &str, width: Option<Value>, first: Option<Value>, blank: Option<Value>) -> Result<Value, Error> {
    let truth = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let lines = text.len() + 1 - text.replace('\n', "").len();
    let indentation = match width {
        None => " ".repeat(4),
        Some(width) if width.kind() == ValueKind::String => width.to_string(),
        Some(width) => {
            let width = i64::try_from(width)?;
            let width = usize::try_from(width).unwrap_or(0);
            budget.spend(width)?;
            " ".repeat(width)
        }
    };
    budget.spend(text.len().saturating_add(indentation.len().saturating_mul(lines)))?;
    Ok(Value::from(strings::indent(text, &indentation, truth(first), truth(blank))))
}

fn dictsort(value: &Value, case_sensitive: bool, by_value: bool, reverse: Option<Value>) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(Error::new(ErrorKind::InvalidOperation, "dictsort: not a dictionary"));
    }
    let mut entries = pairs(value);
    let key = |(key, value): &(Value, Value)| {
        let sorted = if by_value { value } else { key };
        match sorted.as_str() {
            Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
            _ => sorted.clone(),
        }
    };
    if reverse.is_some_and(|reverse| reverse.is_true()) {
        entries.sort_by_key(|entry| std::cmp::Reverse(key(entry)));
    } else {
        entries.sort_by_key(key);
    }
    Ok(entries.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))).collect())
}

/// `int(value)`, of a string also through a float.
fn int(value: &Value, base: u32) -> Option<i64> {
    let Some(text) = value.as_str() else {
        return if value.kind() == ValueKind::Bool {
            Some(value.is_true().into())
        } else {
            i64::try_from(value.clone()).ok().or_else(|| f64::try_from(value.clone()).ok().map(|number| number as i64))
        };
    };
    let text = text.trim();
    let digits = match base {
        16 => text.trim_start_matches("0x").trim_start_matches("0X"),
        8 => text.trim_start_matches("0o"),
        2 => text.trim_start_matches("0b"),
        _ => text,
    };
    let whole = if (2..=36).contains(&base) { i64::from_str_radix(digits, base).ok() } else { None };
    whole.or_else(|| text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number as i64))
}

fn escape(text: &str) -> String {
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
    out
}
