//! Numbers and flags as Python takes them: 4.0 where a whole number is meant, 1 where a flag is, and the reverse.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A whole number, which may be written with a fraction of zero.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let number = value.as_f64()?;
        // Beyond, floats no longer tell whole numbers apart.
        (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
    })
}

/// Whether Python takes a flag for set; `None` for what is neither a flag nor a number.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_f64().map(|number| number != 0.0))
}

/// As [`serde_json::from_value`], once more with whole numbers for what looks like them and for flags, and once with flags for numbers,
/// where what stands there is not of the type.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> serde_json::Result<T> {
    if value.is_string() || value.is_null() {
        return serde_json::from_value(value);
    }
    T::deserialize(&value).or_else(|error| {
        let others = [rewritten(&value, &whole), rewritten(&value, &flag)];
        others.into_iter().filter(|other| *other != value).find_map(|other| T::deserialize(other).ok()).ok_or(error)
    })
}

fn whole(value: &Value) -> Option<Value> {
    value.as_bool().map(i64::from).or_else(|| integer(value)).map(Value::from)
}

fn flag(value: &Value) -> Option<Value> {
    value.as_f64().filter(|number| [0.0, 1.0].contains(number)).map(|number| Value::from(number != 0.0))
}

/// The value with each of its numbers and flags as `change` has them.
fn rewritten(value: &Value, change: &impl Fn(&Value) -> Option<Value>) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|value| rewritten(value, change)).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), rewritten(value, change))).collect(),
        Value::Number(_) | Value::Bool(_) => change(value).unwrap_or_else(|| value.clone()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zero() {
        for (value, number) in [(json!(4), Some(4)), (json!(4.0), Some(4)), (json!(-2.0), Some(-2)), (json!(0.0), Some(0))] {
            assert_eq!(integer(&value), number, "{value}");
        }
        for value in [json!(4.5), json!(1e300), json!("4"), json!(null), json!(true), json!([4])] {
            assert_eq!(integer(&value), None, "{value}");
        }
    }

    #[test]
    fn values_are_of_the_type_that_python_would_take_them_for() {
        assert_eq!(from_value::<usize>(json!(4.0)).unwrap(), 4);
        assert_eq!(from_value::<Option<i64>>(json!(-4.0)).unwrap(), Some(-4));
        assert_eq!(from_value::<Vec<Vec<u32>>>(json!([[5.0, 6]])).unwrap(), [[5, 6]]);
        assert_eq!(from_value::<(i64, f64)>(json!([2.0, 1])).unwrap(), (2, 1.0));
        assert_eq!(from_value::<usize>(json!(true)).unwrap(), 1);
        assert!(from_value::<bool>(json!(1)).unwrap() && from_value::<bool>(json!(1.0)).unwrap());
        assert!(!from_value::<bool>(json!(0)).unwrap());
        assert_eq!(from_value::<f64>(json!(4)).unwrap(), 4.0);
        assert_eq!(from_value::<Value>(json!([4.0, true])).unwrap(), json!([4.0, true]));
        for value in [json!(4.5), json!("4"), json!([4]), json!({})] {
            assert!(from_value::<usize>(value.clone()).is_err(), "{value}");
        }
        assert!(from_value::<usize>(json!(4.5)).unwrap_err().to_string().contains("4.5"));
        assert!(from_value::<bool>(json!("true")).is_err() && from_value::<bool>(json!(7)).is_err());
    }
}
