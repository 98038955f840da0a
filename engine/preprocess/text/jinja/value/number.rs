//! Python's numbers: integers of any size, floats, and booleans, which are integers.

use std::cmp::Ordering;
use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{FromPrimitive, Signed, ToPrimitive, Zero};

use super::Value;
use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::syntax::tree::Binary;

/// A number.
#[derive(Debug, Clone)]
pub(crate) enum Number {
    Int(i64),
    Big(Rc<BigInt>),
    Float(f64),
}

impl Number {
    /// The number that a value is.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(Self::Int((*value).into())),
            Value::Int(value) => Some(Self::Int(*value)),
            Value::Big(value) => Some(Self::Big(value.clone())),
            Value::Float(value) => Some(Self::Float(*value)),
            _ => None,
        }
    }

    /// The integer that it is, if it is none.
    fn big(&self) -> Option<BigInt> {
        match self {
            Self::Int(value) => Some(BigInt::from(*value)),
            Self::Big(value) => Some((**value).clone()),
            Self::Float(_) => None,
        }
    }

    /// `float(number)`
    pub(crate) fn float(&self) -> Result<f64> {
        match self {
            Self::Int(value) => Ok(*value as f64),
            Self::Float(value) => Ok(*value),
            Self::Big(value) => match value.to_f64() {
                Some(float) if float.is_finite() => Ok(float),
                _ => Err(Error::new(Kind::Overflow, "int too large to convert to float")),
            },
        }
    }
}

/// An integer as a value, within 64 bits where it fits.
pub(crate) fn integer(value: BigInt) -> Value {
    value.to_i64().map_or_else(|| Value::Big(Rc::new(value)), Value::Int)
}

/// The whole part of a float.
pub(crate) fn truncated(value: f64) -> Result<Value> {
    if value.is_nan() {
        return Err(Error::value_error("cannot convert float NaN to integer"));
    }
    match BigInt::from_f64(value.trunc()) {
        Some(big) => Ok(integer(big)),
        None => Err(Error::new(Kind::Overflow, "cannot convert float infinity to integer")),
    }
}

/// The value as an integer that Python takes as an index.
pub(crate) fn index(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Int(value) => Some(*value),
        Value::Big(value) => Some(if value.is_negative() { i64::MIN } else { i64::MAX }),
        _ => None,
    }
}

/// Whether two numbers are equal, exactly.
pub(crate) fn same_number(left: &Number, right: &Number) -> bool {
    order(left, right) == Some(Ordering::Equal)
}

/// The order of two numbers, exactly; `None` where one is no number.
pub(crate) fn order(left: &Number, right: &Number) -> Option<Ordering> {
    match (left, right) {
        (Number::Int(left), Number::Int(right)) => Some(left.cmp(right)),
        (Number::Float(left), Number::Float(right)) => left.partial_cmp(right),
        (Number::Float(float), other) => order_with_float(other, *float).map(Ordering::reverse),
        (other, Number::Float(float)) => order_with_float(other, *float),
        _ => Some(left.big()?.cmp(&right.big()?)),
    }
}

fn order_with_float(integer: &Number, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    let Some(whole) = BigInt::from_f64(float.trunc()) else {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    };
    let rest = float - float.trunc();
    let by_rest = if rest > 0.0 {
        Ordering::Less
    } else if rest < 0.0 {
        Ordering::Greater
    } else {
        Ordering::Equal
    };
    Some(integer.big()?.cmp(&whole).then(by_rest))
}

/// What an operator gives for two numbers.
pub(crate) fn arithmetic(budget: &Budget, operator: Binary, left: &Number, right: &Number) -> Result<Value> {
    if let (Number::Int(left), Number::Int(right)) = (left, right)
        && let Some(value) = small(operator, *left, *right)
    {
        return Ok(Value::Int(value));
    }
    match (left.big(), right.big()) {
        (Some(left), Some(right)) => integers(budget, operator, &left, &right),
        _ => floats(operator, left.float()?, right.float()?).map(Value::Float),
    }
}

/// Integers whose result fits.
fn small(operator: Binary, left: i64, right: i64) -> Option<i64> {
    match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::FloorDivide => {
            let quotient = left.checked_div(right)?;
            if left % right != 0 && (left < 0) != (right < 0) { quotient.checked_sub(1) } else { Some(quotient) }
        }
        Binary::Modulo => {
            let rest = left.checked_rem(right)?;
            Some(if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest })
        }
        Binary::Power => left.checked_pow(u32::try_from(right).ok()?),
        Binary::Divide => None,
    }
}

fn zero(message: &str) -> Error {
    Error::new(Kind::ZeroDivision, message)
}

fn integers(budget: &Budget, operator: Binary, left: &BigInt, right: &BigInt) -> Result<Value> {
    let size = |value: &BigInt| value.bits() as usize / 8 + 1;
    let (more, product) = (size(left) + size(right), size(left).saturating_mul(size(right)));
    budget.work(if matches!(operator, Binary::Add | Binary::Subtract) { more } else { product / 8 })?;
    Ok(integer(match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => {
            budget.make(more)?;
            left * right
        }
        Binary::FloorDivide | Binary::Modulo if right.is_zero() => return Err(zero("integer division or modulo by zero")),
        Binary::FloorDivide => num_integer::Integer::div_floor(left, right),
        Binary::Modulo => num_integer::Integer::mod_floor(left, right),
        Binary::Divide => return divide(left, right).map(Value::Float),
        Binary::Power => return power(budget, left, right),
    }))
}

/// `left / right` of integers.
fn divide(left: &BigInt, right: &BigInt) -> Result<f64> {
    if right.is_zero() {
        return Err(zero("division by zero"));
    }
    let too_large = || Error::new(Kind::Overflow, "integer division result too large for a float");
    if let (Some(left), Some(right)) = (left.to_f64(), right.to_f64())
        && left.is_finite()
        && right.is_finite()
    {
        return Ok(left / right);
    }
    // Both shifted until they fit; what is lost lies far below a float's digits.
    let shift = left.bits().max(right.bits()).saturating_sub(1000);
    let (left, right) = ((left >> shift).to_f64().unwrap_or(f64::INFINITY), (right >> shift).to_f64().unwrap_or(f64::INFINITY));
    let quotient = left / right;
    if quotient.is_finite() { Ok(quotient) } else { Err(too_large()) }
}

fn power(budget: &Budget, base: &BigInt, exponent: &BigInt) -> Result<Value> {
    if exponent.is_negative() {
        let (base, exponent) = (base.to_f64().unwrap_or(f64::INFINITY), exponent.to_f64().unwrap_or(f64::NEG_INFINITY));
        return floats(Binary::Power, base, exponent).map(Value::Float);
    }
    let trivial = base.bits() <= 1;
    let small = exponent.to_u32();
    let exponent = match (small, trivial) {
        (Some(exponent), _) => exponent,
        // 0, 1 and -1 to any power; whether the exponent is even decides.
        (None, true) => 2 + u32::from(exponent.bit(0)),
        (None, false) => return Err(Error::new(Kind::Limit, "the number is too large")),
    };
    if !trivial {
        let bytes = (base.bits() as usize).saturating_mul(exponent as usize) / 8;
        budget.make(bytes)?;
        budget.work(bytes.saturating_mul(bytes) / 64)?;
    }
    Ok(integer(base.pow(exponent)))
}

fn floats(operator: Binary, left: f64, right: f64) -> Result<f64> {
    match operator {
        Binary::Add => Ok(left + right),
        Binary::Subtract => Ok(left - right),
        Binary::Multiply => Ok(left * right),
        Binary::Divide if right == 0.0 => Err(zero("float division by zero")),
        Binary::Divide => Ok(left / right),
        Binary::FloorDivide | Binary::Modulo if right == 0.0 => {
            Err(zero(if operator == Binary::Modulo { "float modulo" } else { "float floor division by zero" }))
        }
        Binary::FloorDivide => Ok(divmod(left, right).0),
        Binary::Modulo => Ok(divmod(left, right).1),
        Binary::Power => {
            if left == 0.0 && right < 0.0 {
                return Err(zero("0.0 cannot be raised to a negative power"));
            }
            if left < 0.0 && left.is_finite() && right.is_finite() && right.fract() != 0.0 {
                return Err(Error::value_error("a negative number to a fractional power is a complex number, which templates do not have"));
            }
            let power = left.powf(right);
            if power.is_infinite() && left.is_finite() && right.is_finite() {
                return Err(Error::new(Kind::Overflow, "(34, 'Numerical result out of range')"));
            }
            Ok(power)
        }
    }
}

/// `divmod(left, right)` of floats.
fn divmod(left: f64, right: f64) -> (f64, f64) {
    let mut rest = left % right;
    let mut quotient = (left - rest) / right;
    if rest == 0.0 {
        rest = 0f64.copysign(right);
    } else if (right < 0.0) != (rest < 0.0) {
        rest += right;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0f64.copysign(left / right), rest);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}

/// `-value`, `+value` and `abs(value)`
pub(crate) fn negative(number: &Number) -> Value {
    match number {
        Number::Float(value) => Value::Float(-value),
        other => integer(-other.big().unwrap_or_default()),
    }
}

pub(crate) fn absolute(number: &Number) -> Value {
    match number {
        Number::Float(value) => Value::Float(value.abs()),
        other => integer(other.big().unwrap_or_default().abs()),
    }
}

/// The number itself; a boolean becomes an integer.
pub(crate) fn positive(number: Number) -> Value {
    match number {
        Number::Int(value) => Value::Int(value),
        Number::Big(value) => Value::Big(value),
        Number::Float(value) => Value::Float(value),
    }
}
