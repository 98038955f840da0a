//! `format(value, spec)`: one field of a format string.

use num_bigint::{BigInt, Sign};
use num_traits::ToPrimitive;

use crate::preprocess::text::jinja::budget::Budget;
use crate::preprocess::text::jinja::error::{Error, Kind, Result};
use crate::preprocess::text::jinja::value::Value;
use crate::preprocess::text::jinja::value::digits::float_repr;
use crate::preprocess::text::jinja::value::number::Number;
use crate::preprocess::text::jinja::value::repr::str_of;

/// A format specification.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spec {
    pub(crate) fill: Option<char>,
    pub(crate) align: Option<char>,
    pub(crate) sign: Option<char>,
    /// Whether what rounds to zero has no sign.
    no_negative_zero: bool,
    pub(crate) alternate: bool,
    pub(crate) zero: bool,
    pub(crate) width: usize,
    grouping: Option<char>,
    pub(crate) precision: Option<usize>,
    pub(crate) kind: Option<char>,
}

/// Wider fields, and more digits, only fill memory.
const WIDEST: usize = 1 << 20;
const MOST_DIGITS: usize = 5000;

/// Digits that stand here, as a number.
pub(crate) fn read_number(text: &str) -> Result<(Option<usize>, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    match text[..end].parse() {
        Ok(number) if number <= WIDEST => Ok((Some(number), &text[end..])),
        _ => Err(Error::value_error("Too many decimal digits in format string")),
    }
}

impl Spec {
    fn parse(text: &str, value: &Value) -> Result<Self> {
        let mut spec = Self::default();
        let mut rest = text;
        let is_align = |c: char| matches!(c, '<' | '>' | '=' | '^');
        let mut chars = rest.chars();
        match (chars.next(), chars.next()) {
            (Some(fill), Some(align)) if is_align(align) => {
                (spec.fill, spec.align) = (Some(fill), Some(align));
                rest = chars.as_str();
            }
            (Some(align), _) if is_align(align) => {
                spec.align = Some(align);
                rest = &rest[1..];
            }
            _ => {}
        }
        if let Some(sign) = rest.chars().next().filter(|c| matches!(c, '+' | '-' | ' ')) {
            spec.sign = Some(sign);
            rest = &rest[1..];
        }
        if let Some(behind) = rest.strip_prefix('z') {
            spec.no_negative_zero = true;
            rest = behind;
        }
        if let Some(behind) = rest.strip_prefix('#') {
            spec.alternate = true;
            rest = behind;
        }
        if let (None, Some(behind)) = (spec.fill, rest.strip_prefix('0')) {
            spec.zero = true;
            spec.fill = Some('0');
            if spec.align.is_none() && value.as_str().is_none() {
                spec.align = Some('=');
            }
            rest = behind;
        }
        let (width, behind) = read_number(rest)?;
        spec.width = width.unwrap_or(0);
        rest = behind;
        if let Some(grouping) = rest.chars().next().filter(|c| matches!(c, ',' | '_')) {
            spec.grouping = Some(grouping);
            rest = &rest[1..];
        }
        if let Some(behind) = rest.strip_prefix('.') {
            let (precision, behind) = read_number(behind)?;
            spec.precision = Some(precision.ok_or_else(|| Error::value_error("Format specifier missing precision"))?);
            rest = behind;
        }
        let mut chars = rest.chars();
        spec.kind = chars.next();
        if chars.next().is_some() {
            return Err(Error::value_error(format!("Invalid format specifier '{text}' for object of type '{}'", value.type_name())));
        }
        Ok(spec)
    }
}

/// `format(value, spec)`
pub(crate) fn format_value(budget: &Budget, value: &Value, spec: &str) -> Result<String> {
    if spec.is_empty() {
        return Ok(str_of(budget, value)?.to_string());
    }
    let formatted = match Number::of(value) {
        None => match value.as_str() {
            Some(text) => format_text(budget, text, &Spec::parse(spec, value)?)?,
            None => {
                let message = format!("unsupported format string passed to {}.__format__", value.type_name());
                return Err(Error::type_error(message));
            }
        },
        Some(number) => format_number(budget, &number, &Spec::parse(spec, value)?)?,
    };
    budget.make(formatted.len())?;
    Ok(formatted)
}

fn unknown(spec: &Spec, name: &str) -> Error {
    Error::value_error(format!("Unknown format code '{}' for object of type '{name}'", spec.kind.unwrap_or_default()))
}

fn format_text(budget: &Budget, text: &str, spec: &Spec) -> Result<String> {
    if spec.no_negative_zero {
        return Err(Error::value_error("Negative zero coercion (z) not allowed in string format specifier"));
    }
    if spec.kind.is_some_and(|kind| kind != 's') {
        return Err(unknown(spec, "str"));
    }
    if spec.sign.is_some() || spec.alternate || spec.align == Some('=') || spec.grouping.is_some() {
        return Err(Error::value_error("Sign, '#', '=' and ',' are not allowed in string format specifier"));
    }
    budget.work(text.len())?;
    let cut = spec.precision.and_then(|precision| text.char_indices().nth(precision)).map_or(text.len(), |(end, _)| end);
    Ok(pad(&text[..cut], spec.fill.unwrap_or(' '), spec.align.unwrap_or('<'), spec.width))
}

/// A text in a field of so many characters.
pub(crate) fn pad(text: &str, fill: char, align: char, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = match align {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    let fill = |count| std::iter::repeat_n(fill, count);
    fill(left).chain(text.chars()).chain(fill(missing - left)).collect()
}

/// A number.
pub(crate) fn format_number(budget: &Budget, number: &Number, spec: &Spec) -> Result<String> {
    let floating = matches!(spec.kind, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%'));
    match number {
        Number::Float(float) => {
            if !floating && !matches!(spec.kind, None | Some('n')) {
                return Err(unknown(spec, "float"));
            }
            float_field(*float, spec)
        }
        _ if floating => float_field(number.float()?, spec),
        Number::Int(value) => integer_field(budget, &BigInt::from(*value), spec),
        Number::Big(value) => integer_field(budget, value, spec),
    }
}

fn integer_field(budget: &Budget, value: &BigInt, spec: &Spec) -> Result<String> {
    if spec.no_negative_zero {
        return Err(Error::value_error("Negative zero coercion (z) not allowed in integer format specifier"));
    }
    if spec.precision.is_some() {
        return Err(Error::value_error("Precision not allowed in integer format specifier"));
    }
    budget.work(value.bits() as usize)?;
    let magnitude = value.magnitude();
    let (digits, prefix, group) = match spec.kind {
        None | Some('d' | 'n') => (magnitude.to_str_radix(10), "", 3),
        Some('b') => (magnitude.to_str_radix(2), "0b", 4),
        Some('o') => (magnitude.to_str_radix(8), "0o", 4),
        Some('x') => (magnitude.to_str_radix(16), "0x", 4),
        Some('X') => (magnitude.to_str_radix(16).to_uppercase(), "0X", 4),
        Some('c') => {
            let c = value.to_u32().and_then(char::from_u32);
            let c = c.ok_or_else(|| Error::new(Kind::Overflow, "%c arg not in range(0x110000)"))?;
            return Ok(pad(c.encode_utf8(&mut [0; 4]), spec.fill.unwrap_or(' '), spec.align.unwrap_or('<'), spec.width));
        }
        _ => return Err(unknown(spec, "int")),
    };
    let prefix = if spec.alternate { prefix } else { "" };
    Ok(assemble(value.sign() == Sign::Minus, prefix, &digits, "", group, spec))
}

fn float_field(value: f64, spec: &Spec) -> Result<String> {
    let negative = value.is_sign_negative() && !value.is_nan();
    let text = float_digits(value.abs(), spec.kind, spec.precision, spec.alternate)?;
    let is_zero = !text.contains(|c: char| c.is_ascii_alphanumeric() && c != '0');
    let negative = negative && !(is_zero && spec.no_negative_zero);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Ok(assemble(negative, "", digits, rest, 3, spec))
}

/// A float that is not negative, without a sign: as `repr` writes it, or with a kind of notation.
pub(crate) fn float_digits(value: f64, kind: Option<char>, precision: Option<usize>, alternate: bool) -> Result<String> {
    let upper = matches!(kind, Some('E' | 'F' | 'G'));
    if !value.is_finite() {
        let text = if value.is_nan() { "nan" } else { "inf" };
        let text = if upper { text.to_uppercase() } else { text.to_owned() };
        return Ok(if kind == Some('%') { text + "%" } else { text });
    }
    if precision.is_some_and(|precision| precision > MOST_DIGITS) {
        return Err(Error::value_error("precision too big"));
    }
    let point = |text: String| if alternate && !text.contains('.') { text + "." } else { text };
    let digits = precision.unwrap_or(6);
    let text = match kind {
        Some('f' | 'F') => point(format!("{value:.digits$}")),
        Some('%') => point(format!("{:.digits$}", value * 100.0)) + "%",
        Some('e' | 'E') => exponent(&format!("{value:.digits$e}"), alternate),
        Some('g' | 'G' | 'n') => general(value, digits, alternate, false),
        _ => match precision {
            None => float_repr(value),
            Some(digits) => general(value, digits, alternate, true),
        },
    };
    Ok(if upper { text.to_uppercase() } else { text })
}

/// `1.5e3` as Python writes it, `1.5e+03`.
fn exponent(text: &str, alternate: bool) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let point = if alternate && !digits.contains('.') { "." } else { "" };
    format!("{digits}{point}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// So many significant digits, with an exponent where the number is very small or large.
fn general(value: f64, digits: usize, alternate: bool, with_point: bool) -> String {
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or_default();
    let most = digits as i32 - i32::from(with_point);
    let strip = |text: &str| match text.contains('.') && !alternate {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= most {
        return exponent(&format!("{}e{power}", strip(mantissa)), alternate);
    }
    let decimals = (digits as i32 - 1 - power).max(0) as usize;
    let fixed = strip(&format!("{value:.decimals$}"));
    match (fixed.contains('.'), with_point, alternate) {
        (false, true, _) => fixed + ".0",
        (false, false, true) => fixed + ".",
        _ => fixed,
    }
}

/// Sign, prefix, digits in groups and the rest, in a field.
fn assemble(negative: bool, prefix: &str, digits: &str, rest: &str, group: usize, spec: &Spec) -> String {
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    let (fill, align) = (spec.fill.unwrap_or(' '), spec.align.unwrap_or('>'));
    let around = sign.len() + prefix.len() + rest.len();
    let is_digits = !digits.is_empty();
    let grouped = match spec.grouping {
        Some(separator) if is_digits => {
            let least = if fill == '0' && align == '=' { spec.width.saturating_sub(around) } else { 0 };
            groups(digits, separator, group, least)
        }
        _ => digits.to_owned(),
    };
    if align == '=' {
        let missing = spec.width.saturating_sub(around + grouped.len());
        let fill: String = std::iter::repeat_n(fill, missing).collect();
        return format!("{sign}{prefix}{fill}{grouped}{rest}");
    }
    pad(&format!("{sign}{prefix}{grouped}{rest}"), fill, align, spec.width)
}

/// Digits with separators, and zeros before them up to a width.
fn groups(digits: &str, separator: char, group: usize, least: usize) -> String {
    let mut reversed = String::new();
    for (count, digit) in digits.chars().rev().chain(std::iter::repeat('0')).enumerate() {
        if count >= digits.len() && reversed.len() >= least {
            break;
        }
        if count > 0 && count % group == 0 {
            reversed.push(separator);
        }
        reversed.push(digit);
    }
    reversed.chars().rev().collect()
}
