//! The methods of numbers.

use num_bigint::{BigInt, Sign};
use num_traits::Signed;

use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::run::arguments::{Arguments, text};
use crate::preprocess::text::jinja::run::machine::Machine;
use crate::preprocess::text::jinja::value::number::{Number, integer, positive, truncated};
use crate::preprocess::text::jinja::value::{Thing, Value};

pub(super) fn call(machine: &Machine<'_>, receiver: &Value, name: &str, arguments: Arguments) -> Result<Value> {
    let number = Number::of(receiver).ok_or_else(|| super::unknown(receiver, name))?;
    let big = match &number {
        Number::Int(value) => BigInt::from(*value),
        Number::Big(value) => (**value).clone(),
        Number::Float(_) => BigInt::ZERO,
    };
    if matches!(name, "is_integer" | "hex" | "conjugate" | "bit_length" | "bit_count") {
        arguments.clone().unnamed::<0>(name, 0)?;
    }
    match (name, number) {
        ("is_integer", Number::Float(value)) => Ok(Value::Bool(value.is_finite() && value.fract() == 0.0)),
        ("hex", Number::Float(value)) => hex(value),
        ("conjugate", number) => Ok(positive(number)),
        ("as_integer_ratio", Number::Float(value)) => {
            arguments.unnamed::<0>(name, 0)?;
            ratio(machine, value)
        }
        ("as_integer_ratio", number) => {
            arguments.unnamed::<0>(name, 0)?;
            Value::tuple(&machine.budget, vec![positive(number), Value::Int(1)])
        }
        ("fromhex", _) => from_hex(text(arguments.unnamed::<1>(name, 1)?.value(0))?).map(Value::Float),
        ("to_bytes", _) => to_bytes(machine, &big, arguments),
        ("from_bytes", _) => from_bytes(machine, arguments),
        ("bit_length", _) => Ok(Value::from(big.bits() as usize)),
        ("bit_count", _) => Ok(Value::from(big.magnitude().count_ones() as usize)),
        _ => Err(super::unknown(receiver, name)),
    }
}

/// A float as a fraction in its lowest terms.
fn ratio(machine: &Machine<'_>, value: f64) -> Result<Value> {
    if !value.is_finite() {
        return Err(Error::new(Kind::Overflow, "cannot convert NaN or infinity to integer ratio"));
    }
    let (mut numerator, mut exponent) = (value, 0u32);
    while numerator.fract() != 0.0 {
        numerator *= 2.0;
        exponent += 1;
    }
    let denominator = integer(BigInt::from(2).pow(exponent));
    Value::tuple(&machine.budget, vec![truncated(numerator)?, denominator])
}

/// `float.fromhex(text)` of digits with a point and an exponent
fn from_hex(text: &str) -> Result<f64> {
    let wrong = || Error::value_error("invalid hexadecimal floating-point string");
    let trimmed = text.trim().to_ascii_lowercase();
    let (sign, rest) = match trimmed.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, trimmed.strip_prefix('+').unwrap_or(&trimmed)),
    };
    let rest = rest.strip_prefix("0x").unwrap_or(rest);
    let (digits, exponent) = rest.split_once('p').unwrap_or((rest, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() == 0 || whole.len() + fraction.len() > 13 {
        return Err(wrong());
    }
    let mantissa = i64::from_str_radix(&format!("{whole}{fraction}"), 16).map_err(|_| wrong())?;
    let exponent: i32 = exponent.parse().map_err(|_| wrong())?;
    Ok(sign * mantissa as f64 * 2f64.powi(exponent.saturating_sub(4 * fraction.len() as i32)))
}

/// The most bytes that an integer is asked for.
const LONGEST: usize = 4096;

/// `int.to_bytes(length=1, byteorder="big", signed=False)`
fn to_bytes(machine: &Machine<'_>, value: &BigInt, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("to_bytes", ["length", "byteorder", "signed"], 0)?;
    let (length, signed) = (usize::try_from(bound.integer(0, 1)?).unwrap_or(usize::MAX), bound.truth(2, false)?);
    let too_big = || Error::new(Kind::Overflow, "int too big to convert");
    if length > LONGEST {
        return Err(too_big());
    }
    if value.is_negative() && !signed {
        return Err(Error::new(Kind::Overflow, "can't convert negative int to unsigned"));
    }
    let mut bytes = if signed { value.to_signed_bytes_le() } else { value.magnitude().to_bytes_le() };
    let filler = if value.is_negative() { 0xff } else { 0 };
    while bytes.len() > length && bytes.last() == Some(&filler) && (length == 0 || !signed) {
        bytes.pop();
    }
    if bytes.len() > length {
        return Err(too_big());
    }
    bytes.resize(length, filler);
    if bound.text(1)?.unwrap_or("big") == "big" {
        bytes.reverse();
    }
    super::bytes::value(machine, bytes)
}

/// `int.from_bytes(bytes, byteorder="big", signed=False)`
fn from_bytes(machine: &Machine<'_>, arguments: Arguments) -> Result<Value> {
    let bound = arguments.bind("from_bytes", ["bytes", "byteorder", "signed"], 1)?;
    let Some(Thing::Bytes(bytes)) = bound.value(0).thing() else {
        return Err(Error::type_error(format!("cannot convert '{}' object to bytes", bound.value(0).type_name())));
    };
    machine.budget.work(bytes.len())?;
    if bytes.len() > LONGEST {
        return Err(Error::new(Kind::Overflow, "the bytes are too many for a number"));
    }
    let mut bytes = bytes.to_vec();
    if bound.text(1)?.unwrap_or("big") == "big" {
        bytes.reverse();
    }
    Ok(integer(if bound.truth(2, false)? { BigInt::from_signed_bytes_le(&bytes) } else { BigInt::from_bytes_le(Sign::Plus, &bytes) }))
}

/// `float.hex()`
fn hex(value: f64) -> Result<Value> {
    if !value.is_finite() {
        return Err(Error::value_error("float.hex() of what is no number is not for templates"));
    }
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i64, bits & ((1 << 52) - 1));
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let text = match (exponent, fraction) {
        (0, 0) => format!("{sign}0x0.0p+0"),
        (0, _) => format!("{sign}0x0.{fraction:013x}p-1022"),
        _ => format!("{sign}0x1.{fraction:013x}p{:+}", exponent - 1023),
    };
    Ok(Value::str(text))
}
