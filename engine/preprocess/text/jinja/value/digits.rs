//! Numbers as Python writes them.

use num_bigint::BigInt;

use crate::preprocess::text::jinja::error::{Error, Result};

/// `repr` of a float: the shortest digits that read back the same, with an exponent below 1e-4 and from 1e16.
pub(crate) fn float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if number != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = number.to_string();
    if plain.contains('.') { plain } else { plain + ".0" }
}

/// Python refuses to write more digits.
const DIGITS: u64 = 4300;

/// `str` of a large integer.
pub(crate) fn big_repr(value: &BigInt) -> Result<String> {
    // log2(10) is 3.32.
    if value.bits() > DIGITS * 10 / 3 {
        return Err(Error::value_error(format!("Exceeds the limit ({DIGITS} digits) for integer string conversion")));
    }
    Ok(value.to_string())
}
