//! JSON schemas as llguidance reads them rightly: references found, keywords of all drafts in the words of the last one, numbers as it
//! counts. What would make an answer that the schema does not allow is refused by its name.

mod ahead;
mod applicators;
mod arrays;
mod assertions;
mod circles;
mod draft;
mod finite;
mod formats;
mod index;
mod negation;
mod numbers;
mod objects;
mod out;
mod patterns;
mod rewrite;
mod uri;

use serde_json::{Map, Value, json};

use self::draft::Draft;
use self::index::Index;
use self::rewrite::Rewriter;

/// Space between the parts of JSON: none, one, or a line's end and an indentation. Without a limit, a model may write nothing else.
const WHITESPACE: &str = r"\x20|\r?\n[\x20\t]{0,20}";

/// How a schema says how its JSON is written.
const LAYOUT: &str = "x-guidance";

/// A schema for the engine.
pub(super) struct Prepared {
    pub(super) schema: Value,
    /// What the schemas in its `$defs` were called.
    names: Vec<String>,
    /// Whether some values are left out that cannot be told from others.
    leaves_out: bool,
}

/// How a schema is prepared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// JSON has no space between its parts.
    pub(super) compact: bool,
    /// `oneOf` is written as what it means, where the engine cannot tell its schemas apart.
    pub(super) spells_one_of: bool,
}

/// A schema for the engine.
///
/// # Errors
/// What cannot be held to.
pub(super) fn prepare(schema: &Value, manner: Manner) -> Result<Prepared, String> {
    let fields = match schema {
        Value::Bool(false) => return Err("nothing matches the schema false".to_owned()),
        Value::Bool(true) => &Map::new(),
        Value::Object(fields) => fields,
        other => return Err(format!("a schema is an object or a boolean, not {}", short(other))),
    };
    let mut layout = match fields.get(LAYOUT) {
        None => Map::new(),
        Some(Value::Object(layout)) => layout.clone(),
        Some(_) => return Err(format!("{LAYOUT}: not an object")),
    };
    let lenient = layout.get("lenient") == Some(&Value::Bool(true));
    let draft = fields.get("$schema").and_then(Value::as_str).and_then(Draft::named).unwrap_or(Draft::D2020);
    let (index, root) = Index::new(schema, draft)?;
    let rewritten = Rewriter::new(index, root, lenient, manner.spells_one_of).run()?;
    if manner.compact {
        layout.remove("whitespace_pattern");
        layout.insert("whitespace_flexible".into(), json!(false));
    } else if !layout.contains_key("whitespace_flexible") {
        layout.entry("whitespace_pattern").or_insert_with(|| json!(WHITESPACE));
    }
    if rewritten.has_open_names {
        // Names that are spelled in two ways would be two names.
        layout.entry("json_allowed_escapes").or_insert_with(|| json!("nrbtf\\\""));
    }
    let mut schema = rewritten.schema;
    schema.insert(LAYOUT.to_owned(), Value::Object(layout));
    Ok(Prepared { schema: Value::Object(schema), names: rewritten.names, leaves_out: rewritten.leaves_out })
}

/// Whether a message of the engine is that it cannot tell the schemas of a `oneOf` apart.
pub(super) fn is_about_one_of(message: &str) -> bool {
    message.contains("oneOf constraints are not supported")
}

impl Prepared {
    /// What the engine says, in the words of the schema and of what can be done.
    pub(super) fn told(&self, message: &str) -> String {
        if message.contains("circular references with sibling keys") {
            return "$ref: a schema that refers to itself with other keywords beside cannot be held to: put those into a schema of their own".to_owned();
        }
        if message.contains("min/maxProperties only supported") {
            return "minProperties, maxProperties: can be held to only where all named properties are required".to_owned();
        }
        if message.contains("schema too large") || message.contains("stack level exceeded") {
            return format!(
                "it has too many schemas, those that hold together (allOf, anyOf, oneOf, $ref, if) counted in each combination: more than {} in all",
                rewrite::MOST
            );
        }
        if message.contains("Unable to determine if regex is empty") {
            return "minLength, maxLength: whether a text so long matches the pattern or format beside cannot be told: leave them out, and check the answer".to_owned();
        }
        if self.leaves_out && message.contains("Unsatisfiable") {
            return applicators::UNTOLD.to_owned();
        }
        let mut told = message.replace(patterns::NO_LINE_END, ".");
        // The longest names first: d1 begins d10.
        for (number, name) in self.names.iter().enumerate().rev() {
            told = told.replace(&rewrite::reference_to(number), name);
        }
        told
    }
}

/// A value in few characters, for an error.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
