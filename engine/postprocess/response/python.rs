//! Numbers and JSON as Python reads them.

use serde_json::{Number, Value};

use crate::preprocess::text::chat::is_space;

/// `str.strip()`
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `int(text)`; `None` where Python raises.
pub(super) fn int(text: &str) -> Option<Value> {
    let digits = plain_digits(strip(text))?;
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let exact = digits.parse::<i64>().map(Number::from).or_else(|_| unsigned.parse::<u64>().map(Number::from)).ok();
    // Python's integers have no largest.
    let number = exact.filter(|_| !digits.starts_with('-') || digits.parse::<i64>().is_ok());
    number.or_else(|| Number::from_f64(digits.parse().ok()?)).map(Value::Number)
}

/// `float(text)`; `None` where Python raises.
pub(super) fn float(text: &str) -> Option<f64> {
    let digits = plain_digits(strip(text))?;
    let known = digits.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    let bare = digits.strip_prefix(['+', '-']).unwrap_or(&digits).to_ascii_lowercase();
    (known || ["inf", "infinity", "nan"].contains(&bare.as_str())).then(|| digits.parse().ok()).flatten()
}

/// A number without the underscores that Python takes between digits.
fn plain_digits(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let misplaced = |(at, _): (usize, &str)| !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)));
    (!text.match_indices('_').any(misplaced)).then(|| text.replace('_', ""))
}

/// A whole number, as JSON.
pub(super) fn whole(number: f64) -> Value {
    let exact = (number.abs() < 9e15).then_some(number as i64);
    exact.map_or_else(|| Value::from(number), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_those_of_python() {
        let ints = [" 7\n", "-3", "+4", "1_000", "18446744073709551615", "007"].map(|text| int(text).unwrap());
        assert_eq!(ints, [json!(7), json!(-3), json!(4), json!(1000), json!(18_446_744_073_709_551_615_u64), json!(7)]);
        assert_eq!(["", "1.0", "_1", "1__0", "0x1", "-", "1e3", "a"].map(int), [const { None }; 8]);
        assert_eq!([" 1.5 ", "1e3", ".5", "5.", "1_0.2_5"].map(float), [Some(1.5), Some(1000.0), Some(0.5), Some(5.0), Some(10.25)]);
        assert_eq!(float("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(["", "1e", "e1", "infi", "1 2", "--1", "0x1p3", "."].map(float), [None; 8]);
    }
}
