//! Calls as Python writes them: `[name(argument="value"), …]`.

use serde_json::{Map, Value};

use super::{ToolCall, between};

/// The mark before the calls.
const OPEN: &str = "<|tool_call_start|>";
/// What a template has of it; some write only the tools.
pub(super) const MARKS: [&str; 2] = [OPEN, "<|tool_list_start|>"];

/// How deep values may lie in each other.
const DEEPEST: usize = 64;

/// Takes the calls out of a text.
pub(super) fn python(text: &str) -> (String, Vec<ToolCall>) {
    between(text, OPEN, "<|tool_call_end|>", |body| {
        let mut rest = Rest(body);
        let calls = rest.list('[', ']', Rest::call)?;
        rest.0.trim().is_empty().then_some(calls)
    })
}

/// What is left to read.
struct Rest<'t>(&'t str);

impl<'t> Rest<'t> {
    fn skip(&mut self, mark: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(mark)?;
        Some(())
    }

    fn comes(&self, mark: char) -> bool {
        self.0.trim_start().starts_with(mark)
    }

    /// Things with commas between them.
    fn list<T>(&mut self, open: char, close: char, mut one: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = Vec::new();
        self.skip(open)?;
        while !self.comes(close) {
            all.push(one(self)?);
            if !self.comes(close) {
                self.skip(',')?;
            }
        }
        self.skip(close)?;
        Some(all)
    }

    fn name(&mut self) -> Option<&'t str> {
        let text = self.0.trim_start();
        let end = text.find(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        self.0 = rest;
        (!name.is_empty()).then_some(name)
    }

    fn call(&mut self) -> Option<ToolCall> {
        let name = self.name()?.to_owned();
        let arguments = self.list('(', ')', |rest| {
            let key = rest.name()?.to_owned();
            rest.skip('=')?;
            Some((key, rest.value(DEEPEST)?))
        })?;
        Some(ToolCall { id: None, name, arguments: Map::from_iter(arguments) })
    }

    fn value(&mut self, deeper: usize) -> Option<Value> {
        let deeper = deeper.checked_sub(1)?;
        let text = self.0.trim_start();
        match text.chars().next()? {
            '[' => self.list('[', ']', |rest| rest.value(deeper)).map(Value::Array),
            '(' => self.list('(', ')', |rest| rest.value(deeper)).map(Value::Array),
            '{' => {
                let pair = |rest: &mut Self| {
                    let Value::String(key) = rest.value(deeper)? else { return None };
                    rest.skip(':')?;
                    Some((key, rest.value(deeper)?))
                };
                self.list('{', '}', pair).map(|pairs| Value::Object(Map::from_iter(pairs)))
            }
            quote @ ('"' | '\'') => self.text(quote).map(Value::String),
            _ => {
                let end = text.find(|c: char| !(c.is_alphanumeric() || "_.+-".contains(c))).unwrap_or(text.len());
                let (word, rest) = text.split_at(end);
                self.0 = rest;
                match word {
                    "True" | "true" => Some(Value::Bool(true)),
                    "False" | "false" => Some(Value::Bool(false)),
                    "None" | "null" => Some(Value::Null),
                    number => serde_json::from_str(number).ok().filter(Value::is_number),
                }
            }
        }
    }

    fn text(&mut self, quote: char) -> Option<String> {
        self.skip(quote)?;
        let mut out = String::new();
        let mut characters = self.0.chars();
        loop {
            match characters.next()? {
                end if end == quote => break,
                '\\' => match characters.next()? {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    'r' => out.push('\r'),
                    escaped @ ('\\' | '\'' | '"') => out.push(escaped),
                    other => out.extend(['\\', other]),
                },
                other => out.push(other),
            }
        }
        self.0 = characters.as_str();
        Some(out)
    }
}
