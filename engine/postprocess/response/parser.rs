//! The regions of a text, one after the other.

use serde_json::{Map, Value};

use super::content::unreadable;
use super::pattern::Place;
use super::template::{Field, Kind, ResponseTemplate};
use super::types::Tools;
use crate::Result;

/// A text on its way to a message.
pub(super) struct Parser<'t> {
    template: &'t ResponseTemplate,
    text: &'t str,
    /// How far the text has been read.
    position: usize,
    tools: Tools<'t>,
    message: Map<String, Value>,
    /// The region that is open; outside of all, the field for such text, if there is one.
    current: Option<&'t Field>,
    captures: Map<String, Value>,
    body: String,
    is_open: bool,
}

impl<'t> Parser<'t> {
    pub(super) fn new(template: &'t ResponseTemplate, text: &'t str, tools: &'t [Value]) -> Self {
        let mut parser = Self {
            template,
            text,
            position: 0,
            tools: Tools::new(tools),
            message: template.defaults.clone(),
            current: None,
            captures: Map::new(),
            body: String::new(),
            is_open: false,
        };
        parser.outside();
        parser
    }

    pub(super) fn run(mut self) -> Result<Map<String, Value>> {
        // Every step but one reads on or changes the region; delimiters without any text could do that without end.
        let most = 4 * self.text.len() + 16;
        for _ in 0..most {
            let Some((kind, field, place)) = self.next()? else { break };
            self.take(place.start);
            self.position = place.end;
            let had_content = self.is_open;
            self.close()?;
            match kind {
                Kind::Open => {
                    self.current = Some(field);
                    self.captures = place.captures;
                    self.is_open = true;
                }
                // An end without a text would come again and again.
                Kind::Close if !had_content && place.start == place.end => return self.finish(),
                Kind::Close => {}
            }
        }
        self.take(self.text.len());
        self.finish()
    }

    fn finish(mut self) -> Result<Map<String, Value>> {
        self.close()?;
        let missing: Vec<&str> = self.template.fields.iter().filter(|field| !field.optional).map(|field| field.name.as_str()).collect();
        if let Some(missing) = missing.into_iter().find(|name| !self.message.contains_key(*name)) {
            return Err(unreadable(missing, "it is missing"));
        }
        let is_empty = |value: &Value| match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        let defaults = &self.template.defaults;
        self.message.retain(|name, value| defaults.contains_key(name) || !is_empty(value));
        Ok(self.message)
    }

    /// The next delimiter: the first, of several the longest, a beginning before an end, by name.
    fn next(&self) -> Result<Option<(Kind, &'t Field, Place)>> {
        let mut found = Vec::new();
        for (kind, field, delimiter) in self.template.watched(self.current) {
            found.extend(delimiter.find(self.text, self.position)?.map(|place| (kind, field, place)));
        }
        Ok(found.into_iter().min_by_key(|(kind, field, place)| (place.start, usize::MAX - place.end, *kind, field.name.as_str())))
    }

    /// Adds the text up to a place to the region.
    fn take(&mut self, end: usize) {
        let text = self.text.get(self.position..end).unwrap_or_default();
        self.position = self.position.max(end);
        if !text.is_empty() && self.current.is_some() {
            self.is_open = true;
            self.body.push_str(text);
        }
    }

    /// Ends the region.
    fn close(&mut self) -> Result<()> {
        if let Some(field) = self.current.filter(|_| self.is_open) {
            let mut value = field.value(&self.body, std::mem::take(&mut self.captures))?;
            self.tools.type_arguments(&mut value);
            match (&field.join, self.message.get_mut(&field.name)) {
                (Some(join), previous) => {
                    let text = value.as_str().ok_or_else(|| unreadable(&field.name, format!("not text: {value}")))?;
                    let text = match previous.as_deref() {
                        Some(Value::String(previous)) => format!("{previous}{join}{text}"),
                        _ => text.to_owned(),
                    };
                    self.message.insert(field.name.clone(), Value::from(text));
                }
                (None, Some(Value::Array(list))) if field.repeats => list.push(value),
                (None, None) if field.repeats => {
                    self.message.insert(field.name.clone(), Value::Array(vec![value]));
                }
                _ => {
                    self.message.insert(field.name.clone(), value);
                }
            }
        }
        self.outside();
        Ok(())
    }

    fn outside(&mut self) {
        self.current = self.template.outside();
        self.captures = Map::new();
        self.body.clear();
        self.is_open = false;
    }
}
