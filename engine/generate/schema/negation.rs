//! What a schema does not allow, as a schema.

use serde_json::{Map, Value, json};

use super::index::Place;
use super::rewrite::{Rewriter, list};
use super::{finite, numbers};

/// The types that exclude each other.
const TYPES: [&str; 6] = ["null", "boolean", "number", "string", "array", "object"];

/// Keywords whose opposite is not written.
const WITHOUT: [&str; 22] = [
    "$dynamicRef",
    "$recursiveRef",
    "additionalItems",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "format",
    "if",
    "items",
    "maxContains",
    "maxProperties",
    "minContains",
    "multipleOf",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
];

/// A schema for values that a schema does not allow, and whether it is for all of them.
pub(super) fn negated<'s>(
    rewriter: &mut Rewriter<'s>,
    schema: &'s Value,
    within: &Place<'s>,
    depth: usize,
) -> Result<(Value, bool), String> {
    let place = rewriter.place(schema, within);
    let Some(fields) = rewriter.begin(&place, depth)? else { return Ok((json!(schema == &json!(false)), true)) };
    let alone = place.draft.ref_alone() && fields.contains_key("$ref");
    let mut opposite = Opposite { options: Vec::new(), exact: true };
    for (keyword, value) in fields.iter().filter(|(keyword, _)| place.draft.knows(keyword) && (!alone || *keyword == "$ref")) {
        opposite.keyword(rewriter, keyword, value, fields, &place, depth + 1).map_err(|error| format!("{keyword}: {error}"))?;
    }
    Ok(opposite.into_schema())
}

/// Values that break one of the keywords.
struct Opposite {
    options: Vec<Value>,
    exact: bool,
}

impl Opposite {
    fn keyword<'s>(
        &mut self,
        rewriter: &mut Rewriter<'s>,
        keyword: &str,
        value: &'s Value,
        fields: &'s Map<String, Value>,
        place: &Place<'s>,
        depth: usize,
    ) -> Result<(), String> {
        let one_less = |count: u64| count.checked_sub(1);
        match keyword {
            "$ref" => {
                let target = rewriter.target(keyword, value, place)?;
                let opposite = negated(rewriter, target.schema, &target, depth)?;
                self.add(opposite);
            }
            "allOf" => {
                for schema in list(value)? {
                    let opposite = negated(rewriter, schema, place, depth)?;
                    self.add(opposite);
                }
            }
            "anyOf" => {
                let mut all = Vec::new();
                for schema in list(value)? {
                    let (schema, exact) = negated(rewriter, schema, place, depth)?;
                    self.exact &= exact;
                    all.push(schema);
                }
                self.options.push(json!({"allOf": all}));
            }
            "not" => {
                let schema = rewriter.beside(value, place, depth)?;
                self.options.push(schema);
            }
            "type" => {
                let listed = |name: &str| value == name || value.as_array().is_some_and(|names| names.contains(&json!(name)));
                self.exact &= !listed("integer") || listed("number");
                let others = TYPES.iter().filter(|name| !(listed(name) || **name == "number" && listed("integer")));
                self.of_types(others.copied().collect());
            }
            "const" => self.values(std::slice::from_ref(value))?,
            "enum" => self.values(list(value)?)?,
            "required" => {
                rewriter.has_open_names();
                let names = list(value)?.iter().filter_map(Value::as_str);
                self.options.extend(names.map(|name| json!({"type": ["object"], "properties": {name: false}})));
            }
            "properties" => {
                rewriter.has_open_names();
                for (name, schema) in value.as_object().into_iter().flatten() {
                    let (schema, exact) = negated(rewriter, schema, place, depth)?;
                    self.exact &= exact;
                    self.options.push(json!({"type": ["object"], "properties": {name: schema}, "required": [name]}));
                }
            }
            "additionalProperties" => self.exact &= value == &json!(true),
            "minimum" | "maximum" => {
                let (exclusive, other, beyond) = match keyword {
                    "minimum" => ("exclusiveMinimum", "maximum", "exclusiveMaximum"),
                    _ => ("exclusiveMaximum", "minimum", "exclusiveMinimum"),
                };
                let is_exclusive = fields.get(exclusive) == Some(&json!(true));
                self.numbers(json!({if is_exclusive { other } else { beyond }: value}))?;
            }
            "exclusiveMinimum" if value.is_number() => self.numbers(json!({"maximum": value}))?,
            "exclusiveMaximum" if value.is_number() => self.numbers(json!({"minimum": value}))?,
            "minLength" | "minItems" | "minProperties" => {
                let (name, other) = match keyword {
                    "minLength" => ("string", "maxLength"),
                    "minItems" => ("array", "maxItems"),
                    _ => ("object", "maxProperties"),
                };
                let most = one_less(numbers::at_least(keyword, value)?);
                self.options.extend(most.map(|most| json!({"type": [name], other: most})));
            }
            "maxLength" | "maxItems" => {
                let (name, other) = if keyword == "maxLength" { ("string", "minLength") } else { ("array", "minItems") };
                self.options.push(json!({"type": [name], other: numbers::at_least(keyword, value)? + 1}));
            }
            _ => self.exact &= !WITHOUT.contains(&keyword),
        }
        Ok(())
    }

    fn add(&mut self, (schema, exact): (Value, bool)) {
        self.options.push(schema);
        self.exact &= exact;
    }

    fn of_types(&mut self, names: Vec<&str>) {
        if !names.is_empty() {
            self.options.push(json!({"type": names}));
        }
    }

    fn numbers(&mut self, bounds: Value) -> Result<(), String> {
        let mut schema = numbers::bounds(bounds.as_object().unwrap_or(&Map::new()), false)?;
        schema.insert("type".into(), json!(["number"]));
        self.options.push(Value::Object(schema));
        Ok(())
    }

    /// What is none of some values.
    fn values(&mut self, listed: &[Value]) -> Result<(), String> {
        let has = |is: fn(&Value) -> bool| listed.iter().any(is);
        self.exact &= !has(Value::is_array) && !has(Value::is_object);
        let kinds = [Value::is_null, Value::is_boolean, Value::is_number, Value::is_string, Value::is_array, Value::is_object];
        self.of_types(TYPES.iter().zip(kinds).filter(|(_, is)| !has(*is)).map(|(name, _)| *name).collect());
        if has(Value::is_boolean) {
            self.options.extend([true, false].iter().filter(|b| !listed.contains(&json!(b))).map(|b| json!({"const": b})));
        }
        if has(Value::is_number) {
            let mut ends: Vec<&Value> = listed.iter().filter(|value| value.is_number()).collect();
            ends.sort_by(|a, b| a.as_f64().unwrap_or_default().total_cmp(&b.as_f64().unwrap_or_default()));
            for (place, end) in ends.iter().enumerate() {
                match place.checked_sub(1).and_then(|before| ends.get(before)) {
                    Some(before) => self.numbers(json!({"exclusiveMinimum": before, "exclusiveMaximum": end}))?,
                    None => self.numbers(json!({"exclusiveMaximum": end}))?,
                }
            }
            self.numbers(json!({"exclusiveMinimum": ends.last()}))?;
        }
        let texts: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
        if !texts.is_empty() {
            match finite::none_of(&texts) {
                Some(pattern) => self.options.push(json!({"type": ["string"], "pattern": pattern})),
                None => self.exact = false,
            }
        }
        Ok(())
    }

    fn into_schema(self) -> (Value, bool) {
        let mut options = self.options;
        options.retain(|option| option != &json!(false));
        let schema = match options.len() {
            0 => json!(false),
            1 => options.swap_remove(0),
            _ => json!({"anyOf": options}),
        };
        (schema, self.exact)
    }
}
