//! Numbers in schemas, as the engine can hold to them: never looser than they are written.

use serde_json::{Map, Number, Value, json};

/// Bounds that are further away hold a number to 18 digits before the point, which is what the engine counts.
const FURTHEST: f64 = 9.2e18;
/// The largest count; nobody waits for more.
const MOST: u64 = 1_000_000;
/// What is more than nothing, where a bound leaves nothing out.
const LEAST: f64 = 1e-30;

/// A count: an integer, which may be written as 3.0.
fn count(keyword: &str, value: &Value) -> Result<u64, String> {
    let whole = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
    // A number beyond 64 bits is more than anything that is counted.
    value.as_u64().or(whole.map(|number| number as u64)).ok_or_else(|| format!("{keyword}: {value} is no count"))
}

/// The least of something.
pub(super) fn at_least(keyword: &str, value: &Value) -> Result<u64, String> {
    match count(keyword, value)? {
        count @ ..=MOST => Ok(count),
        _ => Err(format!("{keyword}: {value} is more than the {MOST} that can be counted")),
    }
}

/// The most of something; a limit that is further away than can be counted is drawn nearer.
pub(super) fn at_most(keyword: &str, value: &Value) -> Result<u64, String> {
    Ok(count(keyword, value)?.min(MOST))
}

/// An end of a range.
#[derive(Clone, Copy)]
struct Bound {
    value: f64,
    /// Whether the value itself is out.
    exclusive: bool,
}

/// The bounds of a schema, as `minimum` and `maximum`, and exclusive ones where nothing else says it.
pub(super) fn bounds(schema: &Map<String, Value>, integer: bool) -> Result<Map<String, Value>, String> {
    // Upper bounds are lower ones of the numbers turned around.
    let lower = one_side(schema, "minimum", "exclusiveMinimum", 1.0, integer)?;
    let upper = one_side(schema, "maximum", "exclusiveMaximum", -1.0, integer)?;
    let mut out = Map::new();
    let mut put = |bound: Option<Bound>, sign: f64, inclusive: &str, exclusive: &str| {
        if let Some(Bound { value, exclusive: out_of }) = bound {
            out.insert(if out_of { exclusive } else { inclusive }.to_owned(), number(sign * value));
        }
    };
    // A number has an end on the other side too where it has one far from zero, or the engine counts too many digits.
    let far = |bound: Option<Bound>| bound.is_some_and(|bound| bound.value >= 1e17);
    let end = Some(Bound { value: -FURTHEST, exclusive: false });
    put(lower.or(if far(upper) { end } else { None }), 1.0, "minimum", "exclusiveMinimum");
    put(upper.or(if far(lower) { end } else { None }), -1.0, "maximum", "exclusiveMaximum");
    Ok(out)
}

fn one_side(schema: &Map<String, Value>, inclusive: &str, exclusive: &str, sign: f64, integer: bool) -> Result<Option<Bound>, String> {
    let mut narrowest: Option<Bound> = None;
    for (keyword, is_exclusive) in [(inclusive, false), (exclusive, true)] {
        let (value, is_exclusive) = match (schema.get(keyword), schema.get(inclusive)) {
            (None | Some(Value::Bool(false)), _) => continue,
            // Draft 4: it says of the other one that it is exclusive.
            (Some(Value::Bool(true)), Some(value)) if is_exclusive => (value, true),
            (Some(value @ Value::Number(_)), _) => (value, is_exclusive),
            (Some(value), _) => return Err(format!("{keyword}: {value} is no number")),
        };
        let bound = near(raised(value, sign), is_exclusive, integer);
        if bound.value > FURTHEST {
            return Err(format!("{keyword}: numbers of more than 18 digits before the point, as {value} asks for, cannot be held to it"));
        }
        let is_narrower = |other: Bound| (bound.value, bound.exclusive) > (other.value, other.exclusive);
        if narrowest.is_none_or(is_narrower) {
            narrowest = Some(bound);
        }
    }
    Ok(narrowest.map(|bound| Bound { value: bound.value.max(-FURTHEST), ..bound }))
}

/// A number in 64 bits of floating point, turned around if the sign says so, and no less than it is.
fn raised(value: &Value, sign: f64) -> f64 {
    let float = sign * value.as_f64().unwrap_or_default();
    let exact = value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
    match exact.map(|exact| if sign < 0.0 { -exact } else { exact }) {
        Some(exact) if (float as i128) < exact => float.next_up(),
        _ => float,
    }
}

/// A lower bound that the engine reads as it is meant.
fn near(value: f64, exclusive: bool, integer: bool) -> Bound {
    let whole = value.fract() == 0.0;
    let value = match (integer, exclusive) {
        (true, false) => value.ceil(),
        // Where floats are further apart than integers, the next float is an integer.
        (true, true) if whole => (value + 1.0).max(value.next_up()),
        (true, true) => value.ceil(),
        // The engine lets 1 pass where 1 is the exclusive end of a range that begins with the same digits.
        (false, true) if whole && value == 0.0 => LEAST,
        (false, true) if whole && value > 0.0 => value.next_up(),
        // Of floats this large the engine writes fewer digits than they have.
        (false, _) if value.abs() >= 9e15 => value.next_up(),
        (false, _) => return Bound { value, exclusive },
    };
    Bound { value, exclusive: false }
}

/// A number as the engine reads it, which takes integers for floats.
fn number(value: f64) -> Value {
    let value = if value == 0.0 { 0.0 } else { value };
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// A step of numbers: what the engine reads as this one.
pub(super) fn step(value: &Value) -> Result<(Value, Step), String> {
    let bad = |why: &str| format!("multipleOf: {value} {why}");
    let float = value.as_f64().filter(|step| *step > 0.0).ok_or_else(|| bad("is no number above zero"))?;
    let step = Step::of(float).ok_or_else(|| bad("has more digits than can be held to"))?;
    // The engine finds the digits by multiplying by ten, which rounds: a neighbour may round to what the number says.
    let neighbours = std::iter::successors(Some(float), |f| Some(f.next_up())).take(9);
    let neighbours = neighbours.chain(std::iter::successors(Some(float), |f| Some(f.next_down())).take(9));
    let read = neighbours.into_iter().find(|near| Step::multiplied(*near) == Some(step));
    Ok((number(read.ok_or_else(|| bad("has more digits than can be held to"))?), step))
}

/// A decimal number, `digits / 10^places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) digits: u32,
    pub(super) places: u32,
}

impl Step {
    /// The shortest decimal number that is read as a float.
    fn of(float: f64) -> Option<Self> {
        let text = float.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Self { digits, places: u32::try_from(fraction.len()).ok()? }).filter(Self::is_counted)
    }

    /// Whether what is left of a number fits into the 32 bits of the engine at each of its digits, and takes few enough values.
    fn is_counted(&self) -> bool {
        self.places <= 8 && self.digits <= 1_000_000 && 10 * u64::from(self.digits) + 9 * 10_u64.pow(self.places) <= u64::from(u32::MAX)
    }

    fn multiplied(mut float: f64) -> Option<Self> {
        let mut places = 0;
        while float.fract() != 0.0 && places <= 9 {
            float *= 10.0;
            places += 1;
        }
        (float.fract() == 0.0 && float <= f64::from(u32::MAX)).then_some(Self { digits: float as u32, places })
    }

    /// Whether steps can be met at once, in numbers of 32 bits, wherever two of them are asked for together.
    pub(super) fn meet(steps: &[Self]) -> bool {
        let places = steps.iter().map(|step| step.places).max().unwrap_or(0);
        let scaled: Vec<u64> = steps.iter().map(|step| u64::from(step.digits) * 10_u64.pow(places - step.places)).collect();
        let mut multiple = 1_u64;
        let largest = scaled.iter().max().copied().unwrap_or(1);
        scaled.iter().all(|step| {
            multiple = (multiple / gcd(multiple, *step)).saturating_mul(*step);
            let counted = u32::try_from(multiple).is_ok_and(|digits| Self { digits, places }.is_counted());
            counted && multiple.saturating_mul(largest) <= u64::from(u32::MAX)
        })
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

/// The most parts of a list or an object that is a constant.
const MOST_PARTS: usize = 10_000;

/// A constant as the engine takes it.
pub(super) fn constant(keyword: &str, value: &Value) -> Result<Value, String> {
    match parts(value) > MOST_PARTS {
        true => Err(format!("{keyword}: a value of more than {MOST_PARTS} parts cannot be held to")),
        false => exact(keyword, value),
    }
}

fn parts(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(parts).sum::<usize>() + 1,
        Value::Object(fields) => fields.values().map(parts).sum::<usize>() + 1,
        _ => 1,
    }
}

/// Whether the numbers of a value are what floats of 64 bits hold, which is what the engine compares.
fn exact(keyword: &str, value: &Value) -> Result<Value, String> {
    match value {
        Value::Number(number) => {
            let exact = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            match (exact, number.as_f64()) {
                (Some(exact), Some(float)) if float as i128 != exact => {
                    Err(format!("{keyword}: {number} has more digits than a float of 64 bits, and cannot be held to"))
                }
                (Some(exact), _) if exact.unsigned_abs() < 1 << 63 => Ok(value.clone()),
                // The engine writes the shortest digits of a float, and noughts.
                (Some(exact), Some(float)) if float.to_string() != exact.to_string() => {
                    Err(format!("{keyword}: {number} has more digits than can be held to"))
                }
                (_, Some(float)) if float.fract() == 0.0 && float.abs() < 9e15 => Ok(json!(float as i64)),
                (_, Some(float)) => Ok(json!(float)),
                _ => Err(format!("{keyword}: {number} is no number of 64 bits")),
            }
        }
        Value::Array(items) => items.iter().map(|item| exact(keyword, item)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| Ok((name.clone(), exact(keyword, field)?)));
            Ok(Value::Object(fields.collect::<Result<_, String>>()?))
        }
        _ => Ok(value.clone()),
    }
}
