//! Keywords about the value itself.

use serde_json::{Map, Value, json};

use super::formats::{self, Format};
use super::out::Out;
use super::rewrite::{Rewriter, list};
use super::{ahead, numbers, patterns, short};

pub(super) const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// Takes a keyword about the value itself; what no draft knows says nothing.
pub(super) fn keyword(
    rewriter: &mut Rewriter<'_>,
    out: &mut Out,
    keyword: &str,
    value: &Value,
    fields: &Map<String, Value>,
) -> Result<(), String> {
    match keyword {
        "const" => out.apply(keyword, numbers::constant(keyword, value)?),
        "enum" => {
            let values = list(value)?.iter().map(|value| numbers::constant(keyword, value));
            out.apply(keyword, values.collect::<Result<_, _>>()?);
        }
        "type" => out.assert(keyword, types(value)?),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
            out.asserted.extend(numbers::bounds(fields, holds_integers(fields))?);
        }
        "multipleOf" => {
            let (value, step) = numbers::step(value)?;
            rewriter.steps.push(step);
            out.assert(keyword, value);
        }
        "minLength" | "minItems" | "minProperties" => out.assert(keyword, json!(numbers::at_least(keyword, value)?)),
        "maxLength" | "maxItems" | "maxProperties" => out.assert(keyword, json!(numbers::at_most(keyword, value)?)),
        "pattern" => {
            let mut found = patterns(value)?;
            out.assert(keyword, json!(found.pop()));
            found.into_iter().for_each(|pattern| out.and(json!({"pattern": pattern})));
        }
        "format" => match formats::read(value, rewriter.lenient)? {
            Some(Format::Known(name)) => out.assert(keyword, json!(name)),
            Some(Format::Pattern(pattern)) => out.and(json!({"pattern": pattern})),
            Some(Format::Narrower(name, pattern)) => {
                out.assert(keyword, json!(name));
                out.and(json!({"pattern": pattern}));
            }
            Some(Format::Range(least, most)) => {
                let range = json!({"minimum": least, "maximum": most});
                out.and(Value::Object(numbers::bounds(range.as_object().unwrap_or(&Map::new()), holds_integers(fields))?));
            }
            None => {}
        },
        _ => {}
    }
    Ok(())
}

/// Whether the numbers of a schema are integers.
fn holds_integers(fields: &Map<String, Value>) -> bool {
    let listed = |name: &str| fields.get("type").is_some_and(|t| t == name || t.as_array().is_some_and(|t| t.contains(&json!(name))));
    listed("integer") && !listed("number")
}

/// The patterns of the engine that hold where a pattern does.
fn patterns(value: &Value) -> Result<Vec<String>, String> {
    let text = value.as_str().ok_or_else(|| format!("{} is no text", short(value)))?;
    ahead::apart(text).map_err(|error| format!("{}: {error}", short(value)))
}

/// The one pattern of the engine that is a pattern.
pub(super) fn pattern(value: &Value) -> Result<String, String> {
    let text = value.as_str().ok_or_else(|| format!("{} is no text", short(value)))?;
    patterns::translated(text).map_err(|error| format!("{}: {error}", short(value)))
}

/// The types of a schema; integers are numbers.
fn types(value: &Value) -> Result<Value, String> {
    let names = match value {
        Value::Array(names) => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    if let Some(unknown) = names.iter().find(|name| !name.as_str().is_some_and(|name| TYPES.contains(&name))) {
        return Err(format!("{} is none of {}", short(unknown), TYPES.join(", ")));
    }
    let mut kept: Vec<&Value> = Vec::new();
    for name in names {
        let is_number = name == "integer" && names.contains(&json!("number"));
        if !is_number && !kept.contains(&name) {
            kept.push(name);
        }
    }
    Ok(json!(kept))
}
