//! What one input asks.

use serde_json::{Map, Value};

use crate::{
    Error, Result,
    pipelines::arguments::kind,
    preprocess::{image::RgbImage, placeholders::ImagePlaceholder},
};

/// What to answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt<'a> {
    /// A text, in which the model's placeholder stands for each picture, and the pictures in that order.
    Text(&'a str, Vec<Picture<'a>>),
    /// Messages, objects with `role` and `content`. A content may be a list, with a picture in `{"type": "image", "url": …}` (or `path`,
    /// `image`, `base64`) or `{"type": "image_url", "image_url": {"url": …}}`, and a text in `{"type": "text", "text": …}`.
    Chat(&'a [Value]),
}

/// A picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Picture<'a> {
    /// A path, an http(s) address, a `data:` URL or base64.
    Source(&'a str),
    /// Its pixels.
    Pixels(&'a RgbImage),
}

/// The names of the field with the pictures: Python's, and one for a single picture.
pub(super) const IMAGES: [&str; 2] = ["images", "image"];

/// The prompts that one input stands for: several where its text is a list.
pub(super) fn prompts<'a>(input: &'a Value, placeholder: &ImagePlaceholder) -> Result<Vec<Prompt<'a>>> {
    match input {
        Value::String(text) => Ok(vec![Prompt::Text(text, Vec::new())]),
        Value::Array(messages) if messages.is_empty() => Err(Error::request("inputs", "an empty list")),
        Value::Array(messages) if is_chat(messages) => Ok(vec![Prompt::Chat(checked(messages, "inputs")?)]),
        Value::Object(fields) => of_fields(fields, placeholder),
        other => {
            let message = format!("expected an object {{images, text}}, a chat, a text or a list of them, not {}", kind(other));
            Err(Error::request("inputs", message))
        }
    }
}

fn of_fields<'a>(fields: &'a Map<String, Value>, placeholder: &ImagePlaceholder) -> Result<Vec<Prompt<'a>>> {
    if let Some(unknown) = fields.keys().find(|name| !IMAGES.contains(&name.as_str()) && *name != "text") {
        return Err(Error::request(&format!("inputs.{unknown}"), "no such field; there are images and text"));
    }
    let mut given = IMAGES.iter().filter_map(|name| Some((*name, fields.get(*name)?))).filter(|(_, value)| !value.is_null());
    let (images, twice) = (given.next(), given.next());
    if twice.is_some() {
        return Err(Error::request("inputs.image", "not together with images"));
    }
    let mut pictures = Vec::new();
    if let Some((name, value)) = images {
        flatten(value, &format!("inputs.{name}"), &mut pictures)?;
    }
    match fields.get("text") {
        None | Some(Value::Null) => Err(Error::request("inputs.text", "missing")),
        Some(Value::String(text)) => Ok(vec![Prompt::Text(text, pictures)]),
        Some(Value::Array(messages)) if is_chat(messages) => match images {
            Some((name, _)) => Err(Error::request(&format!("inputs.{name}"), "the pictures of a chat stand in its messages")),
            None => Ok(vec![Prompt::Chat(checked(messages, "inputs.text")?)]),
        },
        Some(Value::Array(texts)) => batch(texts, pictures, placeholder),
        Some(other) => Err(Error::request("inputs.text", format!("expected a string, a chat or a list of strings, not {}", kind(other)))),
    }
}

/// Several texts, each with as many of the pictures as it has placeholders.
fn batch<'a>(texts: &'a [Value], pictures: Vec<Picture<'a>>, placeholder: &ImagePlaceholder) -> Result<Vec<Prompt<'a>>> {
    let string = |(i, text): (usize, &'a Value)| {
        text.as_str().ok_or_else(|| Error::request(&format!("inputs.text[{i}]"), format!("expected a string, not {}", kind(text))))
    };
    let texts = texts.iter().enumerate().map(string).collect::<Result<Vec<_>>>()?;
    if texts.is_empty() {
        return Err(Error::request("inputs.text", "an empty list"));
    }
    let named: usize = texts.iter().map(|text| placeholder.count(text)).sum();
    if named != pictures.len() {
        let message = format!("{named} {} in the texts for {} pictures: each stands for one", placeholder.token(), pictures.len());
        return Err(Error::request("inputs", message));
    }
    let mut pictures = pictures.into_iter();
    Ok(texts.into_iter().map(|text| Prompt::Text(text, pictures.by_ref().take(placeholder.count(text)).collect())).collect())
}

/// A picture, a list of them, or a list for each of several texts.
fn flatten<'a>(value: &'a Value, place: &str, pictures: &mut Vec<Picture<'a>>) -> Result<()> {
    let wrong = |place: &str, value: &Value| {
        let message = format!("expected a picture (path, http(s) address, data: URL or base64) or a list of them, not {}", kind(value));
        Err(Error::request(place, message))
    };
    match value {
        Value::String(source) => pictures.push(Picture::Source(source)),
        Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                let place = format!("{place}[{i}]");
                match value {
                    Value::Array(inner) if inner.iter().any(Value::is_array) => return wrong(&place, value),
                    value => flatten(value, &place, pictures)?,
                }
            }
        }
        other => return wrong(place, other),
    }
    Ok(())
}

/// Whether a list is one of messages.
pub(super) fn is_chat(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(Value::is_object) && list.iter().any(|message| message.get("role").is_some())
}

fn checked<'a>(messages: &'a [Value], place: &str) -> Result<&'a [Value]> {
    for (i, message) in messages.iter().enumerate() {
        for field in ["role", "content"] {
            if message.get(field).is_none() {
                return Err(Error::request(&format!("{place}[{i}].{field}"), "missing: a message has role and content"));
            }
        }
    }
    Ok(messages)
}

/// A chat that ends with the assistant's words goes on with them.
pub(super) fn goes_on(messages: &[Value]) -> bool {
    messages.last().and_then(|message| message.get("role")).and_then(Value::as_str) == Some("assistant")
}

/// The pictures of a chat, in the order in which its messages have them.
pub(super) fn pictures(messages: &[Value]) -> Result<Vec<Picture<'_>>> {
    let mut pictures = Vec::new();
    for (i, message) in messages.iter().enumerate() {
        let parts = match message.get("content") {
            None | Some(Value::Null | Value::String(_)) => continue,
            Some(Value::Array(parts)) => parts,
            Some(other) => {
                let message = format!("expected a string or a list of parts, not {}", kind(other));
                return Err(Error::request(&format!("messages[{i}].content"), message));
            }
        };
        for (j, part) in parts.iter().enumerate() {
            let place = format!("messages[{i}].content[{j}]");
            match part.get("type").and_then(Value::as_str) {
                Some("image") => of_part(part, &place, &mut pictures)?,
                Some("image_url") => {
                    let url = part.get("image_url").map(|url| url.get("url").unwrap_or(url));
                    pictures.push(source(url.unwrap_or(&Value::Null), &format!("{place}.image_url"))?);
                }
                Some(other @ ("video" | "audio")) => {
                    return Err(Error::unsupported(format!("{place}.type: {other}: this task reads pictures and texts")));
                }
                Some(_) => {}
                None => return Err(Error::request(&format!("{place}.type"), "missing: a part is of type image or text")),
            }
        }
    }
    Ok(pictures)
}

/// The pictures of a part, which has no more than one usually.
fn of_part<'a>(part: &'a Value, place: &str, pictures: &mut Vec<Picture<'a>>) -> Result<()> {
    for name in ["image", "url", "path", "base64"] {
        if let Some(value) = part.get(name) {
            pictures.push(source(value, &format!("{place}.{name}"))?);
        }
    }
    Ok(())
}

fn source<'a>(value: &'a Value, place: &str) -> Result<Picture<'a>> {
    let source = value.as_str().map(Picture::Source);
    source.ok_or_else(|| Error::request(place, format!("expected a path, an http(s) address, a data: URL or base64, not {}", kind(value))))
}

/// The messages as templates read them: pictures that are written as OpenAI's interface has them become parts of type `image`.
pub(super) fn normalized(messages: &[Value]) -> Vec<Value> {
    let part = |part: &Value| match (part.get("type").and_then(Value::as_str), part.get("image_url")) {
        (Some("image_url"), Some(url)) => serde_json::json!({"type": "image", "url": url.get("url").unwrap_or(url)}),
        _ => part.clone(),
    };
    let message = |message: &Value| {
        let mut message = message.clone();
        if let Some(Value::Array(parts)) = message.get_mut("content") {
            *parts = parts.iter().map(part).collect();
        }
        message
    };
    messages.iter().map(message).collect()
}
