//! What a task is called with, from a request file or from arguments.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
};

use anyhow::{Context, Result, bail};
use formers::pipelines::{Request, Task};
use serde_json::{Map, Value};

/// Requests larger than this are a mistake, such as a device that never ends.
const MOST_BYTES: u64 = 1 << 30;

/// The request in a file, or on standard input for `-`.
pub(super) fn request(file: &str) -> Result<Request> {
    let (bytes, name) = if file == "-" {
        (read(io::stdin().lock()).context("standard input")?, "standard input")
    } else {
        (File::open(file).map_err(Into::into).and_then(read).with_context(|| file.to_owned())?, file)
    };
    Request::from_slice(&bytes).with_context(|| name.to_owned())
}

/// The request that arguments stand for. One INPUT is a single input, several are a list, and `-` is every line of standard input.
/// Where a task's input is an object, its fields are filled in their order, those that `--param` names left out.
pub(super) fn arguments(task: &Task, inputs: &[String], params: &[String]) -> Result<Request> {
    let mut parameters = parameters(task, params)?;
    let named: Map<String, Value> = task.fields.iter().filter_map(|field| parameters.shift_remove_entry(name(field))).collect();
    let (texts, listed) = texts(task, inputs)?;
    let plain = named.is_empty() && task.fields.iter().skip(1).all(|field| field.ends_with('?'));
    let inputs = if plain { one_or_many(texts, listed, task)? } else { objects(texts, named, task)? };
    Ok(Request { inputs, parameters: Value::Object(parameters) })
}

fn parameters(task: &Task, params: &[String]) -> Result<Map<String, Value>> {
    let mut parameters = Map::new();
    for param in params {
        let Some((key, value)) = param.split_once('=') else {
            bail!("--param {param}: expected key=value; {} has {}", task.id, task.parameters.join(", "));
        };
        // What is no JSON is a string, so that quotes can be left out.
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        if parameters.insert(key.to_owned(), value).is_some() {
            bail!("--param {key}: given twice");
        }
    }
    Ok(parameters)
}

/// The inputs as they are, and whether standard input is among them: that is a list, however few lines it has.
fn texts(task: &Task, inputs: &[String]) -> Result<(Vec<Value>, bool)> {
    let mut texts = Vec::new();
    let mut listed = false;
    for input in inputs {
        if input != "-" {
            texts.push(Value::from(input.as_str()));
        } else if std::mem::replace(&mut listed, true) {
            bail!("INPUT: - stands for standard input, which can be read only once");
        } else {
            texts.extend(stdin_lines(task)?);
        }
    }
    Ok((texts, listed))
}

fn one_or_many(mut texts: Vec<Value>, listed: bool, task: &Task) -> Result<Value> {
    match texts.len() {
        0 if !listed => bail!("no INPUT: {} takes {}; - reads standard input, a line each", task.id, task.inputs),
        1 if !listed => Ok(texts.swap_remove(0)),
        _ => Ok(Value::Array(texts)),
    }
}

/// An object with the named fields, the other ones filled with the texts; several objects where only one field is left open.
fn objects(texts: Vec<Value>, named: Map<String, Value>, task: &Task) -> Result<Value> {
    let open: Vec<&str> = task.fields.iter().filter(|f| !f.ends_with('?') && !named.contains_key(name(f))).copied().collect();
    let object = |filled: Vec<(&str, Value)>| {
        let mut all: Map<String, Value> = named.clone();
        all.extend(filled.into_iter().map(|(field, value)| (name(field).to_owned(), value)));
        Value::Object(all)
    };
    if let [field] = open.as_slice()
        && !field.ends_with("[]")
        && texts.len() > 1
    {
        return Ok(texts.into_iter().map(|text| object(vec![(field, text)])).collect());
    }
    let (given, mut filled) = (texts.len(), Vec::new());
    let mut texts = texts.into_iter();
    for field in &open {
        let value =
            if field.ends_with("[]") { Some(texts.by_ref().collect()).filter(|v| *v != Value::Array(vec![])) } else { texts.next() };
        let Some(value) = value else {
            bail!("no {0}: {1} takes {2}; give it as an INPUT or by --param {0}=…", name(field), task.id, task.inputs);
        };
        filled.push((*field, value));
    }
    if texts.next().is_some() {
        bail!("{given} INPUTs are too many: {} takes {}", task.id, task.inputs);
    }
    Ok(object(filled))
}

/// A field without the marks of [`Task::fields`].
fn name(field: &str) -> &str {
    field.trim_end_matches("[]").trim_end_matches('?')
}

fn stdin_lines(task: &Task) -> Result<Vec<Value>> {
    let stdin = io::stdin().lock();
    if stdin.is_terminal() {
        tracing::warn!("reading inputs of {} from the terminal, a line each, until Ctrl-D", task.id);
    }
    let text = String::from_utf8(read(stdin).context("standard input")?)
        .map_err(|error| anyhow::anyhow!("standard input: byte {} is not UTF-8", error.utf8_error().valid_up_to()))?;
    Ok(text.lines().map(Value::from).collect())
}

fn read(from: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        bail!("more than {} MiB", MOST_BYTES >> 20);
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
        arguments(find(task)?, &owned(inputs), &owned(params))
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
