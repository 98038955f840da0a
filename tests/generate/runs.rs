//! Greedy search and beam search against the tokens of the reference, with a model whose logits are a function of the history.

use formers::Result;
use formers::config::{EarlyStopping, GenerationConfig};
use formers::generate::beams::{BeamConfig, BeamSearch, Choice, Hypothesis};
use formers::generate::log_softmax;
use formers::generate::processors::{Context, Processors, Row};
use formers::generate::sampling::{Sampler, argmax};
use formers::generate::stopping::Stopping;
use serde_json::Value;

use super::fake::{Fake, mixed};
use super::{fields, goldens, number, paddings, resolve, tokens};

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
