//! Keywords that hold schemas about the same value.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::negation::negated;
use super::numbers;
use super::out::Out;
use super::rewrite::{At, Rewriter, list};

/// What is said of a `oneOf` whose schemas cannot be told apart.
pub(super) const UNTOLD: &str = "oneOf: whether only one of its schemas fits cannot be told while an answer is written: write anyOf, or require a property with another const in each";

/// Takes a keyword that holds schemas about the same value.
pub(super) fn keyword<'s>(
    rewriter: &mut Rewriter<'s>,
    out: &mut Out,
    keyword: &str,
    value: &'s Value,
    at: At<'_, 's>,
) -> Result<(), String> {
    let At { fields, place, depth } = at;
    match keyword {
        "allOf" => {
            for schema in list(value)? {
                let schema = rewriter.beside(schema, place, depth)?;
                out.and(schema);
            }
        }
        "anyOf" => {
            let schemas = list(value)?.iter().map(|schema| rewriter.beside(schema, place, depth));
            out.apply(keyword, Value::Array(schemas.collect::<Result<_, _>>()?));
        }
        "oneOf" if rewriter.spells_one_of() => out.and(one_of(rewriter, list(value)?, at)?),
        "oneOf" => {
            let schemas = list(value)?.iter().map(|schema| rewriter.inlined(schema, place, depth));
            out.apply(keyword, Value::Array(schemas.collect::<Result<_, _>>()?));
        }
        "not" => {
            let (otherwise, exact) = negated(rewriter, value, place, depth)?;
            if !exact {
                return rewriter.refuse(keyword);
            }
            out.and(otherwise);
        }
        // Whoever does not meet the condition, or what follows from it.
        _ => {
            let (then, otherwise) = (fields.get("then"), fields.get("else"));
            if let Some(then) = then {
                let (not, exact) = negated(rewriter, value, place, depth)?;
                if !exact {
                    return rewriter.refuse(keyword);
                }
                let then = rewriter.beside(then, place, depth)?;
                out.and(json!({"anyOf": [not, then]}));
            }
            if let Some(otherwise) = otherwise {
                let condition = rewriter.beside(value, place, depth)?;
                let otherwise = rewriter.beside(otherwise, place, depth)?;
                out.and(json!({"anyOf": [condition, otherwise]}));
            }
        }
    }
    Ok(())
}

/// Any of several schemas, and none of the others: what of those cannot be told apart is left out.
fn one_of<'s>(rewriter: &mut Rewriter<'s>, schemas: &'s [Value], at: At<'_, 's>) -> Result<Value, String> {
    if let Some(values) = constants(schemas)? {
        let mut counts: HashMap<String, usize> = HashMap::new();
        values.iter().for_each(|value| *counts.entry(value.to_string()).or_default() += 1);
        let once = values.iter().filter(|value| counts.get(&value.to_string()) == Some(&1));
        return Ok(json!({"enum": once.collect::<Vec<_>>()}));
    }
    let mut options = Vec::new();
    for (chosen, schema) in schemas.iter().enumerate() {
        let mut all = vec![rewriter.beside(schema, at.place, at.depth)?];
        for (_, other) in schemas.iter().enumerate().filter(|(other, _)| *other != chosen) {
            let (not, exact) = negated(rewriter, other, at.place, at.depth)?;
            // Objects have properties that tell them apart, or what is left out.
            if !exact && rewriter.behind_references(other, at.place).schema.get("properties").is_none() {
                return Err(UNTOLD.to_owned());
            }
            rewriter.leaves_out |= !exact;
            all.push(not);
        }
        options.push(json!({"allOf": all}));
    }
    Ok(json!({"anyOf": options}))
}

/// The values of schemas that say nothing but what a value is.
fn constants(schemas: &[Value]) -> Result<Option<Vec<Value>>, String> {
    const SILENT: [&str; 6] = ["$comment", "const", "deprecated", "description", "examples", "title"];
    let one = |schema: &Value| {
        let fields = schema.as_object().filter(|fields| fields.keys().all(|keyword| SILENT.contains(&keyword.as_str())))?;
        fields.get("const").map(|value| numbers::constant("const", value))
    };
    schemas.iter().map(one).collect::<Option<Result<Vec<_>, _>>>().transpose()
}
