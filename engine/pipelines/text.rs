//! What text tasks on an encoder share: batches by length, outputs without padding.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

use formers_models::Head;
use ndarray::{Array2, ArrayViewD, Axis, Slice};

use super::{fits, fixed::Fixed, usage};
use crate::{
    Error, ErrorKind, Result,
    config::ModelConfig,
    model::{Model, Pretrained},
    preprocess::text::{Batch, Encoding, Padding, Side, Tokenizer},
    session::{Device, Dim, Outputs, Session, Value},
};

/// The inputs that text tasks can fill.
const INPUTS: &[&str] = &["input_ids", "attention_mask", "token_type_ids", "position_ids", "prompt_length"];

/// A padded batch takes at most this many tokens (one long input may take more): enough to keep the processor busy,
/// small enough for its caches.
const TOKEN_BUDGET: usize = 512;
/// Nor more inputs than this.
const MOST_ROWS: usize = 64;
/// Nor as many as would give more numbers than this for each token (a large vocabulary).
const MOST_NUMBERS: usize = 1 << 26;

/// A tokenizer and an encoder with a head.
#[derive(Debug)]
pub(crate) struct TextModel {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) config: ModelConfig,
    /// How many tokens at the start are a prompt, for models that leave it out.
    pub(crate) prompt_length: usize,
    /// What its graph takes no other batches than.
    fixed: Fixed,
    model: Model,
}

/// An output to read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Output<'a> {
    /// One row for each input.
    Row(&'a str),
    /// One row for each token; those of padding are left out.
    Tokens(&'a str),
}

impl<'a> Output<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Row(name) | Self::Tokens(name) => name,
        }
    }
}

impl TextModel {
    pub(crate) fn load(pretrained: &Pretrained, head: Head) -> Result<Self> {
        Self::with_tokenizer(pretrained, head, || pretrained.tokenizer())
    }

    /// The model comes first: where it does not suit the task, a missing tokenizer is no wonder.
    pub(crate) fn with_tokenizer(pretrained: &Pretrained, head: Head, tokenizer: impl FnOnce() -> Result<Tokenizer>) -> Result<Self> {
        let model = pretrained.model(head)?;
        let session = model.session("model")?;
        session.check_inputs(INPUTS).map_err(|e| e.at(pretrained.checkpoint.name()))?;
        if session.is_own() && matches!(head, Head::SequenceClassification | Head::TokenClassification) {
            pretrained.config.labels().check(session.output("logits")).map_err(|e| e.at(pretrained.checkpoint.name()))?;
        }
        let fixed = Fixed::of_texts(session.inputs()).map_err(|e| e.at(pretrained.checkpoint.name()))?;
        let masked = session.input("attention_mask").is_some();
        let mut tokenizer = tokenizer()?;
        if let Some(length) = fixed.length {
            tokenizer.fit(length);
            if !masked {
                tracing::warn!("the model takes texts of {length} tokens and no attention_mask, so that it reads padding as well");
            }
        }
        Ok(Self { tokenizer, config: pretrained.config.clone(), prompt_length: 0, fixed, model })
    }

    /// Whether the model gives this output.
    pub(crate) fn has_output(&self, name: &str) -> bool {
        self.model.session("model").is_ok_and(|s| s.output(name).is_some())
    }

    /// Whether the model gives this output with so many axes.
    pub(crate) fn has_axes(&self, name: &str, axes: usize) -> bool {
        self.model.session("model").ok().and_then(|s| s.output(name)).is_some_and(|port| port.shape.len() == axes)
    }

    /// How many numbers an output has for each token.
    pub(crate) fn width(&self, name: &str) -> Result<usize> {
        match self.model.session("model")?.output(name).and_then(|port| port.shape.last()) {
            Some(Dim::Fixed(width)) => Ok(*width),
            _ => self.config.integer("hidden_size").and_then(|size| usize::try_from(size).ok()).ok_or_else(|| {
                Error::config(format!("config.json: hidden_size is missing, and the model does not say how wide its output `{name}` is"))
            }),
        }
    }

    /// Where the model runs.
    pub(crate) fn device(&self) -> Result<&Device> {
        self.model.session("model").map(Session::device)
    }

    /// The names of the model's outputs.
    pub(crate) fn outputs(&self) -> Vec<&str> {
        self.model.session("model").map(|s| s.outputs().iter().map(|p| p.name.as_str()).collect()).unwrap_or_default()
    }

    /// Runs every encoding, sorted by length and batched by tokens, no more than `batch_size` at once, and reads its outputs; results are in
    /// the order of the encodings. A batch that fails is tried again one by one, so that an input fails alone.
    pub(crate) fn run<T: Send>(
        &self,
        batch_size: Option<NonZeroUsize>,
        encodings: &[&Encoding],
        outputs: &[Output],
        read: impl Fn(usize, &[ArrayViewD<f32>]) -> Result<T> + Sync,
    ) -> Vec<Result<T>> {
        let mut results: Vec<Option<Result<T>>> = encodings.iter().map(|e| self.unfit(e.len()).map(Err)).collect();
        let fitting = |batch: Vec<usize>| batch.into_iter().filter(|&index| results[index].is_none()).collect::<Vec<_>>();
        let limits = Limits {
            rows: batch_size.map_or(MOST_ROWS, NonZeroUsize::get).min(MOST_ROWS).min(self.fixed.rows.unwrap_or(MOST_ROWS)),
            tokens: self.token_budget(outputs),
            least: self.fixed.length.unwrap_or(0),
            same_length: self.fixed.length.is_none()
                && (formers_models::find(self.config.model_type()).is_some_and(|known| known.sees_padding)
                    || formers_models::couples_rows(self.config.value())),
        };
        let batches = batches(encodings, &limits);
        let batches: Vec<Vec<usize>> = batches.into_iter().map(fitting).filter(|batch| !batch.is_empty()).collect();
        usage::tell(batches.iter().flatten().map(|&index| encodings[index].len()).sum(), 0);
        for (index, result) in self.run_batches(encodings, &batches, outputs, &read) {
            results[index] = Some(result);
        }
        let lost = || Err(Error::new(ErrorKind::Runtime, "an input was left out of every batch"));
        results.into_iter().map(|result| result.unwrap_or_else(lost)).collect()
    }

    /// Runs several windows of each input. `read` is told the input and the window; an input fails where one of its windows does.
    pub(crate) fn run_windows<T: Send>(
        &self,
        batch_size: Option<NonZeroUsize>,
        inputs: &[&[Encoding]],
        outputs: &[Output],
        read: impl Fn(usize, usize, &[ArrayViewD<f32>]) -> Result<T> + Sync,
    ) -> Vec<Result<Vec<T>>> {
        let windows = |(input, windows): (usize, &&[Encoding])| (0..windows.len()).map(move |window| (input, window)).collect::<Vec<_>>();
        let places: Vec<(usize, usize)> = inputs.iter().enumerate().flat_map(windows).collect();
        let encodings: Vec<&Encoding> = places.iter().map(|&(input, window)| &inputs[input][window]).collect();
        let mut results =
            self.run(batch_size, &encodings, outputs, |index, views| read(places[index].0, places[index].1, views)).into_iter();
        let mut of_one = |windows: &&[Encoding]| results.by_ref().take(windows.len()).collect::<Vec<_>>();
        inputs.iter().map(|windows| of_one(windows).into_iter().collect()).collect()
    }

    /// Workers take batch after batch, the longest first; without workers all run on this thread.
    fn run_batches<T: Send>(
        &self,
        encodings: &[&Encoding],
        batches: &[Vec<usize>],
        outputs: &[Output],
        read: &(impl Fn(usize, &[ArrayViewD<f32>]) -> Result<T> + Sync),
    ) -> Vec<(usize, Result<T>)> {
        let workers = self.model.workers("model", batches.len());
        let next = AtomicUsize::new(0);
        let work = || {
            let taken = std::iter::from_fn(|| batches.get(next.fetch_add(1, Ordering::Relaxed)));
            taken
                .flat_map(|batch| self.run_batch(workers.map(|workers| workers.session), encodings, batch, outputs, read))
                .collect::<Vec<_>>()
        };
        std::thread::scope(|scope| {
            let threads = workers.map_or(1, |workers| workers.threads.min(batches.len()));
            // A thread that the system refuses leaves its work to the others.
            let others: Vec<_> = (1..threads).filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
            let mut results = work();
            for other in others {
                results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            results
        })
    }

    /// On this session, or else on the model's own.
    fn run_batch<T>(
        &self,
        session: Option<&Session>,
        encodings: &[&Encoding],
        rows: &[usize],
        outputs: &[Output],
        read: &impl Fn(usize, &[ArrayViewD<f32>]) -> Result<T>,
    ) -> Vec<(usize, Result<T>)> {
        let chosen: Vec<&Encoding> = rows.iter().map(|&i| encodings[i]).collect();
        match self.forward(session, &chosen, outputs) {
            Ok((found, length)) => rows
                .iter()
                .enumerate()
                .map(|(row, &index)| (index, self.read_row(&found, outputs, row, length, encodings[index], |views| read(index, views))))
                .collect(),
            Err(_) if rows.len() > 1 => {
                rows.iter().flat_map(|&index| self.run_batch(session, encodings, &[index], outputs, read)).collect()
            }
            Err(error) => rows.iter().copied().zip([Err(self.explained(error, &chosen))]).collect(),
        }
    }

    /// How many tokens a batch may have, so that outputs with a wide row for each token stay small.
    fn token_budget(&self, outputs: &[Output]) -> usize {
        let width = |output: &Output| match output {
            Output::Row(_) => None,
            Output::Tokens(name) => match self.model.session("model").ok()?.output(name)?.shape.last() {
                Some(Dim::Fixed(width)) => Some(*width),
                _ => None,
            },
        };
        let widest = outputs.iter().filter_map(width).max().unwrap_or(1).max(1);
        (MOST_NUMBERS / widest).min(TOKEN_BUDGET)
    }

    /// The error for no tokens at all, or for too many.
    fn unfit(&self, tokens: usize) -> Option<Error> {
        match tokens {
            0 => Some(Error::request("inputs", "a text without any tokens")),
            _ => fits::check_length(tokens, &self.config, &self.tokenizer).err(),
        }
    }

    fn forward(&self, session: Option<&Session>, encodings: &[&Encoding], outputs: &[Output]) -> Result<(Outputs, usize)> {
        let batch = self.batch(encodings)?;
        let length = batch.input_ids.ncols();
        let session = session.map_or_else(|| self.model.session("model"), Ok)?;
        // As in Python, token types are nothing but zeros for a tokenizer that does not name them.
        let typed = self.tokenizer.model_input_names().iter().any(|name| name == "token_type_ids");
        let inputs = session.inputs().iter().map(|port| {
            let array = match port.name.as_str() {
                "prompt_length" => return (port.name.as_str(), Value::from(ndarray::arr1(&[self.prompt_length as i64]))),
                "input_ids" => batch.input_ids.clone(),
                "attention_mask" => batch.attention_mask.clone(),
                "position_ids" => positions(&batch),
                _ if !typed => Array2::zeros(batch.input_ids.raw_dim()),
                _ => batch.token_type_ids.clone(),
            };
            (port.name.as_str(), Value::from(self.fixed.filled(&array).unwrap_or(array)))
        });
        let names: Vec<&str> = outputs.iter().map(|o| o.name()).collect();
        Ok((session.run_with(inputs.collect::<Vec<_>>(), Some(&names), None)?, length))
    }

    /// Padded on the right, whatever the tokenizer says, so that each text keeps the positions that it has alone.
    fn batch(&self, encodings: &[&Encoding]) -> Result<Batch> {
        let padding = Padding { side: Some(Side::Right), max_length: self.fixed.length, ..Padding::default() };
        self.tokenizer.pad_batch(encodings, &padding)
    }

    fn read_row<T>(
        &self,
        found: &Outputs,
        outputs: &[Output],
        row: usize,
        length: usize,
        encoding: &Encoding,
        read: impl FnOnce(&[ArrayViewD<f32>]) -> Result<T>,
    ) -> Result<T> {
        let arrays = outputs.iter().map(|o| found.f32(o.name())).collect::<Result<Vec<_>>>()?;
        let mut views = Vec::with_capacity(arrays.len());
        for (array, output) in arrays.iter().zip(outputs) {
            let bad = || Error::new(ErrorKind::Runtime, format!("output {:?} has shape {:?} for {row} rows", output.name(), array.shape()));
            if array.ndim() < 2 || array.len_of(Axis(0)) <= row {
                return Err(bad());
            }
            let mut view = array.index_axis(Axis(0), row);
            if matches!(output, Output::Tokens(_)) {
                if view.len_of(Axis(0)) != length {
                    return Err(bad());
                }
                view.slice_axis_inplace(Axis(0), Slice::from(..encoding.len()));
            }
            views.push(view);
        }
        read(&views)
    }

    fn explained(&self, error: Error, encodings: &[&Encoding]) -> Error {
        let longest = encodings.iter().map(|e| e.len()).max().unwrap_or(0);
        match self.tokenizer.model_max_length() {
            Some(most) if longest > most => Error::request(
                "inputs",
                format!("{longest} tokens are more than the {most} that the model takes; shorten the text, or truncate it ({error})"),
            ),
            _ => fits::explained(error, &encodings.iter().flat_map(|encoding| &encoding.ids).copied().collect::<Vec<_>>(), &self.config),
        }
    }
}

/// Positions for models that want them as an input: places among the tokens that are not padding.
fn positions(batch: &Batch) -> Array2<i64> {
    let mut positions = batch.attention_mask.clone();
    for mut row in positions.rows_mut() {
        let mut next = 0;
        for place in &mut row {
            (*place, next) = if *place == 1 { (next, next + 1) } else { (1, next) };
        }
    }
    positions
}

/// What a batch may have.
struct Limits {
    rows: usize,
    /// With padding.
    tokens: usize,
    /// Shorter inputs are padded to so many tokens.
    least: usize,
    /// No padding at all.
    same_length: bool,
}

/// Groups of inputs of about the same length, longest first.
fn batches(encodings: &[&Encoding], limits: &Limits) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..encodings.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(encodings[i].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut longest = 0;
    for index in order {
        let length = encodings[index].len().max(limits.least);
        let fits = |batch: &Vec<usize>| batch.len() < limits.rows && (batch.len() + 1) * longest <= limits.tokens;
        match batches.last_mut() {
            Some(batch) if fits(batch) && (length == longest || !limits.same_length) => batch.push(index),
            _ => {
                longest = length;
                batches.push(vec![index]);
            }
        }
    }
    batches
}

/// Encodes each input that is fine; the others keep their errors.
pub(crate) fn keep_errors<I, T>(inputs: Vec<Result<I>>, run: impl FnOnce(Vec<&I>) -> Vec<Result<T>>) -> Vec<Result<T>> {
    let mut answers = {
        let good: Vec<&I> = inputs.iter().filter_map(|i| i.as_ref().ok()).collect();
        run(good).into_iter()
    };
    let lost = || Err(Error::new(ErrorKind::Runtime, "an input was not answered"));
    inputs.into_iter().map(|input| input.and_then(|_| answers.next().unwrap_or_else(lost))).collect()
}
