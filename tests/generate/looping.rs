//! The loop, with a model whose logits are a function of the history, and the cache of a real one.

use formers::generate::sampling::argmax;
use formers::generate::stopping::StopReason;
use formers::generate::{Decoder, Generated, LanguageModel, Settings, Steps, generate};
use formers::model::{Head, Pretrained};
use formers::{ErrorKind, Options, Result};
use serde_json::{Value, json};

use super::fake::Fake;
use super::{fields, resolve};

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
    let folder = formers_testing::golden("generate/models/llama/causal_lm").to_string_lossy().into_owned();
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

/// More rows than there is memory for are an error, and the process goes on.
#[test]
fn a_cache_that_does_not_fit_is_refused() {
    let folder = formers_testing::golden("generate/models/llama/causal_lm").to_string_lossy().into_owned();
    let model = Pretrained::open(Options::new(folder)).unwrap().model(Head::CausalLm).unwrap();
    let mut decoder = Decoder::new(model.session("model").unwrap()).unwrap();
    decoder.forward(&[&[1, 2, 3]]).unwrap();
    let error = decoder.select(&vec![0; 1 << 26]).unwrap_err();
    assert!(error.kind() == ErrorKind::Runtime && error.to_string().contains("no memory for a cache of 67108864 rows"), "{error}");
}

/// Several prompts of one length share their runs, and each gets the beams that it would have alone, though some are settled early.
#[test]
fn beams_of_several_prompts_are_as_if_each_were_alone() {
    let prompts: [&[u32]; 5] = [&[1, 2], &[7, 7], &[3, 9], &[4, 11], &[0, 5]];
    for more in [json!({}), json!({"guidance_scale": 1.6}), json!({"guidance_scale": 0.5, "negative_prompt_ids": [6, 1, 8]})] {
        let mut parameters = json!({"max_new_tokens": 20, "num_beams": 3, "num_return_sequences": 2, "eos_token_id": [4, 8], "early_stopping": true, "logprobs": true});
        parameters.as_object_mut().unwrap().extend(fields(&more));
        let (together, calls) = looped(&prompts, parameters.clone());
        let together: Vec<_> = together.unwrap().into_iter().map(Result::unwrap).collect();
        let alone: Vec<_> = prompts.iter().map(|prompt| looped(&[prompt], parameters.clone()).0.unwrap().swap_remove(0).unwrap()).collect();
        assert_eq!(together, alone, "{more}");
        assert!(calls.last() < calls.iter().max(), "no prompt was settled before the others: the test shows nothing");
    }
}

/// Rows with guidance: together as alone, though some end before the others.
#[test]
fn guidance_follows_its_rows() {
    let prompts: [&[u32]; 4] = [&[1, 2, 3, 4, 5], &[7], &[3, 9], &[10]];
    let parameters = json!({"max_new_tokens": 15, "eos_token_id": 4, "guidance_scale": 1.7});
    let together = looped(&prompts, parameters.clone()).0.unwrap();
    let mut lengths = Vec::new();
    for (prompt, found) in prompts.iter().zip(together) {
        let found = found.unwrap();
        assert_eq!(found, looped(&[prompt], parameters.clone()).0.unwrap().swap_remove(0).unwrap());
        lengths.push(found[0].tokens.len());
    }
    lengths.dedup();
    assert!(lengths.len() > 1, "all end at once: the test shows nothing");
    let plain = looped(&prompts, json!({"max_new_tokens": 15, "eos_token_id": 4})).0.unwrap();
    let guided = looped(&prompts, parameters).0.unwrap();
    assert!(plain.iter().zip(&guided).any(|(a, b)| a.as_ref().unwrap() != b.as_ref().unwrap()));
}
