//! Texts that nobody would write, to every kind of tokenizer and model: answered or refused, in time.

use std::time::{Duration, Instant};

use formers::{ErrorKind, pipelines::AnyPipeline};
use serde_json::json;

use super::{golden, load, report, watched};

const MEGABYTE: usize = 1 << 20;
/// A machine that is busy with other things takes its time, but nothing here takes more than a second by itself.
const SLOW: Duration = Duration::from_secs(20);

#[test]
fn a_megabyte_is_answered_or_refused() {
    let texts = [
        ("words", "The film was wonderful. ".repeat(MEGABYTE / 24)),
        ("one word", "a".repeat(MEGABYTE)),
        ("accents on one letter", format!("e{}", "\u{301}".repeat(MEGABYTE / 2))),
        ("special tokens", "[MASK]<mask></s>".repeat(MEGABYTE / 16)),
    ];
    let mut failures = Vec::new();
    for checkpoint in ["albert/plain", "bert/plain", "eurobert/plain"] {
        let pipeline: &'static dyn AnyPipeline = Box::leak(load("feature-extraction", &golden(checkpoint)).unwrap());
        // Whole, it is refused by its length; cut, it is answered.
        let whole = std::iter::once((&texts[0], json!({})));
        for ((what, text), parameters) in whole.chain(texts.iter().map(|text| (text, json!({"pooling": "mean"})))) {
            let (place, text) = (format!("{checkpoint}: {what} {parameters}"), json!(text));
            let start = Instant::now();
            match watched(move || pipeline.call(&text, &parameters)) {
                Err(problem) => failures.push(format!("{place}: {problem}")),
                Ok(Err(error)) if error.kind() != ErrorKind::Request => failures.push(format!("{place}: {error}")),
                Ok(_) if start.elapsed() > SLOW => failures.push(format!("{place}: {:?}", start.elapsed())),
                Ok(_) => {}
            }
        }
    }
    report(failures);
}

#[test]
fn texts_without_content_are_answered_or_refused() {
    let mut failures = Vec::new();
    for (task, checkpoint) in super::TASKS {
        let pipeline: &'static dyn AnyPipeline = Box::leak(load(task, &golden(checkpoint)).unwrap());
        for text in ["", " ", "\u{0}", "\u{200b}", "\u{feff}", "\u{d7ff}\u{e000}", "\u{10ffff}", "[PAD]", "[SEP][CLS]"] {
            let inputs = match *task {
                "question-answering" => json!({"question": text, "context": text}),
                "sentence-similarity" => json!({"source_sentence": text, "sentences": [text]}),
                "text-ranking" => json!({"query": text, "texts": [text]}),
                _ => json!(text),
            };
            let parameters = if *task == "zero-shot-classification" { json!({"candidate_labels": [text]}) } else { json!({}) };
            let place = format!("{task} {inputs} {parameters}");
            let said = match watched(move || pipeline.call(&inputs, &parameters)) {
                Ok(Err(error)) if error.kind() != ErrorKind::Request => format!("{:?} {error}", error.kind()),
                Err(problem) => problem,
                Ok(_) => continue,
            };
            failures.push(format!("{place}: {said}"));
        }
    }
    report(failures);
}
