//! Where the schemas of a document are: by URI, by anchor and by pointer.

use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use super::draft::{Draft, held};
use super::uri;

/// How deep schemas may be in each other.
pub(super) const DEEPEST: usize = 200;

/// A schema, with the URI against which its references are read.
#[derive(Debug, Clone)]
pub(super) struct Place<'s> {
    pub(super) schema: &'s Value,
    pub(super) base: Rc<str>,
    pub(super) draft: Draft,
}

impl Place<'_> {
    /// What tells schemas apart: where they are in memory.
    pub(super) fn key(&self) -> *const Value {
        self.schema
    }
}

/// All schemas of a document that are where schemas are.
pub(super) struct Index<'s> {
    places: HashMap<*const Value, Place<'s>>,
    resources: HashMap<String, Place<'s>>,
    anchors: HashMap<(Rc<str>, &'s str), Place<'s>>,
    /// How many resources have a `$dynamicAnchor` of a name.
    dynamic: HashMap<&'s str, usize>,
    /// Whether some have a `$recursiveAnchor`.
    recursive: bool,
}

impl<'s> Index<'s> {
    pub(super) fn new(root: &'s Value, draft: Draft) -> Result<(Self, Place<'s>), String> {
        let mut index =
            Self { places: HashMap::new(), resources: HashMap::new(), anchors: HashMap::new(), dynamic: HashMap::new(), recursive: false };
        let start = index.place(root, &Place { schema: root, base: Rc::from(""), draft });
        index.resources.insert(String::new(), start.clone());
        let mut open = vec![(start.clone(), 0)];
        while let Some((place, depth)) = open.pop() {
            if depth > DEEPEST {
                return Err(format!("more than {DEEPEST} schemas in each other"));
            }
            for (keyword, value) in place.schema.as_object().into_iter().flatten() {
                open.extend(held(keyword, value).into_iter().map(|child| (index.place(child, &place), depth + 1)));
            }
            index.add(place);
        }
        Ok((index, start))
    }

    fn add(&mut self, place: Place<'s>) {
        let text = |keyword: &str| place.schema.get(keyword).and_then(Value::as_str);
        let id = text(place.draft.id());
        if let Some(name) = id.filter(|_| place.draft.ref_alone()).and_then(|id| id.strip_prefix('#')) {
            self.anchors.insert((place.base.clone(), name), place.clone());
        } else if id.is_some() {
            self.resources.insert(place.base.to_string(), place.clone());
        }
        for keyword in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = text(keyword).filter(|_| !place.draft.ref_alone()) {
                self.anchors.insert((place.base.clone(), name), place.clone());
            }
        }
        if let Some(name) = text("$dynamicAnchor") {
            *self.dynamic.entry(name).or_default() += 1;
        }
        self.recursive |= place.schema.get("$recursiveAnchor") == Some(&Value::Bool(true));
        self.places.insert(place.key(), place);
    }

    /// A schema in another one.
    pub(super) fn place(&self, schema: &'s Value, within: &Place<'s>) -> Place<'s> {
        if let Some(known) = self.places.get(&std::ptr::from_ref(schema)) {
            return known.clone();
        }
        let text = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
        let draft = text("$schema").and_then(Draft::named).unwrap_or(within.draft);
        // Beside a `$ref` that stands alone, an identifier is none.
        let id = text(draft.id()).filter(|_| !draft.ref_alone() || schema.get("$ref").is_none());
        let base = match id.filter(|id| !id.starts_with('#')) {
            Some(id) => Rc::from(uri::join(&within.base, id).0),
            None => within.base.clone(),
        };
        Place { schema, base, draft }
    }

    /// What a reference means.
    pub(super) fn resolve(&self, reference: &str, from: &Place<'s>) -> Result<Place<'s>, String> {
        let (uri, fragment) = uri::join(&from.base, reference);
        let elsewhere = "it is not in this schema, and nothing is fetched: put that schema under $defs, with its $id";
        let resource = self.resources.get(&uri).ok_or_else(|| elsewhere.to_owned())?;
        let fragment = uri::unescaped(fragment).ok_or("its % escapes are no UTF-8")?;
        if fragment.is_empty() {
            return Ok(resource.clone());
        }
        if let Some(pointer) = fragment.strip_prefix('/') {
            return self.walk(resource, pointer);
        }
        let anchor = self.anchors.get(&(resource.base.clone(), fragment.as_str()));
        anchor.cloned().ok_or_else(|| format!("no schema has the $anchor {fragment:?}"))
    }

    fn walk(&self, resource: &Place<'s>, pointer: &str) -> Result<Place<'s>, String> {
        let mut place = resource.clone();
        for step in pointer.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match place.schema {
                Value::Object(fields) => fields.get(&step),
                Value::Array(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
                _ => None,
            };
            place = self.place(next.ok_or_else(|| format!("there is no {step:?}"))?, &place);
        }
        Ok(place)
    }

    /// What a `$dynamicRef` means where that is the same however it is reached.
    pub(super) fn resolve_dynamic(&self, reference: &str, from: &Place<'s>) -> Result<Place<'s>, String> {
        let target = self.resolve(reference, from)?;
        let name = target.schema.get("$dynamicAnchor").and_then(Value::as_str).filter(|name| reference.ends_with(&format!("#{name}")));
        match name.and_then(|name| self.dynamic.get(name)) {
            Some(2..) => Err("its meaning depends on the way to it; name one of the schemas with $ref".to_owned()),
            _ => Ok(target),
        }
    }

    /// What a `$recursiveRef` means where that is the same however it is reached.
    pub(super) fn resolve_recursive(&self, reference: &str, from: &Place<'s>) -> Result<Place<'s>, String> {
        if self.recursive && self.resources.len() > 2 {
            return Err("its meaning depends on the way to it; name one of the schemas with $ref".to_owned());
        }
        self.resolve(reference, from)
    }
}
