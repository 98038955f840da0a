//! The methods of numbers.

use num_bigint::BigInt;

use crate::preprocess::text::jinja::error::{Error, Result};
use crate::preprocess::text::jinja::run::arguments::Arguments;
use crate::preprocess::text::jinja::value::Value;
use crate::preprocess::text::jinja::value::number::{Number, positive};

pub(super) fn call(receiver: &Value, name: &str, arguments: Arguments) -> Result<Value> {
    let number = Number::of(receiver).ok_or_else(|| super::unknown(receiver, name))?;
    let big = match &number {
        Number::Int(value) => BigInt::from(*value),
        Number::Big(value) => (**value).clone(),
        Number::Float(_) => BigInt::ZERO,
    };
    if matches!(name, "is_integer" | "hex" | "conjugate" | "bit_length" | "bit_count") {
        arguments.unnamed::<0>(name, 0)?;
    }
    match (name, number) {
        ("is_integer", Number::Float(value)) => Ok(Value::Bool(value.is_finite() && value.fract() == 0.0)),
        ("hex", Number::Float(value)) => hex(value),
        ("conjugate", number) => Ok(positive(number)),
        ("bit_length", _) => Ok(Value::from(big.bits() as usize)),
        ("bit_count", _) => Ok(Value::from(big.magnitude().count_ones() as usize)),
        _ => Err(super::unknown(receiver, name)),
    }
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
