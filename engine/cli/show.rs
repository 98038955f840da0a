//! Answers for people, by their shape: tables of objects, bars for scores, the first numbers of vectors.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::table::{aligned, length};

/// The widest a cell may be.
const WIDEST: usize = 72;
/// The width of the bar of a score of 1.
const BAR: usize = 24;
/// Numbers shown of a vector.
const NUMBERS: usize = 6;

/// The answer as lines of text; `inputs` are headings where there are as many answers.
pub(super) fn answer(inputs: &[String], answer: &Value) -> String {
    let mut out = String::new();
    match answer {
        Value::Array(scores) if !scores.is_empty() && scores.len() == inputs.len() && scores.iter().all(Value::is_number) => {
            let rows: Vec<Map<String, Value>> = scores.iter().zip(inputs).map(|(score, input)| row(score, input)).collect();
            out.push_str(&table(&rows.iter().collect::<Vec<_>>()));
        }
        Value::Array(answers) if answers.len() == inputs.len() && inputs.len() > 1 => {
            for (input, answer) in inputs.iter().zip(answers) {
                let text = shown(answer);
                let text = text.trim_end();
                if text.contains('\n') {
                    let _ = writeln!(out, "{input}\n{text}\n");
                } else {
                    let _ = writeln!(out, "{input}\n    {text}");
                }
            }
        }
        answer => out.push_str(&shown(answer)),
    }
    out
}

fn row(score: &Value, input: &str) -> Map<String, Value> {
    [("score".to_owned(), score.clone()), ("input".to_owned(), input.into())].into_iter().collect()
}

fn shown(answer: &Value) -> String {
    match answer {
        Value::Array(list) if list.is_empty() => "(nothing)\n".to_owned(),
        Value::Array(list) => {
            let objects: Vec<&Map<String, Value>> = list.iter().filter_map(Value::as_object).collect();
            if objects.len() == list.len() {
                table(&objects)
            } else if is_tensor(answer) {
                format!("{}\n", tensor(answer))
            } else {
                list.iter().map(shown).collect::<Vec<_>>().join("\n")
            }
        }
        Value::Object(fields) if fields.len() == 1 && answer.pointer("/error/message").is_some() => {
            format!("error: {}\n", answer.pointer("/error/message").map(cell).unwrap_or_default())
        }
        Value::Object(fields) if fields.contains_key("score") => table(&[fields]),
        Value::Object(fields) => aligned(&fields.iter().map(|(name, value)| vec![name.clone(), cell(value)]).collect::<Vec<_>>()),
        other => format!("{}\n", cell(other)),
    }
}

/// Objects as rows; scores come first, with a bar.
fn table(rows: &[&Map<String, Value>]) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    columns.sort_by_key(|name| *name != "score");
    let text = |row: &Map<String, Value>, name: &str| match row.get(name) {
        Some(Value::Number(score)) if name == "score" => scored(score.as_f64().unwrap_or(f64::NAN)),
        Some(value) => cell(value),
        None => String::new(),
    };
    let mut lines = vec![columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|name| text(row, name)).collect()));
    aligned(&lines)
}

/// A score with its bar; what is no probability has none.
fn scored(score: f64) -> String {
    if !(0.0..=1.0).contains(&score) {
        return format!("{score:.4}");
    }
    let full = (score * BAR as f64).round() as usize;
    format!("{score:.4} {}{}", "█".repeat(full), "░".repeat(BAR - full))
}

/// A value in one line.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        Value::Number(number) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap_or(f64::NAN)),
        list @ Value::Array(_) if is_tensor(list) => tensor(list),
        other => other.to_string(),
    };
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if length(&text) <= WIDEST { text } else { text.chars().take(WIDEST - 1).chain(['…']).collect() }
}

/// Whether a list holds nothing but numbers, however deep.
fn is_tensor(value: &Value) -> bool {
    match value {
        Value::Array(list) => !list.is_empty() && list.iter().all(is_tensor),
        other => other.is_number(),
    }
}

/// The shape, and the first numbers.
fn tensor(value: &Value) -> String {
    let (mut shape, mut numbers) = (Vec::new(), value);
    while let Value::Array(list) = numbers {
        shape.push(list.len().to_string());
        match list.first() {
            Some(inner @ Value::Array(_)) => numbers = inner,
            _ => break,
        }
    }
    let numbers = numbers.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut first: Vec<String> = numbers.iter().take(NUMBERS).map(|n| format!("{:.4}", n.as_f64().unwrap_or(f64::NAN))).collect();
    if numbers.len() > NUMBERS || shape.len() > 1 {
        first.push("…".to_owned());
    }
    format!("({}) {}", shape.join(", "), first.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn answers_by_their_shape() {
        let cases = [
            (
                json!([{"label": "GOOD", "score": 0.75}, {"label": "B", "score": 0.25}]),
                "score                            label\n0.7500 ██████████████████░░░░░░  GOOD\n0.2500 ██████░░░░░░░░░░░░░░░░░░  B\n",
            ),
            (json!({"score": -2.5, "answer": "a\nb"}), "score    answer\n-2.5000  a b\n"),
            (json!({"text": "hello", "chunks": [{"a": 1}]}), "text    hello\nchunks  [{\"a\":1}]\n"),
            (json!([[0.5, 1.0], [2.0, 3.0]]), "(2, 2) 0.5000 1.0000 …\n"),
            (json!([]), "(nothing)\n"),
        ];
        for (given, expected) in cases {
            assert_eq!(answer(&[], &given), expected);
        }
    }

    #[test]
    fn several_answers_have_their_inputs_as_headings() {
        let inputs = ["a".to_owned(), "b".to_owned()];
        assert_eq!(answer(&inputs, &json!(["x", [1, 2]])), "a\n    x\nb\n    (2) 1.0000 2.0000\n");
        let failed = json!(["x", {"error": {"kind": "request", "message": "no", "input": 1}}]);
        assert_eq!(answer(&inputs, &failed), "a\n    x\nb\n    error: no\n");
        assert_eq!(answer(&inputs, &json!([-0.25, 1.5])), "score    input\n-0.2500  a\n1.5000   b\n");
    }
}
