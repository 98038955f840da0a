//! Inputs one after the other: arguments, lines of standard input as they come, files of folders.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Result, bail};
use formers::{
    Error, ErrorKind,
    pipelines::{Medium, Request, Task},
};
use serde_json::{Map, Value};

use super::{
    fields::Fields,
    folder::{self, has_ending},
    lines::{Line, Lines},
    parameters::without_last_end,
    unicode,
};
use crate::cli::failure::asked;

/// A larger text file is a mistake.
const MOST_BYTES: u64 = 64 << 20;

/// An input, and where it stands.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) content: formers::Result<Content>,
    /// About how much memory it takes.
    pub(crate) bytes: usize,
}

/// Where an input stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// A file, or standard input.
    pub(crate) file: Option<Arc<str>>,
    /// Counted from 1.
    pub(crate) line: Option<u64>,
}

/// What is to be answered.
#[derive(Debug)]
pub(crate) enum Content {
    /// An input like the others.
    Input(Value),
    /// A request with parameters of its own.
    Request(Request),
}

impl Item {
    /// An input that stands nowhere but in its list, unless it is itself the name of a file.
    pub(crate) fn of(task: &Task, input: Value) -> Self {
        let text = input.as_str();
        let file = text.filter(|text| folder::is_file(task, text)).map(Arc::from);
        let bytes = text.map_or(0, str::len);
        Self { place: Place { file, line: None }, content: Ok(Content::Input(input)), bytes }
    }

    /// What is a part of an input.
    pub(super) fn text(self, place: u64) -> Result<Value> {
        match self.content {
            Ok(Content::Input(text)) => Ok(text),
            Ok(Content::Request(_)) => Err(asked("a request within an input")),
            Err(error) => Err(Error::new(error.kind(), self.place.tell(place, error.message())).into()),
        }
    }
}

impl Place {
    /// What programs are told: the number of the input, counted from 0, and where it stands.
    pub(crate) fn fields(&self, index: u64) -> Map<String, Value> {
        let file = self.file.as_deref().map(|file| ("file", file.into()));
        let line = self.line.map(|line| ("line", line.into()));
        [Some(("input", index.into())), file, line].into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// A message with the place, for people.
    pub(crate) fn tell(&self, index: u64, message: &str) -> String {
        // Errors of a pipeline name the field, or the file, themselves.
        let alone = message.strip_prefix("inputs: ").unwrap_or(message);
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}: {alone} (line {line})"),
            (Some(file), None) if alone.contains(&**file) => alone.to_owned(),
            (Some(file), None) => format!("{file}: {alone}"),
            _ => match message.strip_prefix("inputs").filter(|rest| rest.starts_with(['.', '['])) {
                Some(rest) => format!("inputs[{index}]{rest}"),
                None => format!("inputs[{index}]: {alone}"),
            },
        }
    }
}

enum Part {
    Text(String),
    StandardInput,
    Files(Vec<PathBuf>),
}

/// The inputs that arguments name.
pub(crate) struct Source {
    task: &'static Task,
    fields: Fields,
    /// Whether lines are JSON.
    json_lines: bool,
    parts: std::vec::IntoIter<Part>,
    files: std::vec::IntoIter<PathBuf>,
    lines: Option<Open>,
}

/// Lines that are being read.
struct Open {
    file: Arc<str>,
    json: bool,
    lines: Lines<Box<dyn Read + Send>>,
}

impl Source {
    pub(super) fn new(task: &'static Task, fields: Fields, inputs: &[String], json_lines: bool) -> Result<Self> {
        let mut parts = Vec::new();
        for input in inputs {
            parts.push(match input.as_str() {
                "-" if parts.iter().any(|part| matches!(part, Part::StandardInput)) => {
                    bail!(asked("INPUT: - stands for standard input, which can be read only once"))
                }
                "-" => Part::StandardInput,
                folder if folder::is_folder(task, folder) => Part::Files(folder::files(task, folder)?),
                text => Part::Text(text.to_owned()),
            });
        }
        if let Some((path, advice)) = inputs.iter().find_map(|input| Some((input, folder::mistaken(task, input)?))) {
            tracing::warn!("{path:?} is answered as a text, not what lies there; {advice}");
        }
        Ok(Self { task, fields, json_lines, parts: parts.into_iter(), files: Vec::new().into_iter(), lines: None })
    }

    /// Whether there may be inputs beside the arguments themselves.
    pub(super) fn is_listed(&self) -> bool {
        self.parts.as_slice().iter().any(|part| !matches!(part, Part::Text(_)))
    }

    /// Whether lines are read that hold texts.
    pub(super) fn reads_lines_of_text(&self) -> bool {
        !self.json_lines && self.parts.as_slice().iter().any(|part| matches!(part, Part::StandardInput))
    }

    /// How many inputs there are, where that is known before they are read.
    pub(crate) fn known_count(&self) -> Option<u64> {
        let count = |part: &Part| match part {
            Part::Text(_) => Some(1),
            Part::StandardInput => None,
            Part::Files(files) => files.iter().all(|file| !has_ending(file, &["jsonl"])).then_some(files.len() as u64),
        };
        self.parts.as_slice().iter().map(count).sum()
    }

    /// The same, with texts that together fill the fields of one input.
    pub(super) fn raw(self) -> Self {
        Self { fields: self.fields.raw(), ..self }
    }

    fn line(&self, file: Arc<str>, json: bool, line: Line) -> Option<Item> {
        let wrong = |message: String| Error::new(ErrorKind::Request, message);
        let bytes = line.text.as_ref().map_or(0, String::len);
        let content = match line.text {
            Err(message) => Err(wrong(message)),
            Ok(text) if json && text.trim().is_empty() => return None,
            Ok(text) if json => self.json(&text),
            Ok(text) => self.fields.input(text.into()).map(Content::Input),
        };
        Some(Item { place: Place { file: Some(file), line: Some(line.number) }, content, bytes })
    }

    /// An input as JSON, or a request.
    fn json(&self, text: &str) -> formers::Result<Content> {
        let is_one_line = !text.trim_end().contains('\n');
        match serde_json::from_str(text) {
            Err(error) => {
                let error = if is_one_line { without_line(&error) } else { error.to_string() };
                // Whoever has lines of plain text sees this for each of them.
                let is_plain = self.json_lines && !text.trim_start().starts_with(['{', '[', '"']);
                let hint = if is_plain { "; a text stands in quotes, or leave out --jsonl-input" } else { "" };
                Err(Error::new(ErrorKind::Request, format!("not valid JSON: {error}{hint}")))
            }
            Ok(Value::Object(fields)) if fields.contains_key("inputs") => Request::from_slice(text.as_bytes()).map(Content::Request),
            Ok(value) => self.fields.input(value).map(Content::Input),
        }
    }

    /// A file that holds one input, or is one.
    fn file(&self, path: &Path) -> Item {
        let name: Arc<str> = path.to_string_lossy().into();
        let (mut bytes, wrong) = (name.len(), |message: String| Error::new(ErrorKind::Request, message));
        let content = if self.task.medium == Medium::Text {
            let text = text_of(path).map_err(wrong);
            bytes += text.as_ref().map_or(0, String::len);
            text.and_then(|text| match has_ending(path, &["json"]) {
                true => self.json(&text),
                false => self.fields.input(without_last_end(text).into()).map(Content::Input),
            })
        } else {
            let path = path.to_str().ok_or_else(|| wrong("its name is not UTF-8".to_owned()));
            path.and_then(|path| self.fields.input(path.into())).map(Content::Input)
        };
        Item { place: Place { file: Some(name), line: None }, content, bytes }
    }
}

impl Iterator for Source {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(open) = &mut self.lines {
                let (name, json) = (open.file.clone(), open.json);
                match open.lines.next() {
                    Some(Ok(line)) => match self.line(name, json, line) {
                        Some(item) => return Some(item),
                        None => continue,
                    },
                    Some(Err(error)) => {
                        let content = Err(Error::new(ErrorKind::Io, error));
                        return Some(Item { place: Place { file: Some(name), line: None }, content, bytes: 0 });
                    }
                    None => self.lines = None,
                }
            }
            if let Some(path) = self.files.next() {
                let name: Arc<str> = path.to_string_lossy().into();
                if self.task.medium != Medium::Text || !has_ending(&path, &["jsonl"]) {
                    return Some(self.file(&path));
                }
                match File::open(&path) {
                    Ok(file) => self.lines = Some(Open { file: name, json: true, lines: Lines::new(Box::new(file)) }),
                    Err(error) => {
                        let content = Err(Error::new(ErrorKind::Io, error));
                        return Some(Item { place: Place { file: Some(name), line: None }, content, bytes: 0 });
                    }
                }
                continue;
            }
            match self.parts.next()? {
                Part::Text(text) => {
                    let item = Item::of(self.task, text.into());
                    let content = item.content.and_then(|content| match content {
                        Content::Input(text) => self.fields.input(text).map(Content::Input),
                        request @ Content::Request(_) => Ok(request),
                    });
                    return Some(Item { content, ..item });
                }
                Part::Files(files) => self.files = files.into_iter(),
                Part::StandardInput => {
                    let stdin = io::stdin();
                    if stdin.is_terminal() {
                        tracing::warn!("reading inputs of {} from the terminal, a line each, until Ctrl-D", self.task.id);
                    }
                    let lines = Lines::new(Box::new(stdin) as Box<dyn Read + Send>);
                    self.lines = Some(Open { file: "standard input".into(), json: self.json_lines, lines });
                }
            }
        }
    }
}

/// What serde_json says, without the line, which is always its first.
fn without_line(error: &serde_json::Error) -> String {
    error.to_string().replace("at line 1 column", "at column")
}

fn text_of(path: &Path) -> std::result::Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(format!("more than {} MiB", MOST_BYTES >> 20));
    }
    String::from_utf8(unicode::to_utf8(&bytes)).map_err(|e| format!("byte {} is not UTF-8", e.utf8_error().valid_up_to()))
}
