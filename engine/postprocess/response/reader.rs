//! An answer that comes in pieces, by a response template.

use serde_json::{Map, Value};

use super::parser::Parser;
use super::pattern::{Delimiter, Place};
use super::template::{Field, Kind, ResponseTemplate};
use super::types::Tools;
use crate::Result;
use crate::postprocess::answer::{Answer, Flow, Part, ToolCall};

/// The names of the field for reasoning.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// Takes an answer apart as it comes, by a template. What it has given stays, so that of several texts for one field none is lost: where the
/// template does not say how these are joined, they are lines.
#[derive(Debug)]
pub struct ResponseReader<'t> {
    template: &'t ResponseTemplate,
    tools: Vec<Value>,
    /// Tokens that are no text.
    tokens: Delimiter,
    text: String,
    /// How far the text has been read.
    position: usize,
    /// Up to here nothing begins.
    searched: usize,
    /// The region that is open; outside of all, the field for such text, if there is one.
    current: Option<&'t Field>,
    /// The text of a region that is not shown as it comes.
    body: String,
    captures: Map<String, Value>,
    is_open: bool,
    content: Flow,
    reasoning: Flow,
    answer: Answer,
    parts: Vec<Part>,
}

/// What comes next.
enum Next<'t> {
    Delimiter(Kind, &'t Field, Place),
    Token(Place),
    /// Text up to a place; what follows is not certain.
    Text(usize),
}

impl<'t> ResponseReader<'t> {
    /// Begins an answer; the arguments are those of [`ResponseTemplate::parse`], and the special tokens, which are no text.
    ///
    /// # Errors
    /// A regular expression of the template that takes too many steps.
    pub fn new(template: &'t ResponseTemplate, prompt: &str, tools: &[Value], tokens: &[String]) -> Result<Self> {
        let tokens = tokens.iter().filter(|token| !token.is_empty()).cloned().collect();
        let mut reader = Self {
            template,
            tools: tools.to_vec(),
            tokens: Delimiter::Literals(tokens),
            text: template.message_so_far(prompt)?.to_owned(),
            position: 0,
            searched: 0,
            current: None,
            body: String::new(),
            captures: Map::new(),
            is_open: false,
            content: Flow::default(),
            reasoning: Flow::default(),
            answer: Answer::default(),
            parts: Vec::new(),
        };
        reader.enter(template.outside());
        Ok(reader)
    }

    /// Takes more of the answer, and gives what is certain now.
    ///
    /// # Errors
    /// A regular expression of the template that takes too many steps.
    pub fn push(&mut self, text: &str) -> Result<Vec<Part>> {
        self.text.push_str(text);
        self.read(false)?;
        Ok(std::mem::take(&mut self.parts))
    }

    /// Ends the answer, and gives the rest of it.
    ///
    /// # Errors
    /// An answer that is not as the template says.
    pub fn finish(&mut self) -> Result<Vec<Part>> {
        self.read(true)?;
        self.close();
        // What is no text that comes as it is, and what the answer lacks.
        let message = Parser::new(self.template, &self.text, &self.tools).run()?;
        let whole = Answer::from_message(&message);
        if self.answer.reasoning_content.is_none() {
            self.show(&REASONING, whole.reasoning_content.unwrap_or_default());
        }
        if self.answer.content.is_empty() {
            self.show(&["content"], whole.content);
        }
        if self.answer.tool_calls.is_empty() {
            self.add_calls(whole.tool_calls);
        }
        Ok(std::mem::take(&mut self.parts))
    }

    /// The answer as far as it is certain.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// The answer as far as it is certain.
    #[must_use]
    pub fn into_answer(self) -> Answer {
        self.answer
    }

    fn read(&mut self, whole: bool) -> Result<()> {
        // Every step but one reads on or changes the region; delimiters without any text could do that without end.
        let most = 4 * self.text.len() + 16;
        for _ in 0..most {
            match self.next(whole)? {
                Next::Text(end) => {
                    self.take(end);
                    self.searched = self.searched.max(end);
                    return Ok(());
                }
                Next::Token(place) => {
                    self.take(place.start);
                    (self.position, self.searched) = (place.end, place.end);
                }
                Next::Delimiter(kind, field, place) => {
                    self.take(place.start);
                    (self.position, self.searched) = (place.end, place.end);
                    let had_content = self.is_open;
                    self.close();
                    match kind {
                        Kind::Open => {
                            self.enter(Some(field));
                            self.captures = place.captures;
                            self.is_open = true;
                        }
                        // An end without a text would come again and again.
                        Kind::Close if !had_content && place.start == place.end => {
                            self.position = self.text.len();
                            return Ok(());
                        }
                        Kind::Close => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// The next delimiter, as the reference takes it, where nothing that follows can change it.
    fn next(&self, whole: bool) -> Result<Next<'t>> {
        let watched = self.template.watched(self.current);
        let mut found: Option<(Kind, &'t Field, Place)> = None;
        for (kind, field, delimiter) in &watched {
            let Some(place) = delimiter.find(&self.text, self.searched)? else { continue };
            let rank = |kind: Kind, field: &Field, place: &Place| (place.start, usize::MAX - place.end, kind, field.name.clone());
            if found.as_ref().is_none_or(|(k, f, p)| rank(*kind, field, &place) < rank(*k, f, p)) {
                found = Some((*kind, field, place));
            }
        }
        let token = if self.shows() { self.tokens.find(&self.text, self.searched)? } else { None };
        let mut open = None;
        if !whole {
            let tokens = self.shows().then_some(&self.tokens);
            let delimiters = watched.iter().map(|(_, _, delimiter)| *delimiter).chain(tokens);
            open = delimiters.filter_map(|delimiter| delimiter.may_begin(&self.text, self.searched)).min();
        }
        let end = self.text.len();
        let start = found.as_ref().map_or(end, |(_, _, place)| place.start);
        Ok(match (found, token) {
            (_, Some(token)) if token.start < start && open.is_none_or(|open| open > token.start) => Next::Token(token),
            (Some((kind, field, place)), _) if open.is_none_or(|open| open > place.start) => Next::Delimiter(kind, field, place),
            _ => Next::Text(open.unwrap_or(end)),
        })
    }

    /// Whether the text of the region is shown as it comes.
    fn shows(&self) -> bool {
        self.current.is_some_and(|field| field.content == "text" && field.transform.is_none() && self.is_text(field))
    }

    /// Whether a field is the answer itself, or the reasoning: of several that could be it the first that the template has.
    fn is_text(&self, field: &Field) -> bool {
        let has = |name: &&&str| self.template.fields.iter().any(|field| field.name == **name);
        field.name == "content" || REASONING.iter().find(has).is_some_and(|name| *name == field.name)
    }

    /// A region begins.
    fn enter(&mut self, field: Option<&'t Field>) {
        (self.current, self.is_open) = (field, false);
        self.body.clear();
        self.captures = Map::new();
        let Some(field) = field.filter(|_| self.shows()) else { return };
        let flow = if field.name == "content" { &mut self.content } else { &mut self.reasoning };
        let strips = field.strips();
        let between = field.join.as_deref().unwrap_or(if strips { "\n" } else { "" });
        flow.begin(between, strips);
    }

    /// Reads text up to a place.
    fn take(&mut self, end: usize) {
        let text = self.text.get(self.position..end).unwrap_or_default().to_owned();
        self.position = self.position.max(end);
        if text.is_empty() {
            return;
        }
        let Some(field) = self.current else { return };
        self.is_open = true;
        if !self.shows() {
            self.body.push_str(&text);
        } else {
            let flow = if field.name == "content" { &mut self.content } else { &mut self.reasoning };
            let shown = if field.strips() { flow.add(&text) } else { flow.add_all(&text) };
            if let Some(shown) = shown {
                self.show(&[field.name.as_str()], shown);
            }
        }
    }

    fn show(&mut self, names: &[&str], text: String) {
        if text.is_empty() {
            return;
        }
        if names.contains(&"content") {
            self.answer.content.push_str(&text);
            self.parts.push(Part::Content(text));
        } else {
            self.answer.reasoning_content.get_or_insert_default().push_str(&text);
            self.parts.push(Part::Reasoning(text));
        }
    }

    fn add_calls(&mut self, calls: Vec<ToolCall>) {
        self.answer.tool_calls.extend(calls.iter().cloned());
        self.parts.extend(calls.into_iter().map(Part::Call));
    }

    /// A region ends. Calls that cannot be read are told at the end.
    fn close(&mut self) {
        if let Some(field) = self.current.filter(|field| self.is_open && field.name == "tool_calls")
            && let Ok(mut value) = field.value(&self.body, std::mem::take(&mut self.captures))
        {
            Tools::new(&self.tools).type_arguments(&mut value);
            let calls = if value.is_array() { value } else { Value::from(vec![value]) };
            let read = Answer::from_message(&Map::from_iter([("tool_calls".to_owned(), calls)]));
            self.show(&["content"], read.content);
            self.add_calls(read.tool_calls);
        }
        self.enter(self.template.outside());
    }
}
