//! Logits processors, greedy search and beam search against the reference's answers (scripts/goldens/logits.py), with a model whose
//! logits are a function of the history.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::borrow::Cow;
use std::sync::Arc;

use formers::config::{EarlyStopping, GenerationConfig, GenerationDefaults};
use formers::generate::beams::{BeamConfig, BeamSearch, Choice, Hypothesis};
use formers::generate::processors::{Context, PrefixAllowedTokens, Processors, Row};
use formers::generate::sampling::{Sampler, argmax};
use formers::generate::stopping::{StopReason, StopStrings, Stopping};
use formers::generate::{Decoder, Generated, LanguageModel, Settings, Steps, generate, log_softmax};
use formers::model::{Head, Pretrained};
use formers::preprocess::text::{Files, Folder, Tokenizer};
use formers::{ErrorKind, Options, Result};
use serde_json::{Map, Value, json};

fn goldens(name: &str) -> Value {
    let path = format!("{}/tests/goldens/generate/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn number(value: &Value) -> f32 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        number => number.as_f64().unwrap() as f32,
    }
}

fn tokens(value: &Value) -> Vec<Vec<u32>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn fields(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn resolve(defaults: &Value, call: &Map<String, Value>) -> Result<GenerationConfig> {
    let file = if defaults.is_null() { json!({}) } else { defaults.clone() };
    GenerationConfig::resolve(&GenerationDefaults::new(Some(&file), &json!({}))?, &Map::new(), call)
}

fn paddings(case: &Value, rows: usize) -> Vec<usize> {
    case.get("padding").map_or(vec![0; rows], |p| serde_json::from_value(p.clone()).unwrap())
}

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

fn mixed(x: u64) -> u64 {
    let x = ((x ^ (x >> 15)) * 2_246_822_519) & 0xffff_ffff;
    let x = ((x ^ (x >> 13)) * 3_266_489_917) & 0xffff_ffff;
    x ^ (x >> 16)
}

/// A model of which the logits depend on the last tokens.
struct Fake {
    vocabulary: usize,
    window: usize,
}

impl Fake {
    fn logits(&self, history: &[u32]) -> Vec<f32> {
        let last = &history[history.len().saturating_sub(self.window)..];
        let state = last.iter().fold(12345, |state, token| mixed((state * 1_664_525 + u64::from(*token) + 1) & 0xffff_ffff));
        let logit = |token| mixed((state ^ (token as u64 * 2_654_435_761)) & 0xffff_ffff) % 1_048_576;
        (0..self.vocabulary).map(|token| (logit(token) as f64 / 1_048_576.0 * 12.0 - 6.0) as f32).collect()
    }
}

fn noise(step: u64, place: u64) -> f64 {
    (mixed((step * 40503 + place * 2_654_435_761) & 0xffff_ffff) % 65536) as f64 / 65536.0 * 4.0
}

#[test]
fn whole_runs_choose_the_tokens_of_the_reference() {
    let runs = goldens("runs");
    let (mut wrong, mut beams, mut greedy) = (Vec::new(), 0, 0);
    for case in runs.as_array().unwrap() {
        let name = format!("{} {} {}", case["parameters"], case["prompts"], case["model"]);
        let outcome = run(case);
        match (outcome, case.get("error")) {
            (Err(_), Some(_)) => {}
            (Err(e), None) => wrong.push(format!("{name}: {e}")),
            (Ok(_), Some(error)) => wrong.push(format!("{name}: the reference raises {error}")),
            (Ok(found), None) => {
                *if found.scores.is_empty() { &mut greedy } else { &mut beams } += 1;
                let sequences = serde_json::from_value::<Vec<Vec<i64>>>(case["sequences"].clone()).unwrap();
                if found.sequences != sequences {
                    wrong.push(format!("{name}:\n  {:?}\n  {sequences:?}", found.sequences));
                }
                let scores = case["scores"].as_array().into_iter().flatten().map(number);
                if found.scores.iter().zip(scores).any(|(a, b)| (a - b).abs() > 1e-4) {
                    wrong.push(format!("{name}: {:?}, not {}", found.scores, case["scores"]));
                }
                let indices =
                    case.get("beam_indices").map(|i| serde_json::from_value::<Vec<Vec<i64>>>(i.clone()).unwrap()).unwrap_or_default();
                if found.beam_indices != indices {
                    wrong.push(format!("{name}:\n  {:?}\n  {indices:?}", found.beam_indices));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(beams >= 30 && greedy >= 15, "{beams} {greedy}");
}

#[derive(Default)]
struct Found {
    sequences: Vec<Vec<i64>>,
    scores: Vec<f32>,
    beam_indices: Vec<Vec<i64>>,
}

/// A call of `generate` on the model.
struct Call {
    model: Fake,
    config: GenerationConfig,
    prompts: Vec<Vec<u32>>,
    padding: Vec<usize>,
    /// The histories without prompts: of rows, not of beams, as the reference does not let them follow their beams.
    negative: Vec<Vec<u32>>,
    processors: Processors,
    stopping: Stopping,
    max_length: usize,
}

fn run(case: &Value) -> Result<Found> {
    let mut parameters = fields(&case["parameters"]);
    let negative = parameters.shift_remove("negative").map(|ids| tokens(&ids));
    let config = resolve(&case["defaults"], &parameters)?;
    let prompts = tokens(&case["prompts"]);
    let model = Fake {
        vocabulary: case["model"]["vocab_size"].as_u64().unwrap() as usize,
        window: case["model"]["window"].as_u64().unwrap() as usize,
    };
    let lengths = config.lengths(prompts[0].len(), None)?;
    let context = Context {
        prompt_length: prompts[0].len(),
        max_length: lengths.max_length,
        min_length: lengths.min_length,
        vocab_size: model.vocabulary,
        encoder_input_ids: &prompts,
        ..Context::default()
    };
    let processors = Processors::new(&config, context)?;
    let mut stopping = Stopping::new(&config, lengths.max_length, None)?;
    if let Some(stop) = case.get("stop") {
        let stop: Vec<u32> = serde_json::from_value(stop.clone()).unwrap();
        stopping = stopping.with_test(Box::new(move |_, history| history.len() > 5 && stop.contains(history.last().unwrap())));
    }
    let negative = negative.unwrap_or_else(|| prompts.iter().map(|prompt| prompt[prompt.len() - 1..].to_vec()).collect());
    let negative = negative.into_iter().flat_map(|ids| vec![ids; config.rows_per_input()]).collect();
    let padding = paddings(case, prompts.len());
    let call = Call { model, config, prompts, padding, negative, processors, stopping, max_length: lengths.max_length };
    if call.config.num_beams > 1 { call.beams() } else { call.greedy() }
}

impl Call {
    /// The processed logits of rows, given by their places and histories.
    fn step(&mut self, rows: &[(usize, Vec<u32>)]) -> Result<Vec<f32>> {
        let per_input = self.config.rows_per_input();
        let guided = self.processors.is_guided();
        let unconditional: Vec<Option<Vec<f32>>> = rows
            .iter()
            .map(|(row, history)| {
                let negative = &mut self.negative[*row];
                negative.extend(&history[history.len() - usize::from(history.len() > self.prompts[row / per_input].len())..]);
                guided.then(|| self.model.logits(negative))
            })
            .collect();
        let mut logits: Vec<f32> = Vec::new();
        for (_, history) in rows {
            let mut row = self.model.logits(history);
            if self.config.num_beams > 1 {
                log_softmax(&mut row);
            }
            logits.extend(row);
        }
        let rows: Vec<Row<'_>> = rows
            .iter()
            .zip(&unconditional)
            .map(|((index, history), unconditional)| Row {
                index: *index,
                history,
                padding: self.padding[index / per_input],
                unconditional: unconditional.as_deref(),
            })
            .collect();
        self.processors.process(&rows, &mut logits)?;
        Ok(logits)
    }

    fn greedy(mut self) -> Result<Found> {
        let mut open: Vec<(usize, Vec<u32>)> = self.prompts.iter().cloned().enumerate().collect();
        let mut ended = vec![Vec::new(); open.len()];
        while !open.is_empty() {
            let logits = self.step(&open)?;
            for ((_, history), row) in open.iter_mut().zip(logits.chunks_exact(self.model.vocabulary)) {
                history.push(argmax(row).unwrap() as u32);
            }
            let stopping = &mut self.stopping;
            open.retain(|(row, history)| {
                let stop = stopping.check(*row, history);
                if stop.is_some() {
                    ended[*row] = history[self.prompts[*row].len()..].iter().map(|t| i64::from(*t)).collect::<Vec<_>>();
                }
                stop.is_none()
            });
        }
        Ok(Found { sequences: padded(ended, self.config.fill_token_id().unwrap_or(-1)), ..Found::default() })
    }

    fn beams(mut self) -> Result<Found> {
        let mut search = BeamSearch::new(BeamConfig::new(&self.config, self.max_length), &self.prompts)?;
        let mut step = 0;
        let mut parents: Option<Vec<Vec<u32>>> = None;
        while !search.is_done() {
            let rows: Vec<(usize, Vec<u32>)> = search.rows().map(|(row, history)| (row, history.to_vec())).collect();
            if let Some(parents) = parents {
                let grown: Vec<&[u32]> = rows.iter().map(|(_, history)| &history[..history.len() - 1]).collect();
                assert_eq!(parents, grown, "the caches of the rows to continue");
            }
            let log_probs = self.step(&rows)?;
            let mut by_noise = |scores: &[f32], count: usize| {
                let keys = scores.iter().enumerate().map(|(place, score)| f64::from(*score) + noise(step, place as u64));
                let mut places: Vec<(usize, f64)> = keys.enumerate().collect();
                places.sort_by(|a, b| b.1.total_cmp(&a.1));
                Ok(places[..count].iter().map(|(place, _)| *place).collect())
            };
            let mut choice = if self.config.do_sample { Choice::Own(&mut by_noise) } else { Choice::Best };
            let stopping = &mut self.stopping;
            let next = search.advance(&log_probs, &mut choice, &mut |row, history| stopping.check(row, history).is_some())?;
            let history = |row: &usize| rows.iter().find(|(place, _)| place == row).unwrap().1.clone();
            parents = Some(next.iter().map(history).collect());
            step += 1;
        }
        let found: Vec<Hypothesis> = search.finish().into_iter().flatten().collect();
        // The reference fills up with the first end token where the padding token is 0.
        let eos = self.config.eos_token_id.as_ref().map(|ids| ids[0]);
        let fill = eos.map_or(-1, |eos| self.config.fill_token_id().filter(|id| *id != 0).unwrap_or(eos));
        Ok(Found {
            sequences: padded(found.iter().map(|h| h.tokens.iter().map(|t| i64::from(*t)).collect()).collect(), fill),
            scores: found.iter().map(|h| h.score).collect(),
            beam_indices: padded(found.iter().map(|h| h.beam_indices.iter().map(|i| *i as i64).collect()).collect(), -1),
        })
    }
}

fn padded(mut rows: Vec<Vec<i64>>, fill: i64) -> Vec<Vec<i64>> {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    rows.iter_mut().for_each(|row| row.resize(longest, fill));
    rows
}

#[test]
fn configurations_have_the_precedence_of_the_reference() {
    let goldens = goldens("configurations");
    let mut wrong = Vec::new();
    for case in goldens.as_array().unwrap() {
        let name = format!("{} over {} over {} {}", case["call"], case["pipeline"], case["file"], case["config"]);
        let file = Some(&case["file"]).filter(|file| !file.is_null());
        let resolved = GenerationDefaults::new(file, &case["config"]).and_then(|defaults| {
            let config = GenerationConfig::resolve(&defaults, &fields(&case["pipeline"]), &fields(&case["call"]))?;
            let lengths = config.lengths(7, None)?;
            Ok((config, lengths))
        });
        let (c, lengths) = match (resolved, case.get("error")) {
            (Ok(resolved), None) => resolved,
            (Err(_), Some(_)) => continue,
            (Err(e), None) => {
                wrong.push(format!("{name}: {e}"));
                continue;
            }
            (Ok(_), Some(error)) => {
                wrong.push(format!("{name}: the reference raises {error}"));
                continue;
            }
        };
        let early_stopping = match c.early_stopping {
            EarlyStopping::Heuristic => json!(false),
            EarlyStopping::Always => json!(true),
            EarlyStopping::Never => json!("never"),
        };
        let found = json!({
            "do_sample": c.do_sample, "num_beams": c.num_beams, "num_return_sequences": c.num_return_sequences, "temperature": c.temperature,
            "top_k": c.top_k, "top_p": c.top_p.unwrap_or(1.0), "repetition_penalty": c.repetition_penalty, "early_stopping": early_stopping,
            "length_penalty": c.length_penalty, "no_repeat_ngram_size": c.no_repeat_ngram_size, "pad_token_id": c.pad_token_id,
            "forced_bos_token_id": c.forced_bos_token_id, "max_new_tokens": c.max_new_tokens, "decoder_start_token_id": c.decoder_start_token_id,
            "eos_token_id": c.eos_token_id, "fill": c.fill_token_id(), "max_length": lengths.max_length, "min_length": lengths.min_length,
        });
        for (field, expected) in case["fields"].as_object().unwrap() {
            // Where the call says null to a switch, the reference keeps it, and takes it for the same.
            let same = found[field] == *expected || (expected.is_null() && found[field] == json!(false));
            if !same {
                wrong.push(format!("{name}: {field} is {}, not {expected}", found[field]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn stop_strings_stop_where_the_reference_does() {
    let mut count = 0;
    for case in goldens("stop_strings").as_array().unwrap() {
        let strings: Vec<String> = serde_json::from_value(case["strings"].clone()).unwrap();
        let table: Vec<Vec<u8>> = serde_json::from_value(case["tokens"].clone()).unwrap();
        let stop = StopStrings::new(&strings);
        for (name, expected) in [("hits", true), ("misses", false)] {
            for history in tokens(&case[name]) {
                let hit = stop.is_hit(&history, |token| Cow::Owned(table[token as usize].clone()));
                assert_eq!(hit, expected, "{strings:?} {history:?}");
                count += 1;
            }
        }
    }
    assert!(count > 200);
}

/// With the bytes that tokenizers of each kind give to their tokens (scripts/goldens/stop_strings.py).
#[test]
fn stop_strings_stop_where_the_reference_does_with_each_tokenizer() {
    let mut wrong = Vec::new();
    for golden in goldens("stop_tokenizers").as_array().unwrap() {
        let name = golden["tokenizer"].as_str().unwrap();
        let files = Folder::new(format!("{}/tests/goldens/tokenizers/{name}", env!("CARGO_MANIFEST_DIR")));
        let config: Value = serde_json::from_slice(&files.read("config.json").unwrap().unwrap()).unwrap();
        let tokenizer = Tokenizer::from_files(&files, &config).unwrap();
        for (id, expected) in golden["tokens"].as_object().unwrap() {
            let bytes: String = tokenizer.token_bytes(id.parse().unwrap()).iter().map(|byte| char::from(*byte)).collect();
            if *expected != bytes {
                wrong.push(format!("{name}: {id} is {bytes:?}, not {expected}"));
            }
        }
        for case in golden["cases"].as_array().unwrap() {
            let stop = StopStrings::new(&serde_json::from_value::<Vec<String>>(case["strings"].clone()).unwrap());
            let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
            let hit = |length: usize| stop.is_hit(&ids[..length], |token| tokenizer.token_bytes(token));
            let verdicts: String = (1..=ids.len()).map(|length| if hit(length) { '1' } else { '0' }).collect();
            if case["verdicts"] != verdicts {
                wrong.push(format!("{name}: {} in {ids:?}\n     got {verdicts}\n  wanted {}", case["strings"], case["verdicts"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn parameters_that_nobody_knows_are_named() {
    let of = |name: &str, value: Value| resolve(&Value::Null, &fields(&json!({name: value}))).unwrap_err();
    let error = of("temprature", json!(0.5));
    assert!(error.kind() == ErrorKind::Request && error.to_string().starts_with("temprature: no such"), "{error}");
    for (name, value) in
        [("num_beam_groups", json!(2)), ("penalty_alpha", json!(0.6)), ("constraints", json!([1])), ("use_cache", json!(false))]
    {
        let error = of(name, value);
        assert!(error.kind() == ErrorKind::Unsupported && error.to_string().starts_with(name), "{error}");
    }
    assert!(resolve(&Value::Null, &fields(&json!({"num_beam_groups": 1, "use_cache": true, "dola_layers": null}))).is_ok());
    let error = of("temperature", json!("hot"));
    assert!(error.to_string().starts_with("temperature: "), "{error}");
    assert!(resolve(&json!({"num_beam_groups": 3, "num_beams": 3}), &Map::new()).is_err());
}

#[test]
fn beam_sampling_is_repeatable() {
    let config = BeamConfig {
        num_beams: 3,
        num_return_sequences: 3,
        length_penalty: 1.0,
        early_stopping: EarlyStopping::Always,
        eos_tokens: 1,
        max_length: 12,
    };
    let model = Fake { vocabulary: 30, window: 3 };
    let run = |seed| {
        let mut sampler = Sampler::new(seed);
        let mut search = BeamSearch::new(config.clone(), &[vec![1, 2], vec![3, 4]]).unwrap();
        while !search.is_done() {
            let mut log_probs = Vec::new();
            for (_, history) in search.rows() {
                let mut row = model.logits(history);
                log_softmax(&mut row);
                log_probs.extend(row);
            }
            search
                .advance(&log_probs, &mut Choice::Sample(&mut sampler), &mut |_, history| history.last() == Some(&5) || history.len() >= 12)
                .unwrap();
        }
        search.finish()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert_eq!(run(1).iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn searches_that_cannot_be_are_errors() {
    let config = |num_beams, num_return_sequences, max_length| BeamConfig {
        num_beams,
        num_return_sequences,
        length_penalty: 1.0,
        early_stopping: EarlyStopping::Heuristic,
        eos_tokens: 1,
        max_length,
    };
    assert!(BeamSearch::new(config(2, 3, 9), &[vec![1]]).is_err());
    assert!(BeamSearch::new(config(2, 1, 1), &[vec![1]]).is_err());
    assert!(BeamSearch::new(config(2, 1, 9), &[vec![1], vec![1, 2]]).is_err());
    assert!(BeamSearch::new(config(2, 1, 9), &[]).is_err());
    let mut search = BeamSearch::new(config(2, 1, 9), &[vec![1]]).unwrap();
    for log_probs in [&[][..], &[0.0; 3], &[0.0, 0.0]] {
        assert!(search.advance(log_probs, &mut Choice::Best, &mut |_, _| false).is_err());
    }
}

#[test]
fn rows_end_for_a_reason() {
    let reason = |parameters: Value, history: &[u32]| {
        let config = resolve(&Value::Null, parameters.as_object().unwrap()).unwrap();
        let spell = |token: u32| Cow::Owned(vec![b'a' + token as u8]);
        Stopping::new(&config, 6, Some(Box::new(spell))).unwrap().check(0, history)
    };
    assert_eq!(reason(json!({"eos_token_id": [3, 4]}), &[1, 4]), Some(StopReason::EosToken));
    assert_eq!(reason(json!({"eos_token_id": [3, 4]}), &[4, 1]), None);
    assert_eq!(reason(json!({}), &[1; 6]), Some(StopReason::MaxLength));
    assert_eq!(reason(json!({"stop_strings": "bc"}), &[0, 1, 2]), Some(StopReason::StopString));
    assert_eq!(reason(json!({"stop_strings": ["x", "ab"]}), &[0, 1, 2]), None);
    assert_eq!(reason(json!({"max_time": 0.0}), &[1]), Some(StopReason::MaxTime));
    assert_eq!(reason(json!({"max_time": 100}), &[1]), None);
    assert!(Stopping::new(&resolve(&Value::Null, &fields(&json!({"stop_strings": "a"}))).unwrap(), 6, None).is_err());
}

/// The fake model as the loop sees one; it notes how many rows each call had.
struct Rows<'a> {
    fake: Fake,
    histories: Vec<Vec<u32>>,
    calls: &'a std::cell::RefCell<Vec<usize>>,
}

impl LanguageModel for Rows<'_> {
    fn forward(&mut self, tokens: &[&[u32]]) -> Result<Vec<f32>> {
        self.histories.resize(tokens.len(), Vec::new());
        self.calls.borrow_mut().push(tokens.len());
        for (history, tokens) in self.histories.iter_mut().zip(tokens) {
            history.extend_from_slice(tokens);
        }
        Ok(self.histories.iter().flat_map(|history| self.fake.logits(history)).collect())
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.histories = rows.iter().map(|&row| self.histories[row].clone()).collect();
        Ok(())
    }
}

const VOCABULARY: usize = 12;

fn fake() -> Fake {
    Fake { vocabulary: VOCABULARY, window: 3 }
}

/// The answers of each prompt.
type Answers = Result<Vec<Result<Vec<Generated>>>>;

fn looped(prompts: &[&[u32]], parameters: Value) -> (Answers, Vec<usize>) {
    let config = resolve(&Value::Null, &fields(&parameters)).unwrap();
    let calls = std::cell::RefCell::default();
    let settings = Settings { vocab_size: VOCABULARY, ..Settings::new(&config) };
    let make = |_: &[usize]| Ok(Rows { fake: fake(), histories: Vec::new(), calls: &calls });
    let found = generate(make, prompts, &settings);
    (found, calls.into_inner())
}

/// Prompts of different lengths, one of them wrong: each is answered as it would be alone, and rows that have ended are left out.
#[test]
fn the_loop_answers_each_prompt_as_if_it_were_alone() {
    let prompts: [&[u32]; 4] = [&[1, 2, 3, 4, 5], &[7], &[], &[3, 9]];
    let eos = 4;
    let parameters = json!({"max_new_tokens": 15, "eos_token_id": eos});
    let (found, calls) = looped(&prompts, parameters);
    let found = found.unwrap();
    assert!(found[2].is_err());
    let mut longest = 0;
    for (i, prompt) in prompts.iter().enumerate().filter(|(i, _)| *i != 2) {
        let mut history = prompt.to_vec();
        while history.len() < prompt.len() + 15 && history[prompt.len()..].last() != Some(&eos) {
            history.push(argmax(&fake().logits(&history)).unwrap() as u32);
        }
        let [answer] = &found[i].as_ref().unwrap()[..] else { panic!("{i}") };
        assert_eq!(answer.tokens, history[prompt.len()..], "prompt {i}");
        let ended = if answer.tokens.last() == Some(&eos) { StopReason::EosToken } else { StopReason::MaxLength };
        assert_eq!(answer.reason, Some(ended));
        longest = longest.max(answer.tokens.len());
    }
    let rows: usize = found.iter().flatten().flatten().map(|answer| answer.tokens.len()).sum();
    assert_eq!((calls.len(), calls.iter().sum::<usize>()), (longest, rows), "{calls:?}");
    assert!(calls.last() < calls.first(), "no row ended before the others: the test shows nothing");
}

#[test]
fn samples_repeat_with_their_seed_and_differ_among_each_other() {
    let parameters = |seed| json!({"max_new_tokens": 12, "do_sample": true, "num_return_sequences": 3, "seed": seed});
    let run = |seed| looped(&[&[1, 2], &[5]], parameters(seed)).0.unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    for answers in run(1) {
        assert_eq!(answers.len(), 3);
        assert!(answers[0] != answers[1] && answers[1] != answers[2]);
    }
}

#[test]
fn steps_give_the_tokens_of_the_whole() {
    let parameters = json!({"max_new_tokens": 6, "do_sample": true, "num_return_sequences": 2, "seed": 5, "eos_token_id": 3});
    let prompts: [&[u32]; 2] = [&[1, 2], &[5]];
    let config = resolve(&Value::Null, &fields(&parameters)).unwrap();
    let settings = Settings { vocab_size: VOCABULARY, ..Settings::new(&config) };
    let calls = std::cell::RefCell::default();
    let mut steps = Steps::new(Rows { fake: fake(), histories: Vec::new(), calls: &calls }, &prompts, &settings).unwrap();
    let mut seen = vec![vec![Vec::new(); 2]; 2];
    loop {
        let tokens = steps.step().unwrap();
        tokens.iter().for_each(|token| seen[token.prompt][token.answer].push(token.id));
        if tokens.is_empty() {
            break;
        }
    }
    assert!(steps.step().unwrap().is_empty());
    let whole = looped(&prompts, parameters).0.unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(steps.finish(), whole);
    assert_eq!(seen, whole.iter().map(|answers| answers.iter().map(|a| a.tokens.clone()).collect::<Vec<_>>()).collect::<Vec<_>>());
}

/// Tokens one by one, beyond what the cache first had room for, rows that change places, and a prompt at once: the same logits.
#[test]
fn a_cache_that_grows_and_moves_changes_nothing() {
    let folder = format!("{}/tests/goldens/generate/models/llama/causal_lm", env!("CARGO_MANIFEST_DIR"));
    let model = Pretrained::open(Options::new(folder)).unwrap().model(Head::CausalLm).unwrap();
    let session = model.session("model").unwrap();
    let texts: Vec<Vec<u32>> = (0..3u32).map(|row| (0..300u32).map(|i| (i * i * 7 + row * 31 + i) % 90).collect()).collect();
    let mut decoder = Decoder::new(session).unwrap();
    // Different lengths from the start: 5, 3 and 1 tokens.
    let starts = [5, 3, 1];
    let mut order = vec![0, 1, 2];
    let mut logits = decoder.forward(&texts.iter().zip(starts).map(|(text, n)| &text[..n]).collect::<Vec<_>>()).unwrap();
    for step in 0..290 {
        if step % 50 == 10 {
            decoder.select(&[2, 0, 1]).unwrap();
            order = vec![order[2], order[0], order[1]];
        }
        let next: Vec<[u32; 1]> = order.iter().map(|&row| [texts[row][starts[row] + step]]).collect();
        logits = decoder.forward(&next.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>()).unwrap();
    }
    let vocabulary = logits.len() / 3;
    for (row, logits) in order.into_iter().zip(logits.chunks(vocabulary)) {
        let expected = Decoder::new(session).unwrap().forward(&[&texts[row][..starts[row] + 290]]).unwrap();
        let far = logits.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-3, "row {row}: {far}");
    }
    // One row out of three, and twice.
    decoder.select(&[1, 1]).unwrap();
    let logits = decoder.forward(&[&[3], &[3]]).unwrap();
    assert_eq!(logits[..vocabulary], logits[vocabulary..]);
    assert!(decoder.forward(&[&[1, 2], &[3]]).is_err() && decoder.forward(&[&[1]]).is_err() && decoder.select(&[7]).is_err());
}
