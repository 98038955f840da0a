//! Greedy search and sampling, step by step.

use super::answer::Answer;
use super::decoder::LanguageModel;
use super::generating::{Generated, Settings, supported};
use crate::{Error, Result};

/// A token that an answer got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NewToken {
    /// The place of the prompt.
    pub prompt: usize,
    /// The place among the answers to the prompt.
    pub answer: usize,
    /// The token.
    pub id: u32,
    /// With `logprobs`: the logarithm of the probability that the model itself gave it, before processors.
    pub log_prob: Option<f32>,
}

/// Generation one token at a time, by greedy search or sampling: a step gives each open answer its next token. Dropping it ends the
/// work.
pub struct Steps<M> {
    model: M,
    answers: Vec<Answer>,
    /// How many answers each prompt has.
    count: usize,
    /// The rows of the model: the answers that are open.
    open: Vec<usize>,
    /// The logits that follow the last token of each row.
    logits: Vec<f32>,
}

impl<M: LanguageModel> Steps<M> {
    /// Runs the prompts.
    ///
    /// # Errors
    /// A prompt without tokens or room for an answer, parameters that contradict each other or that only whole answers have
    /// (`num_beams`), and what fails in the model.
    pub fn new(mut model: M, prompts: &[&[u32]], settings: &Settings<'_>) -> Result<Self> {
        supported(settings.config)?;
        if settings.config.num_beams > 1 {
            return Err(Error::request("num_beams", "beams are known only at the end, not token by token"));
        }
        let count = settings.config.num_return_sequences;
        let each = prompts.iter().enumerate().flat_map(|(place, prompt)| (0..count).map(move |index| (place, *prompt, index)));
        let source = |place: usize, prompt| model.sources().get(place).map_or(prompt, Vec::as_slice);
        let answers = each.map(|(place, prompt, index)| Answer::new(index, prompt, source(place, prompt), settings));
        let answers = answers.collect::<Result<Vec<_>>>()?;
        let mut logits = model.forward(prompts)?;
        // Each prompt ran once, for all of its answers.
        if count > 1 {
            let rows: Vec<usize> = (0..answers.len()).map(|row| row / count).collect();
            model.select(&rows)?;
            let vocabulary = logits.len() / prompts.len().max(1);
            logits = logits.chunks(vocabulary.max(1)).flat_map(|row| row.repeat(count)).collect();
        }
        Ok(Self { model, open: (0..answers.len()).collect(), answers, count, logits })
    }

    /// The next token of each open answer. Empty at the end.
    ///
    /// # Errors
    /// What fails in the model, and logits that leave no choice.
    pub fn step(&mut self) -> Result<Vec<NewToken>> {
        if self.logits.is_empty() {
            self.run()?;
        }
        let vocabulary = self.logits.len() / self.open.len().max(1);
        let mut tokens = Vec::with_capacity(self.open.len());
        for (&index, logits) in self.open.iter().zip(self.logits.chunks_mut(vocabulary.max(1))) {
            let (id, log_prob) = self.answers[index].choose(logits)?;
            tokens.push(NewToken { prompt: index / self.count, answer: index % self.count, id, log_prob });
        }
        self.logits.clear();
        Ok(tokens)
    }

    /// Runs the last tokens of the answers that are open; rows that have ended cost nothing any more.
    fn run(&mut self) -> Result<()> {
        let still: Vec<usize> = (0..self.open.len()).filter(|&row| self.answers[self.open[row]].is_open()).collect();
        if still.len() < self.open.len() {
            if !still.is_empty() {
                self.model.select(&still)?;
            }
            self.open = still.into_iter().map(|row| self.open[row]).collect();
        }
        if !self.open.is_empty() {
            let last: Vec<[u32; 1]> = self.open.iter().map(|&index| [self.answers[index].last()]).collect();
            self.logits = self.model.forward(&last.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// The answers of each prompt as far as they are.
    pub fn finish(self) -> Vec<Vec<Generated>> {
        let count = self.count.max(1);
        let mut found: Vec<Vec<Generated>> = Vec::new();
        for (index, answer) in self.answers.into_iter().enumerate() {
            if index % count == 0 {
                found.push(Vec::with_capacity(count));
            }
            if let Some(last) = found.last_mut() {
                last.push(answer.generated());
            }
        }
        found
    }
}

impl<M> std::fmt::Debug for Steps<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps").field("answers", &self.answers.len()).field("open", &self.open.len()).finish_non_exhaustive()
    }
}
