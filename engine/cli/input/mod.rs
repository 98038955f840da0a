//! What a task is called with, from a request file or from arguments.

mod fields;
mod folder;
mod lines;
mod parameters;
mod source;
mod unicode;

use std::{
    fs::File,
    io::{self, Read},
};

use anyhow::{Context, Result, bail};
use formers::pipelines::{Request, Task};
use serde_json::Value;

use super::failure::asked;
use fields::Fields;
pub(super) use parameters::json_or_text;
pub(super) use source::{Content, Item, Place, Source};
pub(super) use unicode::to_utf8;

/// Requests larger than this are a mistake, such as a device that never ends.
const MOST_BYTES: u64 = 1 << 30;

/// The inputs of a call, and its parameters.
pub(super) enum Inputs {
    /// The first argument of a pipeline.
    Argument(Value),
    /// Several that come from somewhere else than the arguments.
    Each(Vec<Item>),
    /// Inputs that are read while the first are answered.
    Stream(Box<Source>),
}

/// How arguments are to be read.
pub(super) struct Reading {
    /// Whether inputs are read one by one.
    pub(super) stream: bool,
    /// Whether lines are JSON.
    pub(super) json_lines: bool,
}

/// The request in a file, or on standard input for `-`.
pub(super) fn request(file: &str) -> Result<Request> {
    let bytes = unicode::to_utf8(&bytes_of(file)?);
    Request::from_slice(&bytes).with_context(|| if file == "-" { "standard input" } else { file }.to_owned())
}

/// As [`request`], with parameters that go before those of the file.
pub(super) fn request_with(task: &Task, file: &str, params: &[String]) -> Result<Request> {
    let mut request = request(file)?;
    let more = parameters::parameters(task, params)?;
    if !more.is_empty() {
        let mut all = request.parameters.as_object().cloned().unwrap_or_default();
        all.extend(more);
        request.parameters = Value::Object(all);
    }
    Ok(request)
}

/// What arguments stand for: inputs and parameters. One INPUT is a single input, several are a list; `-` is every line of standard input,
/// and a folder its files. Where a task's input is an object, its fields are filled in their order, those that `--param` names left out.
pub(super) fn arguments(task: &'static Task, inputs: &[String], params: &[String], reading: &Reading) -> Result<(Inputs, Value)> {
    let mut parameters = parameters::parameters(task, params)?;
    let fields = Fields::of(task, &mut parameters);
    let default = ["-".to_owned()];
    let inputs = if inputs.is_empty() && reading.json_lines { &default } else { inputs };
    let source = Source::new(task, fields.clone(), inputs, reading.json_lines)?;
    let one_by_one = fields.takes_one_text() || !source.reads_lines_of_text();
    let inputs = match source.is_listed() {
        false if inputs.is_empty() && fields.is_plain() => {
            bail!(asked(format!("no INPUT: {} takes {}; - reads standard input, a line each", task.id, task.inputs)))
        }
        false => Inputs::Argument(argument(&fields, inputs)?),
        true if one_by_one && reading.stream => Inputs::Stream(Box::new(source)),
        true if reading.stream => bail!(asked(format!(
            "a line is no input of {}, which takes {}; give what they share by --param, or lines of JSON with --jsonl-input",
            task.id, task.inputs
        ))),
        true if one_by_one => Inputs::Each(all(source)?),
        true => {
            let texts = all(source.raw())?.into_iter().enumerate().map(|(place, item)| item.text(place as u64));
            Inputs::Argument(fields.inputs(texts.collect::<Result<_>>()?)?)
        }
    };
    let inputs = match inputs {
        // Several arguments are inputs one after the other, but where they are the fields of one.
        Inputs::Argument(Value::Array(list)) if reading.stream => {
            Inputs::Each(list.into_iter().map(|input| Item::of(task, input)).collect())
        }
        inputs => inputs,
    };
    Ok((inputs, Value::Object(parameters)))
}

/// Every input, as many as there is room for.
fn all(source: Source) -> Result<Vec<Item>> {
    /// What an input takes beside its text.
    const ITEM: usize = 256;
    let (mut items, mut bytes) = (Vec::new(), 0);
    for item in source {
        bytes += item.bytes + ITEM;
        if bytes as u64 > MOST_BYTES {
            bail!(asked(format!("more than {} MiB of inputs; --jsonl answers them as they come", MOST_BYTES >> 20)));
        }
        items.push(item);
    }
    Ok(items)
}

fn argument(fields: &Fields, texts: &[String]) -> Result<Value> {
    let mut texts: Vec<Value> = texts.iter().map(|text| text.as_str().into()).collect();
    if !fields.is_plain() {
        return Ok(fields.inputs(texts)?);
    }
    Ok(if texts.len() == 1 { texts.swap_remove(0) } else { Value::Array(texts) })
}

/// The text that a file holds, or standard input for `-`, without the end of its last line.
pub(super) fn text(file: &str) -> Result<String> {
    let bytes = unicode::to_utf8(&bytes_of(file)?);
    let name = if file == "-" { "standard input" } else { file };
    let text = String::from_utf8(bytes);
    let text = text.map_err(|error| asked(format!("{name}: byte {} is not UTF-8", error.utf8_error().valid_up_to())))?;
    Ok(parameters::without_last_end(text))
}

/// What a file holds, or standard input for `-`.
fn bytes_of(file: &str) -> Result<Vec<u8>> {
    if file == "-" {
        return read(io::stdin().lock()).context("standard input");
    }
    let file_open = File::open(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if file.trim_start().starts_with(['{', '[']) => {
            asked(format!("{file}: there is no such file; JSON itself comes from standard input, for -"))
        }
        io::ErrorKind::NotFound => asked(format!("{file}: {error}")),
        _ => anyhow::Error::new(error).context(file.to_owned()),
    });
    read(file_open?).with_context(|| file.to_owned())
}

fn read(from: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!(asked(format!("more than {} MiB", MOST_BYTES >> 20)));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use formers::pipelines::find;
    use serde_json::json;

    fn request(task: &str, inputs: &[&str], params: &[&str]) -> Result<Request> {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        match arguments(find(task)?, &owned(inputs), &owned(params), &Reading { stream: false, json_lines: false })? {
            (Inputs::Argument(inputs), parameters) => Ok(Request { inputs, parameters }),
            _ => bail!("no single argument"),
        }
    }

    #[test]
    fn inputs_fill_the_fields_of_the_task() {
        let cases: &[(&str, &[&str], &[&str], Value)] = &[
            ("fill-mask", &["a"], &[], json!("a")),
            ("fill-mask", &["a", "b"], &[], json!(["a", "b"])),
            ("text-classification", &["a"], &[], json!("a")),
            ("text-classification", &["a"], &["text_pair=b"], json!({"text": "a", "text_pair": "b"})),
            ("question-answering", &["q", "c"], &[], json!({"question": "q", "context": "c"})),
            ("question-answering", &["q"], &["context=c"], json!({"question": "q", "context": "c"})),
            (
                "question-answering",
                &["q", "r"],
                &["context=c"],
                json!([{"question": "q", "context": "c"}, {"question": "r", "context": "c"}]),
            ),
            ("sentence-similarity", &["s", "a", "b"], &[], json!({"source_sentence": "s", "sentences": ["a", "b"]})),
            ("sentence-similarity", &["s"], &["sentences=[\"a\"]"], json!({"source_sentence": "s", "sentences": ["a"]})),
        ];
        for (task, inputs, params, expected) in cases {
            assert_eq!(request(task, inputs, params).unwrap().inputs, *expected, "{task} {inputs:?} {params:?}");
        }
    }

    #[test]
    fn parameters_are_json_or_strings() {
        let request = request("zero-shot-classification", &["a"], &["candidate_labels=b, c", "multi_label=true"]).unwrap();
        assert_eq!(request.parameters, json!({"candidate_labels": "b, c", "multi_label": true}));
    }

    #[test]
    fn what_is_missing_is_named() {
        let cases: &[(&str, &[&str], &[&str], &str)] = &[
            ("fill-mask", &[], &[], "no INPUT: fill-mask takes a string"),
            ("question-answering", &["q"], &[], "no context: question-answering takes"),
            ("question-answering", &["q", "c", "d"], &[], "3 INPUTs are too many"),
            ("sentence-similarity", &["s"], &[], "no sentences: "),
            ("fill-mask", &["a"], &["top_k"], "--param top_k: expected key=value"),
            ("fill-mask", &["a"], &["top_k=1", "top_k=2"], "--param top_k: given twice"),
        ];
        for (task, inputs, params, expected) in cases {
            let error = request(task, inputs, params).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
