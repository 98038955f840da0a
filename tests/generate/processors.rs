//! Logits processors against the numbers of the reference.

use std::sync::Arc;

use formers::Result;
use formers::generate::processors::{Context, PrefixAllowedTokens, Processors, Row};
use serde_json::Value;

use super::{fields, goldens, number, paddings, resolve, tokens};

#[test]
fn processors_give_the_numbers_of_the_reference() {
    let goldens = goldens("processors");
    let cases = goldens["cases"].as_array().unwrap();
    let mut wrong = Vec::new();
    for case in cases {
        let name = format!("{} {}", case["parameters"], case["on"].as_str().unwrap());
        let outcome = processed(&goldens["logits"][case["on"].as_str().unwrap()], case);
        match (outcome, case.get("error")) {
            (Err(_), Some(_)) => {}
            (Err(e), None) => wrong.push(format!("{name}: {e}")),
            (Ok(_), Some(error)) => wrong.push(format!("{name}: the reference raises {error}")),
            (Ok(differences), None) => wrong.extend(differences.into_iter().map(|d| format!("{name}: {d}"))),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 300);
}

fn processed(inputs: &Value, case: &Value) -> Result<Vec<String>> {
    let mut parameters = fields(&case["parameters"]);
    let prefix = parameters.shift_remove("prefix");
    let prefix_allowed_tokens = prefix.map(|prefix| -> PrefixAllowedTokens {
        let prefix = tokens(&prefix);
        Arc::new(move |input, _| prefix[input].clone())
    });
    let config = resolve(&Value::Null, &parameters)?;
    let input: Vec<f32> = inputs.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()).map(number).collect();
    let histories = tokens(&case["history"]);
    let prompt_length = case["prompt"].as_u64().unwrap() as usize;
    let lengths = config.lengths(prompt_length, None)?;
    let encoder = case.get("encoder").map(tokens).unwrap_or_default();
    let context = Context {
        prompt_length,
        max_length: lengths.max_length,
        min_length: lengths.min_length,
        vocab_size: input.len() / histories.len(),
        encoder_input_ids: &encoder,
        prefix_allowed_tokens,
        custom: Vec::new(),
    };
    let mut processors = Processors::new(&config, context)?;
    let padding = paddings(case, histories.len());
    let added = case["steps"].get(0).map(tokens).unwrap_or(vec![Vec::new(); histories.len()]);
    // SynthID takes differences of float32 sums, of which the last digits are noise.
    let tolerance = if case["parameters"]["watermarking_config"].get("keys").is_some() { 1e-4 } else { 1e-5 };
    let mut differences = Vec::new();
    for (step, expected) in case["expected"].as_array().into_iter().flatten().enumerate() {
        let histories: Vec<Vec<u32>> =
            histories.iter().zip(&added).map(|(h, a)| [h.as_slice(), &a[..step.min(a.len())]].concat()).collect();
        let rows: Vec<Row<'_>> = histories
            .iter()
            .enumerate()
            .map(|(index, history)| Row { index, history, padding: padding[index], unconditional: None })
            .collect();
        let mut logits = input.clone();
        processors.process(&rows, &mut logits)?;
        let mut expected: Vec<f32> = expected
            .as_array()
            .unwrap()
            .iter()
            .zip(input.chunks(input.len() / rows.len()))
            .flat_map(|(row, input)| unpacked(row, input))
            .collect();
        if ["ties", "same"].contains(&case["on"].as_str().unwrap()) {
            // Which of several tokens that tie at the edge go depends on how torch sorts on a machine.
            for values in [&mut logits, &mut expected] {
                values.chunks_mut(input.len() / rows.len()).for_each(|row| row.sort_by(f32::total_cmp));
            }
        }
        for (place, (got, expected)) in logits.iter().zip(expected).enumerate() {
            let near = (got - expected).abs() <= tolerance * expected.abs().max(1.0);
            if !(near || *got == expected || (got.is_nan() && expected.is_nan())) {
                differences.push(format!("step {step}, place {place}: {got}, not {expected}"));
            }
        }
    }
    if case.get("error").is_some() {
        // The processors of the reference fail when they are made or when they run.
        let rows: Vec<Row<'_>> = histories.iter().enumerate().map(|(index, history)| Row { index, history, ..Row::default() }).collect();
        processors.process(&rows, &mut input.clone())?;
    }
    Ok(differences)
}

/// A row of numbers: as before, minus infinity, or given.
fn unpacked(row: &Value, input: &[f32]) -> Vec<f32> {
    let mut parts = row.as_array().unwrap().iter();
    let marks = parts.next().unwrap().as_str().unwrap();
    let number = |(mark, input): (char, &f32)| match mark {
        '.' => *input,
        '-' => f32::NEG_INFINITY,
        _ => number(parts.next().unwrap()),
    };
    marks.chars().zip(input).map(number).collect()
}
