//! Schemas, keyword by keyword.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::draft::Draft;
use super::formats::{self, Format};
use super::index::{DEEPEST, Index, Place};
use super::numbers::{self, Step};
use super::out::Out;
use super::{circles, objects, patterns, short};

/// The most schemas, those that are read in several places counted in each.
const MOST: usize = 50_000;

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// What a schema in `$defs` is referred to with.
pub(super) fn reference_to(number: usize) -> String {
    format!("#/$defs/d{number}")
}

/// A schema that was rewritten.
pub(super) struct Rewritten {
    pub(super) schema: Map<String, Value>,
    /// What the schemas in its `$defs` were called.
    pub(super) names: Vec<String>,
    /// Whether objects have named properties beside others.
    pub(super) has_open_names: bool,
}

/// Rewrites a schema and those that it refers to.
pub(super) struct Rewriter<'s> {
    index: Index<'s>,
    root: Place<'s>,
    /// Whether what cannot be held to is left out.
    lenient: bool,
    numbers: HashMap<*const Value, usize>,
    names: Vec<String>,
    open: Vec<(usize, Place<'s>)>,
    /// The schema that is read: of `$defs`, or the root behind those.
    current: usize,
    /// Which schemas hold where others hold.
    edges: Vec<(usize, usize)>,
    steps: Vec<Step>,
    /// Whether schemas hold together.
    combines: bool,
    has_open_names: bool,
    inlining: bool,
    count: usize,
}

/// The root among the schemas of `$defs`.
const ROOT: usize = usize::MAX;

impl<'s> Rewriter<'s> {
    pub(super) fn new(index: Index<'s>, root: Place<'s>, lenient: bool) -> Self {
        Self {
            index,
            root,
            lenient,
            numbers: HashMap::new(),
            names: Vec::new(),
            open: Vec::new(),
            current: ROOT,
            edges: Vec::new(),
            steps: Vec::new(),
            combines: false,
            has_open_names: false,
            inlining: false,
            count: 0,
        }
    }

    pub(super) fn run(mut self) -> Result<Rewritten, String> {
        let root = self.root.clone();
        let mut schema = match self.schema(&root, 0)? {
            Value::Object(fields) => fields,
            Value::Bool(true) => Map::new(),
            _ => return Err("nothing matches it".to_owned()),
        };
        let mut definitions = Map::new();
        while let Some((number, place)) = self.open.pop() {
            self.current = number;
            let rewritten = self.schema(&place, 0);
            let rewritten = rewritten.map_err(|error| format!("{}: {error}", self.names.get(number).map_or("", String::as_str)))?;
            definitions.insert(format!("d{number}"), rewritten);
        }
        if let Some(stuck) = circles::stuck(&self.edges) {
            let name = self.names.get(stuck).map_or("#", String::as_str);
            return Err(format!("$ref: {name} leads back to itself, with nothing between"));
        }
        if self.combines && !Step::meet(&self.steps) {
            return Err("multipleOf: steps that are asked for together have too many digits to be held to".to_owned());
        }
        schema.insert("$defs".into(), Value::Object(definitions));
        Ok(Rewritten { schema, names: self.names, has_open_names: self.has_open_names })
    }

    /// A schema below another one, about the same value.
    fn beside(&mut self, value: &'s Value, within: &Place<'s>, depth: usize) -> Result<Value, String> {
        self.combines = true;
        let place = self.index.place(value, within);
        self.schema(&place, depth + 1)
    }

    /// A schema below another one, about a part of the value.
    pub(super) fn inside(&mut self, value: &'s Value, within: &Place<'s>, depth: usize) -> Result<Value, String> {
        let place = self.index.place(value, within);
        let edges = self.edges.len();
        let inside = self.schema(&place, depth + 1);
        // What a part refers to may be what the whole is.
        self.edges.truncate(edges);
        inside
    }

    fn schema(&mut self, place: &Place<'s>, depth: usize) -> Result<Value, String> {
        self.count += 1;
        if self.count > MOST || depth > DEEPEST {
            return Err(format!("it has more than {MOST} schemas, or {DEEPEST} in each other"));
        }
        let fields = match place.schema {
            Value::Bool(all) => return Ok(Value::Bool(*all)),
            Value::Object(fields) => fields,
            other => return Err(format!("a schema is an object or a boolean, not {}", short(other))),
        };
        if let Some(reference) = fields.get("$ref").filter(|_| place.draft.ref_alone()) {
            return self.reference("$ref", reference, place);
        }
        let mut out = Out::default();
        for (keyword, value) in fields.iter().filter(|(keyword, _)| place.draft.knows(keyword)) {
            self.keyword(&mut out, keyword, value, fields, place, depth).map_err(|error| match error.split_once(": ") {
                Some((named, _)) if named == keyword => error,
                _ => format!("{keyword}: {error}"),
            })?;
        }
        objects::finish(self, &mut out, fields)?;
        Ok(Value::Object(out.into_value()))
    }

    fn keyword(
        &mut self,
        out: &mut Out,
        keyword: &str,
        value: &'s Value,
        fields: &'s Map<String, Value>,
        place: &Place<'s>,
        depth: usize,
    ) -> Result<(), String> {
        match keyword {
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                self.combines = true;
                let reference = self.reference(keyword, value, place)?;
                out.and(reference);
            }
            "allOf" => {
                for schema in list(value)? {
                    let schema = self.beside(schema, place, depth)?;
                    out.and(schema);
                }
            }
            "anyOf" => {
                let schemas = list(value)?.iter().map(|schema| self.beside(schema, place, depth));
                let schemas = schemas.collect::<Result<Vec<_>, _>>()?;
                out.apply(keyword, Value::Array(schemas));
            }
            "oneOf" => {
                let schemas = list(value)?.iter().map(|schema| self.inlined(schema, place, depth));
                let schemas = schemas.collect::<Result<Vec<_>, _>>()?;
                out.apply(keyword, Value::Array(schemas));
            }
            "not" => match value {
                Value::Bool(false) => {}
                Value::Bool(true) => out.and(json!(false)),
                Value::Object(fields) if fields.is_empty() => out.and(json!(false)),
                _ => return self.refuse(keyword),
            },
            "if" => match (value, fields.get("then"), fields.get("else")) {
                (_, None, None) | (Value::Bool(true), None, _) | (Value::Bool(false), _, None) => {}
                (Value::Bool(true), Some(then), _) | (Value::Bool(false), _, Some(then)) => {
                    let then = self.beside(then, place, depth)?;
                    out.and(then);
                }
                _ => return self.refuse(keyword),
            },
            "const" => out.apply(keyword, numbers::constant(keyword, value)?),
            "enum" => {
                let values = list(value)?.iter().map(|value| numbers::constant(keyword, value));
                out.apply(keyword, values.collect::<Result<_, _>>()?);
            }
            "type" => {
                out.asserted.insert(keyword.to_owned(), types(value)?);
            }
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                let listed =
                    |name: &str| fields.get("type").is_some_and(|t| t == name || t.as_array().is_some_and(|t| t.contains(&json!(name))));
                out.asserted.extend(numbers::bounds(fields, listed("integer") && !listed("number"))?);
            }
            "multipleOf" => {
                let (value, step) = numbers::step(value)?;
                self.steps.push(step);
                out.asserted.insert(keyword.to_owned(), value);
            }
            "minLength" | "minItems" | "minProperties" => {
                out.asserted.insert(keyword.to_owned(), json!(numbers::at_least(keyword, value)?));
            }
            "maxLength" | "maxItems" | "maxProperties" => {
                out.asserted.insert(keyword.to_owned(), json!(numbers::at_most(keyword, value)?));
            }
            "pattern" => {
                out.asserted.insert(keyword.to_owned(), json!(pattern(value)?));
            }
            "format" => match formats::read(value, self.lenient)? {
                Some(Format::Known(name)) => drop(out.asserted.insert(keyword.to_owned(), json!(name))),
                Some(Format::Pattern(pattern)) => out.and(json!({"pattern": pattern})),
                None => {}
            },
            "items" => self.items(out, value, fields, place, depth)?,
            "prefixItems" => {
                let items = list(value)?.iter().map(|schema| self.inside(schema, place, depth));
                let items = items.collect::<Result<_, _>>()?;
                out.asserted.insert(keyword.to_owned(), items);
            }
            "uniqueItems" => {
                let few = fields.get("maxItems").and_then(Value::as_f64).is_some_and(|most| most <= 1.0);
                if value != &Value::Bool(false) && !few {
                    return self.refuse(keyword);
                }
            }
            "contains" => {
                let none_needed = fields.get("minContains").and_then(Value::as_f64) == Some(0.0) && place.draft >= Draft::D2019;
                if !(none_needed && fields.get("maxContains").is_none()) {
                    return self.refuse(keyword);
                }
            }
            _ => objects::keyword(self, out, keyword, value, fields, place, depth)?,
        }
        Ok(())
    }

    /// The schemas of an array, which older drafts give by place in `items`.
    fn items(
        &mut self,
        out: &mut Out,
        value: &'s Value,
        fields: &'s Map<String, Value>,
        place: &Place<'s>,
        depth: usize,
    ) -> Result<(), String> {
        let Value::Array(by_place) = value else {
            let items = self.inside(value, place, depth)?;
            out.asserted.insert("items".into(), items);
            return Ok(());
        };
        let items = by_place.iter().map(|schema| self.inside(schema, place, depth)).collect::<Result<_, _>>()?;
        out.asserted.insert("prefixItems".into(), items);
        if let Some(rest) = fields.get("additionalItems") {
            let rest = self.inside(rest, place, depth)?;
            out.asserted.insert("items".into(), rest);
        }
        Ok(())
    }

    /// A reference, to a schema that is read once.
    fn reference(&mut self, keyword: &str, value: &Value, from: &Place<'s>) -> Result<Value, String> {
        let text = value.as_str().ok_or_else(|| format!("{keyword}: {} is no text", short(value)))?;
        let resolved = match keyword {
            "$dynamicRef" => self.index.resolve_dynamic(text, from),
            "$recursiveRef" => self.index.resolve_recursive(text, from),
            _ => self.index.resolve(text, from),
        };
        let target = resolved.map_err(|error| format!("{keyword}: {}: {error}", short(value)))?;
        if let Value::Bool(all) = target.schema {
            return Ok(Value::Bool(*all));
        }
        if target.key() == self.root.key() {
            self.edges.push((self.current, ROOT));
            return Ok(json!({"$ref": "#"}));
        }
        let number = self.numbers.get(&target.key()).copied().unwrap_or_else(|| {
            let number = self.names.len();
            self.numbers.insert(target.key(), number);
            self.names.push(text.to_owned());
            self.open.push((number, target));
            number
        });
        self.edges.push((self.current, number));
        Ok(json!({"$ref": reference_to(number)}))
    }

    /// One of several, of which the engine must see that they exclude each other: what it refers to is put in its place.
    fn inlined(&mut self, value: &'s Value, within: &Place<'s>, depth: usize) -> Result<Value, String> {
        let mut place = self.index.place(value, within);
        while let Some(fields) = place.schema.as_object().filter(|_| !self.inlining) {
            let reference = fields.get("$ref").filter(|_| fields.len() == 1 || place.draft.ref_alone()).and_then(Value::as_str);
            let Some(target) = reference.and_then(|reference| self.index.resolve(reference, &place).ok()) else { break };
            // Circles are found where they are no options.
            if target.schema.get("$ref").is_some() || target.key() == self.root.key() {
                break;
            }
            place = target;
        }
        let nested = std::mem::replace(&mut self.inlining, true);
        self.combines = true;
        let schema = self.schema(&place, depth + 1);
        self.inlining = nested;
        schema
    }

    /// Leaves a keyword out where that was asked for; an error else.
    pub(super) fn refuse(&self, keyword: &str) -> Result<(), String> {
        match self.lenient {
            true => Ok(()),
            false => Err(format!("{keyword}: cannot be held to while an answer is written: leave it out, and check the answer")),
        }
    }

    pub(super) fn has_open_names(&mut self) {
        self.has_open_names = true;
    }

    /// The schema that a schema of `propertyNames` is, behind its references.
    pub(super) fn behind_references(&self, value: &'s Value, within: &Place<'s>) -> Place<'s> {
        let mut place = self.index.place(value, within);
        for _ in 0..DEEPEST {
            let reference = place.schema.get("$ref").and_then(Value::as_str);
            match reference.and_then(|reference| self.index.resolve(reference, &place).ok()) {
                Some(target) => place = target,
                None => break,
            }
        }
        place
    }
}

fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("{} is no list", short(value)))
}

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
