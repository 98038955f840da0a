//! Schemas, keyword by keyword.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::index::{DEEPEST, Index, Place};
use super::numbers::Step;
use super::out::Out;
use super::{applicators, arrays, assertions, circles, objects, short};

/// The most schemas, those that are read in several places counted in each.
pub(super) const MOST: usize = 50_000;

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
    /// Whether some values are left out that cannot be told from others.
    pub(super) leaves_out: bool,
}

/// The schema whose keywords are read.
#[derive(Clone, Copy)]
pub(super) struct At<'r, 's> {
    pub(super) fields: &'s Map<String, Value>,
    pub(super) place: &'r Place<'s>,
    pub(super) depth: usize,
}

/// Rewrites a schema and those that it refers to.
pub(super) struct Rewriter<'s> {
    index: Index<'s>,
    root: Place<'s>,
    /// Whether what cannot be held to is left out.
    pub(super) lenient: bool,
    numbers: HashMap<*const Value, usize>,
    names: Vec<String>,
    open: Vec<(usize, Place<'s>)>,
    /// The schema that is read: of `$defs`, or the root behind those.
    current: usize,
    /// Which schemas hold where others hold.
    edges: Vec<(usize, usize)>,
    pub(super) steps: Vec<Step>,
    /// Whether schemas hold together.
    combines: bool,
    /// How many names and patterns of properties there are, and whether some objects count theirs.
    pub(super) named: usize,
    pub(super) patterned: usize,
    pub(super) counts_names: bool,
    pub(super) leaves_out: bool,
    has_open_names: bool,
    inlining: bool,
    spells_one_of: bool,
    count: usize,
}

/// The root among the schemas of `$defs`.
const ROOT: usize = usize::MAX;

impl<'s> Rewriter<'s> {
    pub(super) fn new(index: Index<'s>, root: Place<'s>, lenient: bool, spells_one_of: bool) -> Self {
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
            named: 0,
            patterned: 0,
            counts_names: false,
            leaves_out: false,
            has_open_names: false,
            inlining: false,
            spells_one_of,
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
        if self.combines {
            objects::are_few(self.named, self.patterned, self.counts_names, 3)?;
        }
        schema.insert("$defs".into(), Value::Object(definitions));
        Ok(Rewritten { schema, names: self.names, has_open_names: self.has_open_names, leaves_out: self.leaves_out })
    }

    /// A schema below another one, about the same value.
    pub(super) fn beside(&mut self, value: &'s Value, within: &Place<'s>, depth: usize) -> Result<Value, String> {
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
        let Some(fields) = self.begin(place, depth)? else { return Ok(place.schema.clone()) };
        if let Some(reference) = fields.get("$ref").filter(|_| place.draft.ref_alone()) {
            return self.reference("$ref", reference, place);
        }
        let mut out = Out::default();
        for (keyword, value) in fields.iter().filter(|(keyword, _)| place.draft.knows(keyword)) {
            self.keyword(&mut out, keyword, value, At { fields, place, depth }).map_err(|error| match error.split_once(": ") {
                Some((named, _)) if named == keyword => error,
                _ => format!("{keyword}: {error}"),
            })?;
        }
        objects::finish(self, &mut out, fields)?;
        Ok(Value::Object(out.into_value()))
    }

    /// The fields of a schema that is read now; `None` where it is a boolean.
    pub(super) fn begin(&mut self, place: &Place<'s>, depth: usize) -> Result<Option<&'s Map<String, Value>>, String> {
        self.count += 1;
        if self.count > MOST || depth > DEEPEST {
            return Err(format!("it has more than {MOST} schemas, or {DEEPEST} in each other"));
        }
        match place.schema {
            Value::Bool(_) => Ok(None),
            Value::Object(fields) => Ok(Some(fields)),
            other => Err(format!("a schema is an object or a boolean, not {}", short(other))),
        }
    }

    /// What a keyword says.
    fn keyword(&mut self, out: &mut Out, keyword: &str, value: &'s Value, at: At<'_, 's>) -> Result<(), String> {
        match keyword {
            "$ref" | "$dynamicRef" | "$recursiveRef" => {
                self.combines = true;
                let reference = self.reference(keyword, value, at.place)?;
                out.and(reference);
                Ok(())
            }
            "allOf" | "anyOf" | "oneOf" | "not" | "if" => applicators::keyword(self, out, keyword, value, at),
            "items" | "prefixItems" | "uniqueItems" | "contains" | "unevaluatedItems" => arrays::keyword(self, out, keyword, value, at),
            "properties"
            | "patternProperties"
            | "additionalProperties"
            | "required"
            | "propertyNames"
            | "dependentRequired"
            | "dependentSchemas"
            | "dependencies"
            | "unevaluatedProperties" => objects::keyword(self, out, keyword, value, at),
            _ => assertions::keyword(self, out, keyword, value, at.fields),
        }
    }

    /// A reference, to a schema that is read once.
    fn reference(&mut self, keyword: &str, value: &Value, from: &Place<'s>) -> Result<Value, String> {
        let target = self.target(keyword, value, from)?;
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
            self.names.push(value.as_str().unwrap_or_default().to_owned());
            self.open.push((number, target));
            number
        });
        self.edges.push((self.current, number));
        Ok(json!({"$ref": reference_to(number)}))
    }

    /// What a reference means.
    pub(super) fn target(&self, keyword: &str, value: &Value, from: &Place<'s>) -> Result<Place<'s>, String> {
        let text = value.as_str().ok_or_else(|| format!("{keyword}: {} is no text", short(value)))?;
        let resolved = match keyword {
            "$dynamicRef" => self.index.resolve_dynamic(text, from),
            "$recursiveRef" => self.index.resolve_recursive(text, from),
            _ => self.index.resolve(text, from),
        };
        resolved.map_err(|error| format!("{keyword}: {}: {error}", short(value)))
    }

    /// One of several, of which the engine must see that they exclude each other: what it refers to is put in its place.
    pub(super) fn inlined(&mut self, value: &'s Value, within: &Place<'s>, depth: usize) -> Result<Value, String> {
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

    /// Whether `oneOf` is written as what it means, which is longer.
    pub(super) fn spells_one_of(&self) -> bool {
        self.spells_one_of
    }

    pub(super) fn place(&self, schema: &'s Value, within: &Place<'s>) -> Place<'s> {
        self.index.place(schema, within)
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

pub(super) fn list(value: &Value) -> Result<&Vec<Value>, String> {
    value.as_array().ok_or_else(|| format!("{} is no list", short(value)))
}
