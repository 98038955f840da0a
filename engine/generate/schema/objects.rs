//! The keywords of objects.

use serde_json::{Map, Value, json};

use super::index::Place;
use super::out::Out;
use super::rewrite::{Rewriter, pattern};
use super::short;

/// Takes a keyword of objects; what no draft knows says nothing.
pub(super) fn keyword<'s>(
    rewriter: &mut Rewriter<'s>,
    out: &mut Out,
    keyword: &str,
    value: &'s Value,
    fields: &'s Map<String, Value>,
    place: &Place<'s>,
    depth: usize,
) -> Result<(), String> {
    match keyword {
        "properties" | "patternProperties" => {
            let mut schemas = Map::new();
            for (name, schema) in map(value)? {
                let name = if keyword == "properties" { name.clone() } else { pattern(&json!(name))? };
                let schema = rewriter.inside(schema, place, depth).map_err(|error| format!("{}: {error}", short(&json!(name))))?;
                schemas.insert(name, schema);
            }
            out.asserted.insert(keyword.to_owned(), Value::Object(schemas));
        }
        "additionalProperties" => {
            let schema = rewriter.inside(value, place, depth)?;
            out.asserted.insert(keyword.to_owned(), schema);
        }
        "required" => {
            let names = value.as_array().filter(|names| names.iter().all(Value::is_string));
            out.asserted.insert(keyword.to_owned(), json!(names.ok_or_else(|| format!("{} is no list of names", short(value)))?));
        }
        "dependentRequired" | "dependentSchemas" | "dependencies" => {
            let says_nothing = |value: &Value| match value {
                Value::Array(names) => names.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                other => other == &Value::Bool(true),
            };
            if !map(value)?.values().all(says_nothing) {
                return rewriter.refuse(keyword);
            }
        }
        "propertyNames" => names(rewriter, out, value, fields, place, depth)?,
        "unevaluatedProperties" | "unevaluatedItems" => unevaluated(rewriter, out, keyword, value, fields, place, depth)?,
        _ => {}
    }
    Ok(())
}

/// Properties whose names are listed are named properties.
fn names<'s>(
    rewriter: &mut Rewriter<'s>,
    out: &mut Out,
    value: &'s Value,
    fields: &'s Map<String, Value>,
    place: &Place<'s>,
    depth: usize,
) -> Result<(), String> {
    let target = rewriter.behind_references(value, place);
    let target = match target.schema {
        Value::Bool(true) => return Ok(()),
        Value::Bool(false) => {
            out.and(json!({"additionalProperties": false}));
            return Ok(());
        }
        Value::Object(schema) if schema.is_empty() => return Ok(()),
        Value::Object(schema) => schema,
        other => return Err(format!("a schema is an object or a boolean, not {}", short(other))),
    };
    let only = |keywords: &[&str]| target.keys().all(|keyword| keywords.contains(&keyword.as_str()));
    let listed = match (target.get("enum"), target.get("const")) {
        (Some(Value::Array(listed)), None) => listed.clone(),
        (None, Some(one)) => vec![one.clone()],
        _ => return rewriter.refuse("propertyNames"),
    };
    let alone = !fields.contains_key("properties") && !fields.contains_key("patternProperties");
    if !alone || !only(&["enum", "const", "type", "title", "description"]) {
        return rewriter.refuse("propertyNames");
    }
    let rest = match fields.get("additionalProperties") {
        Some(rest) => rewriter.inside(rest, place, depth)?,
        None => json!(true),
    };
    let named = listed.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), rest.clone()));
    out.and(json!({"properties": named.collect::<Map<_, _>>(), "additionalProperties": false}));
    Ok(())
}

/// What no other keyword looked at: where no other schema is beside, that is what no name and no place has.
fn unevaluated<'s>(
    rewriter: &mut Rewriter<'s>,
    out: &mut Out,
    keyword: &str,
    value: &'s Value,
    fields: &'s Map<String, Value>,
    place: &Place<'s>,
    depth: usize,
) -> Result<(), String> {
    const BESIDE: [&str; 11] =
        ["$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "dependentSchemas", "contains"];
    let all = match value {
        Value::Bool(true) => return Ok(()),
        Value::Object(schema) if schema.is_empty() => return Ok(()),
        schema => schema,
    };
    if BESIDE.iter().any(|other| fields.contains_key(*other)) {
        return rewriter.refuse(keyword);
    }
    let (rest, covered) = match keyword {
        // What stands beside items by their places is in no other case read.
        "unevaluatedItems" => {
            ("items", fields.get("items").is_some_and(|items| !items.is_array() || fields.contains_key("additionalItems")))
        }
        _ => ("additionalProperties", fields.contains_key("additionalProperties")),
    };
    if !covered {
        let schema = rewriter.inside(all, place, depth)?;
        out.asserted.insert(rest.to_owned(), schema);
    }
    Ok(())
}

/// What objects can be held to once all their keywords are known.
pub(super) fn finish(rewriter: &mut Rewriter<'_>, out: &mut Out, fields: &Map<String, Value>) -> Result<(), String> {
    let asserted = &out.asserted;
    let is_object = asserted.get("type").is_none_or(|types| types.as_array().is_some_and(|types| types.contains(&json!("object"))));
    if !is_object {
        return Ok(());
    }
    let least = asserted.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
    let required = asserted.get("required").and_then(Value::as_array).map_or(0, |names| {
        let mut names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names.len()
    });
    // A name without a rule may come twice, which is one property.
    if least > required as u64 + 1 {
        rewriter.refuse("minProperties")?;
        out.asserted.remove("minProperties");
    }
    let named = fields.contains_key("properties") || fields.contains_key("patternProperties");
    if named && out.asserted.get("additionalProperties") != Some(&Value::Bool(false)) {
        rewriter.has_open_names();
    }
    Ok(())
}

fn map(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{} is no object", short(value)))
}
