//! Constraints over a vocabulary, with the parser of llguidance: which tokens keep a text on the way to one that matches.

use std::sync::{Arc, Mutex, PoisonError};

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, SimpleVob, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory, panic_utils::catch_unwind};
use serde_json::Value;

use super::constraint::Constraint;
use super::generating::OwnProcessors;
use super::processors::{Processor, Row};
use super::schema::{self, Manner};
use crate::{Error, ErrorKind, Result};

/// The stack on which constraints are read: each schema within another takes some of it, and so does each that one refers to.
const STACK: usize = 1 << 28;

/// The texts of a vocabulary as a tree.
pub(super) struct Texts {
    tree: TokTrie,
    /// What made the last constraint, and its end tokens.
    last: Mutex<Option<(Vec<u32>, Arc<ParserFactory>)>>,
}

impl Texts {
    pub(super) fn new(tokens: Vec<(Vec<u8>, bool)>) -> Result<Self> {
        let size = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        let spelled = |(mut bytes, special): (Vec<u8>, bool)| {
            // What begins with the mark of special tokens is none of them and no text.
            let marked = bytes.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER);
            match special {
                true => bytes.insert(0, TokTrie::SPECIAL_TOKEN_MARKER),
                false if marked => bytes.clear(),
                false => {}
            }
            bytes
        };
        let words: Vec<Vec<u8>> = tokens.into_iter().map(spelled).collect();
        let built = catch_unwind(std::panic::AssertUnwindSafe(|| Ok(TokTrie::from(&TokRxInfo::new(size, 0), &words))));
        let tree = built.map_err(|error| Error::new(ErrorKind::Checkpoint, format!("the tokenizer's vocabulary: {}", told(&error))))?;
        Ok(Self { tree, last: Mutex::new(None) })
    }

    /// Makes constraints whose texts end with one of these tokens. Preparing that takes longer than most constraints themselves.
    fn factory(&self, eos: &[u32]) -> std::result::Result<Arc<ParserFactory>, String> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, factory)) = last.as_ref().filter(|(ends, _)| ends == eos) {
            return Ok(factory.clone());
        }
        let made = catch_unwind(std::panic::AssertUnwindSafe(|| {
            let vocabulary: TokEnv = Arc::new(ApproximateTokEnv::new(self.ended_by(eos)));
            let mut factory = ParserFactory::new_simple(&vocabulary)?;
            let limits = factory.quiet().limits_mut();
            limits.verbose_errors = false;
            // A hundred thousand choices, and objects of thousands of optional properties.
            limits.initial_lexer_fuel = 3_000_000;
            limits.max_items_in_row = 20_000;
            limits.step_max_items = 200_000;
            Ok(Arc::new(factory))
        }));
        let factory = made.map_err(|error| told(&error))?;
        *last = Some((eos.to_vec(), factory.clone()));
        Ok(factory)
    }

    /// The tree where these tokens end a text: none of them spells a part of one.
    fn ended_by(&self, eos: &[u32]) -> TokTrie {
        let spells = |token: &u32| self.tree.token(*token).first().is_some_and(|first| *first != TokTrie::SPECIAL_TOKEN_MARKER);
        if !eos.iter().any(spells) {
            return self.tree.with_eos_tokens(eos);
        }
        let mut kept = self.tree.alloc_token_set();
        kept.set_all(true);
        eos.iter().filter(|token| spells(token)).for_each(|token| kept.disallow_token(*token));
        self.tree.filter(&kept).with_eos_tokens(eos)
    }

    pub(super) fn hold(&self, constraint: &Constraint, eos_token_id: &[i64]) -> std::result::Result<OwnProcessors, String> {
        let known = |id: &i64| u32::try_from(*id).ok().filter(|id| (*id as usize) < self.tree.vocab_size());
        let eos: Vec<u32> = eos_token_id.iter().filter_map(known).collect();
        if eos.is_empty() {
            return Err("needs an eos_token_id to end the answer with, and the model has none".to_owned());
        }
        let factory = self.factory(&eos)?;
        let start = with_stack(|| match constraint {
            Constraint::JsonSchema(schema) => schema_start(&factory, schema, false),
            Constraint::CompactJson(schema) => schema_start(&factory, schema, true),
            Constraint::Regex(regex) => start(&factory, TopLevelGrammar::from_regex(regex), told),
            Constraint::Grammar(lark) => start(&factory, TopLevelGrammar::from_lark(lark.clone()), told),
        })?;
        let name = constraint.name();
        let start = Arc::new(Mutex::new(start));
        let eos: Arc<[u32]> = eos.into();
        Ok(Arc::new(move |prompt| {
            vec![Box::new(Held { name, start: start.clone(), eos: eos.clone(), prompt, rows: Vec::new() }) as Box<dyn Processor>]
        }))
    }
}

/// Where every text of a schema begins.
fn schema_start(factory: &ParserFactory, schema: &Value, compact: bool) -> std::result::Result<Matcher, String> {
    let start = |spells_one_of| {
        let prepared = schema::prepare(schema, Manner { compact, spells_one_of })?;
        let grammar = TopLevelGrammar::from_json_schema(prepared.schema.clone());
        start(factory, grammar, |error| prepared.told(&told(error)))
    };
    // What is written shorter is read sooner.
    start(false).or_else(|error| if schema::is_about_one_of(&error) { start(true) } else { Err(error) })
}

/// Where every text of a grammar begins.
fn start(
    factory: &ParserFactory,
    grammar: TopLevelGrammar,
    told: impl Fn(&dyn std::fmt::Display) -> String,
) -> std::result::Result<Matcher, String> {
    let parser = catch_unwind(std::panic::AssertUnwindSafe(|| factory.create_parser(grammar)));
    let start = Matcher::new(Ok(parser.map_err(|error| told(&error))?));
    // What no text of this vocabulary meets is known before the model runs.
    start.clone().compute_mask_or_eos().map_err(|error| told(&error))?;
    Ok(start)
}

/// Runs where there is room for the deepest schema that is read.
fn with_stack<T: Send>(read: impl FnOnce() -> std::result::Result<T, String> + Send) -> std::result::Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("constraint".to_owned()).stack_size(STACK).spawn_scoped(scope, read);
        let thread = thread.map_err(|error| format!("no thread to read it: {error}"))?;
        thread.join().unwrap_or_else(|_| Err("it could not be read; this is a fault of formers".to_owned()))
    })
}

/// Errors show what they are about, which may be long.
const LONGEST_MESSAGE: usize = 300;

/// What an error says, in one line: of a regular expression with marks beneath it, the line below those.
fn told(error: &dyn std::fmt::Display) -> String {
    let text = format!("{error:#}").replace("<non-verbose/>", "");
    // Behind it comes where the fault was found.
    let text = text.split("<backtrace>").next().unwrap_or_default();
    let text = text.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(text);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text == "NoExtensionBias" {
        return "no text that the model's vocabulary can spell matches it".to_owned();
    }
    if let Some(fault) = text.strip_prefix("panic: ") {
        return match fault.contains("symbols.len()") {
            true => "it has too many parts: more than 65,000 rules".to_owned(),
            false => format!("it cannot be read: {fault}"),
        };
    }
    if text.contains("fuel exhausted") || text.contains("too many lexer states") || text.contains("too big (limit for this grammar") {
        return "it has too many states: ask for shorter texts, smaller counts or fewer alternatives".to_owned();
    }
    if text.contains("items; max is") {
        return "too many of its parts may come at one place: ask for fewer alternatives, or for fewer optional properties".to_owned();
    }
    if let Some((_, reference)) = text.split_once("without 'referencing' feature; ref ") {
        return format!("$ref {reference}: %json in a grammar has references of its own parts only, \"#/...\"");
    }
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Holds the rows of an input to a constraint.
struct Held {
    name: &'static str,
    /// Where every answer begins.
    start: Arc<Mutex<Matcher>>,
    eos: Arc<[u32]>,
    prompt: usize,
    /// The rows of the step before.
    rows: Vec<Progress>,
}

/// How far a row is.
struct Progress {
    tokens: Vec<u32>,
    /// `None` where the row has left the constraint, as beams without any other way do.
    matcher: Option<Matcher>,
}

impl Held {
    /// Goes on from a row of the step before, from the beginning where there is none.
    fn progress(&self, before: &mut Vec<Progress>, tokens: &[u32], last: bool) -> Result<Progress> {
        let from = tokens.split_last().and_then(|(_, rest)| before.iter().position(|row| row.tokens == rest));
        let matcher = match from {
            // Several rows may go on from one.
            Some(place) if last => before.swap_remove(place).matcher,
            Some(place) => before.get(place).and_then(|row| row.matcher.clone()),
            None => Some(self.start.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        };
        let new = if from.is_some() { tokens.len().saturating_sub(1) } else { 0 };
        let mut progress = Progress { tokens: tokens.to_vec(), matcher };
        for token in tokens.get(new..).unwrap_or_default() {
            let Some(matcher) = &mut progress.matcher else { break };
            match matcher.try_consume_tokens(&[*token]) {
                Ok(1) => {}
                // An end token after the end.
                Ok(_) if matcher.is_stopped() && !matcher.is_error() => {}
                Ok(_) => progress.matcher = None,
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(progress)
    }

    fn failed(&self, error: &impl std::fmt::Display) -> Error {
        Error::request(self.name, format!("the text so far cannot go on: {}", told(error)))
    }
}

impl Processor for Held {
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()> {
        self.process_rows(&[*row], logits)
    }

    fn process_rows(&mut self, rows: &[Row<'_>], logits: &mut [f32]) -> Result<()> {
        let Some(vocabulary) = logits.len().checked_div(rows.len()).filter(|v| *v > 0) else { return Ok(()) };
        // What is forced goes before what must match.
        if rows.iter().any(|row| row.history.len() < self.prompt) {
            return Ok(());
        }
        let mut before = std::mem::take(&mut self.rows);
        for (row, logits) in rows.iter().zip(logits.chunks_exact_mut(vocabulary)) {
            let mut progress = self.progress(&mut before, row.history.get(self.prompt..).unwrap_or_default(), rows.len() == 1)?;
            match &mut progress.matcher {
                Some(matcher) => keep(&matcher.compute_mask_or_eos().map_err(|error| self.failed(&error))?, logits),
                None if rows.len() == 1 => return Err(self.failed(&"the model gives it no logits")),
                None => logits.fill(f32::NEG_INFINITY),
            }
            self.rows.push(progress);
        }
        Ok(())
    }

    fn is_met(&mut self, history: &[u32]) -> bool {
        let tokens = history.get(self.prompt..).unwrap_or_default();
        let text = tokens.iter().position(|token| self.eos.contains(token)).and_then(|end| tokens.get(..end)).unwrap_or(tokens);
        let mut before = std::mem::take(&mut self.rows);
        let reached = self.progress(&mut before, text, false);
        self.rows = before;
        reached.is_ok_and(|progress| {
            progress.matcher.is_some_and(|mut matcher| matcher.is_stopped() || matcher.is_accepting().unwrap_or(false))
        })
    }
}

/// Keeps what a mask allows. Where other processors forbade all of that, the mask alone decides.
fn keep(mask: &SimpleVob, logits: &mut [f32]) {
    let mut left = false;
    for (place, logits) in logits.chunks_mut(u32::BITS as usize).enumerate() {
        match mask.as_slice().get(place).copied().unwrap_or(0) {
            0 => logits.fill(f32::NEG_INFINITY),
            bits => {
                for (bit, logit) in logits.iter_mut().enumerate() {
                    if bits >> bit & 1 == 0 {
                        *logit = f32::NEG_INFINITY;
                    }
                    left |= *logit > f32::NEG_INFINITY;
                }
            }
        }
    }
    if !left {
        let allowed = |token: usize| mask.as_slice().get(token / 32).is_some_and(|bits| bits >> (token % 32) & 1 == 1);
        logits.iter_mut().enumerate().filter(|(token, _)| allowed(*token)).for_each(|(_, logit)| *logit = 0.0);
    }
}
