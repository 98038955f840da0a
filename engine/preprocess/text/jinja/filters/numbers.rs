//! Filters of numbers.

use num_bigint::BigInt;
use num_traits::Num;

use super::getter::Getter;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::run::arguments::{Arguments, integer as integer_of};
use crate::preprocess::text::jinja::run::iterate::Source;
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::run::operators::binary;
use crate::preprocess::text::jinja::syntax::tree::Binary;
use crate::preprocess::text::jinja::text::is_space;
use crate::preprocess::text::jinja::value::Value;
use crate::preprocess::text::jinja::value::number::{Number, absolute, integer, positive, truncated};

/// Python refuses to read more digits.
const DIGITS: usize = 4300;

pub(super) fn abs(_: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.unnamed::<1>("abs", 1)?;
    let value = bound.value(0);
    Number::of(value)
        .map(|number| absolute(&number))
        .ok_or_else(|| Error::type_error(format!("bad operand type for abs(): '{}'", value.type_name())))
}

/// `int(value, base)`
pub(crate) fn int_of(machine: &Machine<'_>, value: &Value, base: i64) -> Result<Value> {
    if let Some(text) = value.as_str() {
        machine.budget.work(text.len().saturating_mul(4))?;
        return parse_int(text, base).ok_or_else(|| Error::value_error(format!("invalid literal for int() with base {base}: '{text}'")));
    }
    match Number::of(value.defined()?) {
        Some(Number::Float(float)) => truncated(float),
        Some(number) => Ok(positive(number)),
        None => Err(Error::type_error(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            value.type_name()
        ))),
    }
}

fn parse_int(text: &str, base: i64) -> Option<Value> {
    let text = text.trim_matches(is_space);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixes = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    let prefixed = prefixes.iter().find_map(|(prefix, of)| {
        let digits = digits.strip_prefix(prefix)?;
        (base == 0 || base == *of).then_some((*of, digits.strip_prefix('_').unwrap_or(digits)))
    });
    let (base, digits) = match prefixed {
        Some(found) => found,
        None if base == 0 && digits.starts_with('0') && digits.chars().any(|c| !matches!(c, '0' | '_')) => return None,
        None => (if base == 0 { 10 } else { base }, digits),
    };
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?;
    let well_formed = !digits.is_empty() && !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let plain: String = digits.chars().filter(|c| *c != '_').map(ascii_digit).collect();
    if !well_formed || plain.len() > DIGITS || !plain.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    let magnitude = BigInt::from_str_radix(&plain, base).ok()?;
    Some(integer(if negative { -magnitude } else { magnitude }))
}

/// Digits of other scripts count as those of ASCII.
fn ascii_digit(c: char) -> char {
    if c.is_ascii() || !crate::preprocess::text::jinja::text::classes().decimal(c) {
        return c;
    }
    // Decimal digits stand in blocks of ten in a row that begin with a zero.
    let code = c as u32;
    let classes = crate::preprocess::text::jinja::text::classes();
    let is_digit = |code: u32| char::from_u32(code).is_some_and(|c| classes.decimal(c));
    let start = (0..10).map(|back| code - back).take_while(|code| is_digit(*code)).last().unwrap_or(code);
    char::from_digit((code - start) % 10, 10).unwrap_or(c)
}

/// `float(value)`
pub(crate) fn float_of(machine: &Machine<'_>, value: &Value) -> Result<f64> {
    if let Some(text) = value.as_str() {
        machine.budget.work(text.len().saturating_mul(4))?;
        return parse_float(text).ok_or_else(|| Error::value_error(format!("could not convert string to float: '{text}'")));
    }
    match Number::of(value.defined()?) {
        Some(number) => number.float(),
        None => Err(Error::type_error(format!("float() argument must be a string or a real number, not '{}'", value.type_name()))),
    }
}

fn parse_float(text: &str) -> Option<f64> {
    let text: String = text.trim_matches(is_space).chars().map(ascii_digit).collect();
    let bytes = text.as_bytes();
    let is_digit = |index: Option<usize>| index.and_then(|index| bytes.get(index)).is_some_and(u8::is_ascii_digit);
    let joints =
        (0..bytes.len()).filter(|index| bytes[*index] == b'_').all(|index| is_digit(index.checked_sub(1)) && is_digit(Some(index + 1)));
    let number = text.replace('_', "").to_ascii_lowercase();
    let unsigned = number.strip_prefix(['+', '-']).unwrap_or(&number);
    let known = matches!(unsigned, "inf" | "infinity" | "nan") || unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !joints || !known {
        return None;
    }
    number.parse().ok()
}

/// `int(value, default=0, base=10)`
pub(super) fn int(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_int", ["value", "default", "base"], 1)?;
    let (value, base) = (bound.value(0), bound.given(2).map_or(Ok(10), integer_of)?);
    match int_of(machine, value, base) {
        Err(error) if matches!(error.kind(), Kind::Type | Kind::Value) => {}
        done => return done,
    }
    let default = || bound.given(1).cloned().unwrap_or(Value::Int(0));
    match float_of(machine, value).and_then(truncated) {
        Err(error) if matches!(error.kind(), Kind::Type | Kind::Value | Kind::Overflow) => Ok(default()),
        done => done,
    }
}

/// `float(value, default=0.0)`
pub(super) fn float(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_float", ["value", "default"], 1)?;
    match float_of(machine, bound.value(0)) {
        Err(error) if matches!(error.kind(), Kind::Type | Kind::Value) => Ok(bound.given(1).cloned().unwrap_or(Value::Float(0.0))),
        done => done.map(Value::Float),
    }
}

/// `round(value, precision=0, method="common")`
pub(super) fn round(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_round", ["value", "precision", "method"], 1)?;
    let method = bound.given(2).map_or(Some("common"), Value::as_str);
    let value = bound.value(0);
    let precision = bound.given(1).cloned().unwrap_or(Value::Int(0));
    match method {
        Some("common") => {
            let number = Number::of(value)
                .ok_or_else(|| Error::type_error(format!("type {} doesn't define __round__ method", value.type_name())))?;
            if precision.is_none() {
                return match number {
                    Number::Float(float) => truncated(round_half_even(float)),
                    number => Ok(positive(number)),
                };
            }
            let precision = integer_of(&precision)?;
            match number {
                Number::Float(float) => rounded(float, precision).map(Value::Float),
                number => round_integer(machine, positive(number), precision),
            }
        }
        Some(method @ ("ceil" | "floor")) => {
            let scale = binary(machine, Binary::Power, &Value::Int(10), &precision)?;
            let scaled = binary(machine, Binary::Multiply, value, &scale)?;
            let whole = match Number::of(&scaled) {
                Some(Number::Float(float)) => truncated(if method == "ceil" { float.ceil() } else { float.floor() })?,
                Some(number) => positive(number),
                None => return Err(Error::type_error(format!("must be real number, not {}", scaled.type_name()))),
            };
            binary(machine, Binary::Divide, &whole, &scale)
        }
        _ => Err(Error::new(Kind::Argument, "method must be common, ceil or floor")),
    }
}

fn round_half_even(value: f64) -> f64 {
    value.round_ties_even()
}

/// `round(float, digits)`: to the nearest of all decimals of so many digits, exactly.
fn rounded(value: f64, digits: i64) -> Result<f64> {
    // No float has more digits behind its point, or before it.
    if !value.is_finite() || digits > 323 {
        return Ok(value);
    }
    if digits < -308 {
        return Ok(0f64.copysign(value));
    }
    if digits >= 0 {
        let text = format!("{value:.*}", digits as usize);
        return Ok(text.parse().unwrap_or(value));
    }
    let whole = truncated(value)?;
    let big = match &whole {
        Value::Int(value) => BigInt::from(*value),
        Value::Big(value) => (**value).clone(),
        _ => BigInt::ZERO,
    };
    let scale = BigInt::from(10).pow(digits.unsigned_abs() as u32);
    let (quotient, rest) = num_integer::Integer::div_mod_floor(&big, &scale);
    let fraction = value - value.trunc();
    let twice = rest * 2;
    let up = twice > scale || (twice == scale && (fraction > 0.0 || (fraction == 0.0 && quotient.bit(0))));
    let result = (quotient + i32::from(up)) * scale;
    let rounded: f64 = result.to_string().parse().map_err(|_| Error::new(Kind::Overflow, "rounded value too large to represent"))?;
    Ok(if rounded == 0.0 { rounded.copysign(value) } else { rounded })
}

fn round_integer(machine: &Machine<'_>, value: Value, digits: i64) -> Result<Value> {
    if digits >= 0 {
        return Ok(value);
    }
    let scale = binary(machine, Binary::Power, &Value::Int(10), &Value::Int(digits.saturating_neg()))?;
    let rest = binary(machine, Binary::Modulo, &value, &scale)?;
    let down = binary(machine, Binary::Subtract, &value, &rest)?;
    let twice = binary(machine, Binary::Multiply, &rest, &Value::Int(2))?;
    let quotient = binary(machine, Binary::FloorDivide, &value, &scale)?;
    let odd = matches!(binary(machine, Binary::Modulo, &quotient, &Value::Int(2))?, Value::Int(1));
    let budget = &machine.budget;
    use crate::preprocess::text::jinja::run::order::{equal, greater};
    let up = greater(budget, &twice, &scale)? || (odd && equal(budget, &twice, &scale)?);
    if up { binary(machine, Binary::Add, &down, &scale) } else { Ok(down) }
}

/// `sum(iterable, attribute=None, start=0)`
pub(super) fn sum(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_sum", ["iterable", "attribute", "start"], 1)?;
    let getter = Getter::new(machine, bound.some(1))?;
    let mut total = bound.given(2).cloned().unwrap_or(Value::Int(0));
    if total.as_str().is_some() {
        return Err(Error::type_error("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    let mut source = Source::of(bound.value(0))?;
    while let Some(item) = source.next(machine)? {
        total = binary(machine, Binary::Add, &total, &getter.get(machine, &item)?)?;
    }
    Ok(total)
}

/// `filesizeformat(value, binary=False)`
pub(super) fn filesizeformat(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("do_filesizeformat", ["value", "binary"], 1)?;
    let (bytes, binary) = (float_of(machine, bound.value(0))?, bound.truth(1, false)?);
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        let whole = crate::preprocess::text::jinja::value::repr::str_of(&machine.budget, &truncated(bytes)?)?;
        return Ok(Value::str(format!("{whole} Bytes")));
    }
    let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"];
    let mut unit = base;
    let mut chosen = "k";
    for prefix in prefixes {
        unit *= base;
        chosen = prefix;
        if bytes < unit {
            break;
        }
    }
    let amount = crate::preprocess::text::jinja::format::field::float_digits(base * bytes / unit, Some('f'), Some(1), false)?;
    Ok(Value::str(match (binary, chosen) {
        (true, "k") => format!("{amount} KiB"),
        (true, prefix) => format!("{amount} {prefix}iB"),
        (false, prefix) => format!("{amount} {prefix}B"),
    }))
}
