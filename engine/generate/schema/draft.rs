//! The drafts of JSON Schema: which keywords each has, and where schemas stand in schemas.

use serde_json::Value;

/// A draft, older ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

impl Draft {
    /// The draft that a `$schema` names.
    pub(super) fn named(uri: &str) -> Option<Self> {
        let uri = uri.trim_end_matches('#');
        let name = uri.strip_prefix("http://json-schema.org/").or_else(|| uri.strip_prefix("https://json-schema.org/"))?;
        Some(match name {
            "draft-04/schema" => Self::D4,
            "draft-06/schema" => Self::D6,
            "draft-07/schema" => Self::D7,
            "draft/2019-09/schema" => Self::D2019,
            "draft/2020-12/schema" => Self::D2020,
            _ => return None,
        })
    }

    /// The keyword with which a schema says its URI.
    pub(super) fn id(self) -> &'static str {
        if self == Self::D4 { "id" } else { "$id" }
    }

    /// Whether a `$ref` stands for the whole schema, whatever else is beside it.
    pub(super) fn ref_alone(self) -> bool {
        self <= Self::D7
    }

    /// Whether it knows a keyword; what it does not know says nothing.
    pub(super) fn knows(self, keyword: &str) -> bool {
        let (first, last) = match keyword {
            "const" | "contains" | "propertyNames" | "examples" => (Self::D6, Self::D2020),
            "if" | "then" | "else" => (Self::D7, Self::D2020),
            "dependentRequired" | "dependentSchemas" | "minContains" | "maxContains" | "unevaluatedItems" | "unevaluatedProperties" => {
                (Self::D2019, Self::D2020)
            }
            "$recursiveRef" => (Self::D2019, Self::D2019),
            "$dynamicRef" | "prefixItems" => (Self::D2020, Self::D2020),
            _ => (Self::D4, Self::D2020),
        };
        (first..=last).contains(&self)
    }
}

/// The schemas right in a value of a keyword.
pub(super) fn held<'s>(keyword: &str, value: &'s Value) -> Vec<&'s Value> {
    let is_schema = |value: &&Value| value.is_object() || value.is_boolean();
    match keyword {
        "additionalItems"
        | "additionalProperties"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => vec![value],
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => value.as_array().into_iter().flatten().collect(),
        "items" => value.as_array().map_or_else(|| vec![value], |list| list.iter().collect()),
        "$defs" | "definitions" | "dependencies" | "dependentSchemas" | "patternProperties" | "properties" => {
            value.as_object().into_iter().flat_map(serde_json::Map::values).filter(is_schema).collect()
        }
        _ => Vec::new(),
    }
}
