//! The keywords of arrays.

use serde_json::Value;

use super::draft::Draft;
use super::objects;
use super::out::Out;
use super::rewrite::{At, Rewriter, list};

/// Takes a keyword of arrays.
pub(super) fn keyword<'s>(
    rewriter: &mut Rewriter<'s>,
    out: &mut Out,
    keyword: &str,
    value: &'s Value,
    at: At<'_, 's>,
) -> Result<(), String> {
    let At { fields, place, depth } = at;
    match keyword {
        "items" => match value {
            // Older drafts give the schemas by place.
            Value::Array(by_place) => {
                out.assert("prefixItems", by_place.iter().map(|schema| rewriter.inside(schema, place, depth)).collect::<Result<_, _>>()?);
                if let Some(rest) = fields.get("additionalItems") {
                    out.assert("items", rewriter.inside(rest, place, depth)?);
                }
            }
            all => out.assert("items", rewriter.inside(all, place, depth)?),
        },
        "prefixItems" => {
            out.assert(keyword, list(value)?.iter().map(|schema| rewriter.inside(schema, place, depth)).collect::<Result<_, _>>()?);
        }
        "uniqueItems" => {
            let few = fields.get("maxItems").and_then(Value::as_f64).is_some_and(|most| most <= 1.0);
            if value != &Value::Bool(false) && !few {
                return rewriter.refuse(keyword);
            }
        }
        "contains" => {
            let none_needed = fields.get("minContains").and_then(Value::as_f64) == Some(0.0) && place.draft >= Draft::D2019;
            if !(none_needed && fields.get("maxContains").is_none()) {
                return rewriter.refuse(keyword);
            }
        }
        // What stands beside items by their places is in no other case read.
        _ => {
            let covered = fields.get("items").is_some_and(|items| !items.is_array() || fields.contains_key("additionalItems"));
            objects::unevaluated(rewriter, out, keyword, value, at, ("items", covered))?;
        }
    }
    Ok(())
}
