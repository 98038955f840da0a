//! `text % values`

use num_bigint::Sign;

use super::field::{Spec, float_digits, pad, read_number};
use super::html::escape_text;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::filters::numbers;
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::number::{Number, truncated};
use crate::preprocess::text::jinja::value::repr::{repr, str_of};
use crate::preprocess::text::jinja::value::{Thing, Value};

/// Fills a format string; values in HTML are escaped.
pub(crate) fn format(machine: &Machine<'_>, text: &str, values: &Value, markup: bool) -> Result<Value> {
    machine.budget.make(text.len())?;
    let mut formatter = Formatter { machine, values, markup, next: 0, current: None, single_used: false };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        out.push_str(&rest[..start]);
        rest = formatter.directive(&rest[start + 1..], &mut out)?;
    }
    out.push_str(rest);
    formatter.finish()?;
    machine.budget.make(out.len())?;
    Ok(Value::text(out, markup))
}

struct Formatter<'a> {
    machine: &'a Machine<'a>,
    values: &'a Value,
    markup: bool,
    next: usize,
    /// The value of a named directive.
    current: Option<Value>,
    single_used: bool,
}

impl Formatter<'_> {
    fn is_mapping(&self) -> bool {
        matches!(self.values, Value::Dict(_) | Value::List(_) | Value::Undefined(_))
            || matches!(self.values.thing(), Some(Thing::Range(_) | Thing::Bytes(_)))
    }

    fn argument(&mut self) -> Result<Value> {
        if let Some(value) = self.current.take() {
            return Ok(value);
        }
        let missing = || Error::type_error("not enough arguments for format string");
        match self.values {
            Value::Tuple(tuple) => {
                self.next += 1;
                tuple.items.get(self.next - 1).cloned().ok_or_else(missing)
            }
            single if !self.single_used => {
                self.single_used = true;
                Ok(single.clone())
            }
            _ => Err(missing()),
        }
    }

    fn finish(&self) -> Result<()> {
        let left = match self.values {
            Value::Tuple(tuple) => self.next < tuple.items.len(),
            _ => !self.single_used && !self.is_mapping(),
        };
        if left { Err(Error::type_error("not all arguments converted during string formatting")) } else { Ok(()) }
    }

    /// A number of a directive, written out or taken from the values.
    fn number<'t>(&mut self, text: &'t str, what: &str) -> Result<(Option<i64>, &'t str)> {
        if let Some(rest) = text.strip_prefix('*') {
            return match self.argument()? {
                Value::Int(number) if number.abs() <= 1 << 20 => Ok((Some(number), rest)),
                Value::Int(_) => Err(Error::new(Kind::Overflow, format!("{what} too big"))),
                _ => Err(Error::type_error("* wants int")),
            };
        }
        let (number, rest) = read_number(text).map_err(|_| Error::value_error(format!("{what} too big")))?;
        Ok((number.map(|number| number as i64), rest))
    }

    fn directive<'t>(&mut self, text: &'t str, out: &mut String) -> Result<&'t str> {
        let mut rest = text;
        if let Some(inside) = rest.strip_prefix('(') {
            let key = key(inside)?;
            rest = &inside[key.len() + 1..];
            let found = match self.values {
                Value::Dict(dict) => dict.get_str(key).cloned().ok_or_else(|| Error::new(Kind::Key, format!("'{key}'")))?,
                Value::List(_) => return Err(Error::type_error("list indices must be integers or slices, not str")),
                Value::Undefined(undefined) => return Err(undefined.error()),
                _ => return Err(Error::type_error("format requires a mapping")),
            };
            (self.current, self.single_used) = (Some(found), true);
        }
        let mut spec = Spec::default();
        let mut left = false;
        while let Some(flag) = rest.chars().next() {
            match flag {
                '-' => left = true,
                '+' => spec.sign = Some('+'),
                ' ' if spec.sign.is_none() => spec.sign = Some(' '),
                ' ' => {}
                '#' => spec.alternate = true,
                '0' => spec.zero = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        let (width, behind) = self.number(rest, "width")?;
        rest = behind;
        if width.is_some_and(|width| width < 0) {
            left = true;
        }
        spec.width = width.map_or(0, |width| width.unsigned_abs() as usize);
        if let Some(behind) = rest.strip_prefix('.') {
            let (precision, behind) = self.number(behind, "precision")?;
            spec.precision = Some(precision.map_or(0, |precision| usize::try_from(precision).unwrap_or(0)));
            rest = behind;
        }
        rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
        let Some(kind) = rest.chars().next() else { return Err(Error::value_error("incomplete format")) };
        rest = &rest[kind.len_utf8()..];
        spec.kind = Some(kind);
        spec.align = Some(if left { '<' } else { '>' });
        if kind == '%' {
            out.push('%');
            return Ok(rest);
        }
        let value = self.argument()?;
        out.push_str(&self.field(&spec, &value)?);
        Ok(rest)
    }

    fn field(&self, spec: &Spec, value: &Value) -> Result<String> {
        let budget = &self.machine.budget;
        let kind = spec.kind.unwrap_or_default();
        let text = match kind {
            's' if self.markup => super::html::escape(budget, value)?.to_string(),
            's' => str_of(budget, value)?.to_string(),
            'r' | 'a' => {
                let text = repr(budget, value)?;
                let text = if self.markup { escape_text(budget, &text)?.to_string() } else { text };
                if kind == 'a' { ascii(&text) } else { text }
            }
            'c' => character(value)?,
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' => return self.integer(spec, value),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => return self.float(spec, value),
            other => return Err(Error::value_error(format!("unsupported format character '{other}' ({:#x})", other as u32))),
        };
        let cut = spec.precision.filter(|_| kind != 'c').and_then(|precision| text.char_indices().nth(precision));
        let text = cut.map_or(text.as_str(), |(end, _)| &text[..end]);
        Ok(pad(text, ' ', spec.align.unwrap_or('>'), spec.width))
    }

    fn integer(&self, spec: &Spec, value: &Value) -> Result<String> {
        let kind = spec.kind.unwrap_or_default();
        let decimal = matches!(kind, 'd' | 'i' | 'u');
        if decimal {
            value.defined()?;
        }
        let whole = match (Number::of(value), value) {
            (Some(Number::Float(float)), _) if decimal => truncated(float)?,
            (Some(number), value) if !matches!(value, Value::Float(_)) => crate::preprocess::text::jinja::value::number::positive(number),
            _ if self.markup && decimal => numbers::int_of(self.machine, value, 10)?,
            _ => {
                let wanted = if decimal { "a real number is required" } else { "an integer is required" };
                return Err(Error::type_error(format!("%{kind} format: {wanted}, not {}", value.type_name())));
            }
        };
        let big = match whole {
            Value::Int(value) => value.into(),
            Value::Big(value) => (*value).clone(),
            _ => num_bigint::BigInt::ZERO,
        };
        self.machine.budget.work(big.bits() as usize)?;
        let magnitude = big.magnitude();
        let (digits, prefix) = match kind {
            'o' => (magnitude.to_str_radix(8), "0o"),
            'x' => (magnitude.to_str_radix(16), "0x"),
            'X' => (magnitude.to_str_radix(16).to_uppercase(), "0X"),
            _ => (magnitude.to_str_radix(10), ""),
        };
        let digits = pad(&digits, '0', '>', spec.precision.unwrap_or(0));
        Ok(padded(spec, big.sign() == Sign::Minus, if spec.alternate { prefix } else { "" }, &digits))
    }

    fn float(&self, spec: &Spec, value: &Value) -> Result<String> {
        let number = match Number::of(value.defined()?) {
            Some(number) => number.float()?,
            None if self.markup => numbers::float_of(self.machine, value)?,
            None => return Err(Error::type_error(format!("must be real number, not {}", value.type_name()))),
        };
        let digits = float_digits(number.abs(), spec.kind, Some(spec.precision.unwrap_or(6)), spec.alternate)?;
        Ok(padded(spec, number.is_sign_negative() && !number.is_nan(), "", &digits))
    }
}

/// The key of a directive, up to its closing parenthesis.
fn key(text: &str) -> Result<&str> {
    let mut open = 1;
    for (index, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Ok(&text[..index]);
        }
    }
    Err(Error::value_error("incomplete format key"))
}

fn padded(spec: &Spec, negative: bool, prefix: &str, digits: &str) -> String {
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(_)) => " ",
        (false, None) => "",
    };
    let finite = digits.starts_with(|c: char| c.is_ascii_hexdigit()) && !digits.starts_with("inf");
    let zeros = if spec.zero && spec.align != Some('<') && finite { spec.width.saturating_sub(sign.len() + prefix.len()) } else { 0 };
    let digits = pad(digits, '0', '>', zeros);
    pad(&format!("{sign}{prefix}{digits}"), ' ', spec.align.unwrap_or('>'), spec.width)
}

fn character(value: &Value) -> Result<String> {
    match value {
        Value::Str(text) | Value::Markup(text) if text.chars().count() == 1 => Ok(text.to_string()),
        Value::Int(_) | Value::Big(_) | Value::Bool(_) => {
            let code = crate::preprocess::text::jinja::value::number::index(value).and_then(|code| u32::try_from(code).ok());
            let c = code.and_then(char::from_u32).ok_or_else(|| Error::new(Kind::Overflow, "%c arg not in range(0x110000)"))?;
            Ok(c.to_string())
        }
        _ => Err(Error::type_error("%c requires int or char")),
    }
}

/// `ascii(value)` of what `repr` gave.
pub(crate) fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c as u32 {
            0..=0x7f => out.push(c),
            code @ 0x80..=0xff => out.push_str(&format!("\\x{code:02x}")),
            code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code => out.push_str(&format!("\\U{code:08x}")),
        }
    }
    out
}
