//! Answers that match a JSON schema, a regular expression or a grammar, whatever the model would rather say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use formers::generate::Constraint;
use serde_json::{Value, json};

mod answers;
mod steps;

fn person() -> Value {
    json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 5},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "likes": {"type": "array", "items": {"enum": ["tea", "milk", null]}, "minItems": 1, "maxItems": 3},
            "home": {"$ref": "#/$defs/home"},
        },
        "required": ["name", "age", "likes", "home"],
        "additionalProperties": false,
        "$defs": {"home": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"], "additionalProperties": false}]}},
    })
}

/// Whether a text is a person.
fn is_person(text: &str) -> bool {
    let Ok(Value::Object(person)) = serde_json::from_str::<Value>(text) else { return false };
    let home = &person["home"];
    person.keys().eq(["name", "age", "likes", "home"])
        && person["name"].as_str().is_some_and(|name| name.chars().count() <= 5)
        && person["age"].as_u64().is_some_and(|age| age <= 120)
        && person["likes"].as_array().is_some_and(|likes| {
            (1..=3).contains(&likes.len()) && likes.iter().all(|like| [json!("tea"), json!("milk"), Value::Null].contains(like))
        })
        && (home.is_null() || home.as_object().is_some_and(|home| home.keys().eq(["x"]) && home["x"].is_boolean()))
}

/// `[a-z]{2,4}-[0-9]{3}`
fn is_plate(text: &str) -> bool {
    let Some((letters, digits)) = text.split_once('-') else { return false };
    (2..=4).contains(&letters.len())
        && letters.bytes().all(|b| b.is_ascii_lowercase())
        && digits.len() == 3
        && digits.bytes().all(|b| b.is_ascii_digit())
}

const SUM: &str = "start: number (sign number){1,3}\nsign: \" + \" | \" - \"\nnumber: /[0-9]{1,2}/ | \"(\" number sign number \")\"";

/// Whether a text is a sum of `SUM`, brackets left out of the count.
fn is_sum(text: &str) -> bool {
    let depth = text.chars().try_fold(0i32, |depth, c| match c {
        '(' => Some(depth + 1),
        ')' => (depth > 0).then(|| depth - 1),
        '0'..='9' | ' ' | '+' | '-' => Some(depth),
        _ => None,
    });
    let plain: String = text.chars().filter(|c| !"()".contains(*c)).collect();
    let parts: Vec<&str> = plain.split([' ']).collect();
    let is_number = |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    depth == Some(0)
        && parts.len() >= 3
        && parts.len() % 2 == 1
        && parts.iter().step_by(2).all(is_number)
        && parts.iter().skip(1).step_by(2).all(|p| ["+", "-"].contains(p))
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok()
}

type Check = fn(&str) -> bool;

fn constraints() -> Vec<(Constraint, Check)> {
    vec![
        (Constraint::JsonSchema(person()), is_person),
        (Constraint::Regex(r"[a-z]{2,4}-[0-9]{3}".into()), is_plate),
        (Constraint::Grammar(SUM.into()), is_sum),
    ]
}
