//! The keywords of objects.

use serde_json::{Map, Value, json};

use super::assertions::pattern;
use super::out::Out;
use super::rewrite::{At, Rewriter};
use super::{finite, numbers, patterns, short};

/// Takes a keyword of objects.
pub(super) fn keyword<'s>(
    rewriter: &mut Rewriter<'s>,
    out: &mut Out,
    keyword: &str,
    value: &'s Value,
    at: At<'_, 's>,
) -> Result<(), String> {
    let At { fields, place, depth } = at;
    match keyword {
        "properties" | "patternProperties" => {
            let is_pattern = keyword == "patternProperties";
            let mut schemas = Map::new();
            for (name, schema) in map(value)? {
                let schema = rewriter.inside(schema, place, depth).map_err(|error| format!("{}: {error}", short(&json!(name))))?;
                match finite::texts(name).filter(|_| is_pattern) {
                    // Where all that it matches is named, the engine would begin a name that has no end.
                    Some(names) => out.named.extend(names.into_iter().map(|name| (name, schema.clone()))),
                    None if is_pattern => drop(schemas.insert(pattern(&json!(name))?, schema)),
                    None => drop(schemas.insert(name.clone(), schema)),
                }
            }
            out.assert(keyword, Value::Object(schemas));
        }
        "additionalProperties" => out.assert(keyword, rewriter.inside(value, place, depth)?),
        "required" => out.assert(keyword, json!(names(value)?)),
        "propertyNames" => property_names(rewriter, out, value, at)?,
        "unevaluatedProperties" => {
            unevaluated(rewriter, out, keyword, value, at, ("additionalProperties", fields.contains_key("additionalProperties")))?;
        }
        // Of dependencies: either the property is not there, or what depends on it is.
        _ => {
            for (name, needed) in map(value)? {
                let needed = match needed {
                    Value::Array(others) if others.is_empty() => continue,
                    Value::Array(_) => json!({"type": ["object"], "required": names(needed)?}),
                    schema => rewriter.beside(schema, place, depth)?,
                };
                rewriter.has_open_names();
                out.and(json!({"anyOf": [{"properties": {name: false}}, needed]}));
            }
        }
    }
    Ok(())
}

/// Properties of names that are listed are named properties; those whose names match a pattern are properties of that pattern.
fn property_names<'s>(rewriter: &mut Rewriter<'s>, out: &mut Out, value: &'s Value, at: At<'_, 's>) -> Result<(), String> {
    const SILENT: [&str; 6] = ["$comment", "type", "title", "description", "minLength", "maxLength"];
    let target = rewriter.behind_references(value, at.place);
    let schema = match target.schema {
        Value::Bool(true) => return Ok(()),
        Value::Bool(false) => &Map::from_iter([("enum".to_owned(), json!([]))]),
        Value::Object(schema) => schema,
        other => return Err(format!("a schema is an object or a boolean, not {}", short(other))),
    };
    let text = json!("string");
    if schema.get("type").is_some_and(|name| name != &text && !name.as_array().is_some_and(|names| names.contains(&text))) {
        out.and(json!({"additionalProperties": false}));
        return Ok(());
    }
    let count = |keyword: &str| schema.get(keyword).map(|count| numbers::at_most(keyword, count)).transpose();
    let (least, most) = (count("minLength")?, count("maxLength")?);
    let mut says = schema.iter().filter(|(keyword, _)| !SILENT.contains(&keyword.as_str()));
    let pattern = match (says.next(), says.next(), least.is_some() || most.is_some()) {
        (None, _, false) => return Ok(()),
        (None, _, true) => patterns::long(least.unwrap_or(0), most),
        (Some((keyword, value)), None, false) => match (keyword.as_str(), value) {
            ("enum" | "const", listed) => {
                let listed = listed.as_array().filter(|_| keyword == "enum").map_or(std::slice::from_ref(listed), Vec::as_slice);
                let named = listed.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), json!(true)));
                out.and(json!({"properties": named.collect::<Map<_, _>>(), "additionalProperties": false}));
                return Ok(());
            }
            ("pattern", value) => match value.as_str().and_then(finite::texts) {
                Some(names) => {
                    let named: Map<String, Value> = names.into_iter().map(|name| (name, json!(true))).collect();
                    out.and(json!({"properties": named, "additionalProperties": false}));
                    return Ok(());
                }
                None => pattern(value)?,
            },
            _ => return rewriter.refuse("propertyNames"),
        },
        _ => return rewriter.refuse("propertyNames"),
    };
    rewriter.has_open_names();
    out.and(json!({"patternProperties": {pattern: true}, "additionalProperties": false}));
    Ok(())
}

/// What no other keyword looked at: where no other schema is beside, that is what no name and no place has.
pub(super) fn unevaluated<'s>(
    rewriter: &mut Rewriter<'s>,
    out: &mut Out,
    keyword: &str,
    value: &'s Value,
    at: At<'_, 's>,
    (rest, covered): (&str, bool),
) -> Result<(), String> {
    const BESIDE: [&str; 12] =
        ["$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "contains"];
    if value == &json!(true) || value == &json!({}) {
        return Ok(());
    }
    if BESIDE.iter().any(|other| at.fields.contains_key(*other)) {
        return rewriter.refuse(keyword);
    }
    if !covered {
        let schema = rewriter.inside(value, at.place, at.depth)?;
        out.assert(rest, schema);
    }
    Ok(())
}

/// The most names that are required: the engine looks at them all for each.
const MOST_NAMES: usize = 10_000;
/// The most names of properties that are counted, which are as many ways to begin, and the most patterns, which are compared with each other.
const MOST_COUNTED: usize = 400;
const MOST_PATTERNS: usize = 50;

/// Whether objects have names that the engine can count, and patterns that it can compare, where they are so many times as many.
pub(super) fn are_few(named: usize, patterned: usize, counts: bool, times: usize) -> Result<(), String> {
    if counts && named > times * MOST_COUNTED {
        return Err(format!("minProperties, maxProperties: cannot be held to beside {named} properties"));
    }
    if patterned > times * MOST_PATTERNS {
        return Err(format!("patternProperties: {patterned} patterns are more than can be held to"));
    }
    Ok(())
}

/// What objects can be held to once all their keywords are known.
pub(super) fn finish(rewriter: &mut Rewriter<'_>, out: &mut Out, fields: &Map<String, Value>) -> Result<(), String> {
    for (name, schema) in std::mem::take(&mut out.named) {
        if let Value::Object(properties) = out.asserted.entry("properties").or_insert_with(|| json!({})) {
            let schema = match properties.get(&name) {
                Some(own) => json!({"allOf": [own, schema]}),
                None => schema,
            };
            properties.insert(name, schema);
        }
    }
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
    let has = |keyword: &str| asserted.get(keyword).and_then(Value::as_object).map_or(0, Map::len);
    let (named, patterned) = (has("properties"), has("patternProperties"));
    let counts = least > 0 || asserted.contains_key("maxProperties");
    rewriter.named += named;
    rewriter.patterned += patterned;
    rewriter.counts_names |= counts;
    are_few(named, patterned, counts, 1)?;
    if required > MOST_NAMES {
        return Err(format!("required: more than {MOST_NAMES} names cannot be held to"));
    }
    // A name without a rule may come twice, which is one property.
    if least > required as u64 + 1 {
        rewriter.refuse("minProperties")?;
        out.asserted.remove("minProperties");
    }
    let is_named = fields.contains_key("properties") || fields.contains_key("patternProperties");
    if is_named && out.asserted.get("additionalProperties") != Some(&Value::Bool(false)) {
        rewriter.has_open_names();
    }
    Ok(())
}

fn map(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{} is no object", short(value)))
}

fn names(value: &Value) -> Result<&Vec<Value>, String> {
    let names = value.as_array().filter(|names| names.iter().all(Value::is_string));
    names.ok_or_else(|| format!("{} is no list of names", short(value)))
}
