//! Greedy search and sampling, step by step.

use super::answer::Answer;
use super::decoder::LanguageModel;
use super::drafts::{Assistant, Drafts, Guess};
use super::generating::{Generated, Settings, beyond, room_for, supported};
use super::guide::Guide;
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

/// Generation token by token, by greedy search or sampling: a step gives each open answer its next token, or several where a draft was
/// right. Dropping it ends the work.
pub struct Steps<M> {
    model: M,
    answers: Vec<Answer>,
    /// How many answers each prompt has.
    count: usize,
    /// The rows of the model: the answers that are open.
    open: Vec<usize>,
    /// The logits that follow the last token of each row, and behind guesses those that follow each.
    logits: Vec<f32>,
    vocabulary: usize,
    guide: Option<Guide<M>>,
    drafts: Option<Drafts<M>>,
    /// What the model has run beyond the last token of the only answer.
    guesses: Vec<Guess>,
    /// The positions that the model has.
    positions: Option<usize>,
}

impl<M: LanguageModel> Steps<M> {
    /// Runs the prompts.
    ///
    /// # Errors
    /// A prompt without tokens or room for an answer, parameters that contradict each other or that only whole answers have
    /// (`num_beams`), drafts (`prompt_lookup_num_tokens`) for more than one answer, and what fails in the model.
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
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        let positions = settings.max_position_embeddings;
        let mut logits = model.forward(prompts).map_err(|error| beyond(error, longest, positions))?;
        let vocabulary = logits.len() / prompts.len().max(1);
        // Each prompt ran once, for all of its answers.
        if count > 1 {
            room_for(answers.len(), vocabulary, settings.config)?;
            let rows: Vec<usize> = (0..answers.len()).map(|row| row / count).collect();
            model.select(&rows)?;
            logits = logits.chunks(vocabulary.max(1)).flat_map(|row| row.repeat(count)).collect();
        }
        let open = (0..answers.len()).collect();
        let steps = Self { model, answers, count, open, logits, vocabulary, guide: None, drafts: None, guesses: Vec::new(), positions };
        let source = steps.model.sources().first().map(Vec::as_slice).unwrap_or_default();
        match Drafts::new(settings.config, source)? {
            Some(drafts) => steps.drafted(drafts),
            None => Ok(steps),
        }
    }

    /// With a second model for `guidance_scale`, without rows.
    ///
    /// # Errors
    /// A `negative_prompt_ids` that is empty, and what fails in the model.
    pub fn guided(self, model: M, settings: &Settings<'_>) -> Result<Self> {
        let ends = self.answers.iter().step_by(self.count.max(1)).map(Answer::history).collect::<Vec<_>>();
        let guide = Guide::new(model, &ends, settings.config.negative_prompt_ids.as_deref(), self.count)?;
        Ok(Self { guide: Some(guide), ..self })
    }

    /// With a smaller model that guesses several tokens, which this one checks at once; where the configuration asks for prompt
    /// lookup, that guesses.
    ///
    /// # Errors
    /// More than one answer.
    pub fn assisted(self, assistant: Assistant<M>, settings: &Settings<'_>) -> Result<Self> {
        match self.answers.first() {
            Some(answer) if self.drafts.is_none() => {
                let source = self.model.sources().first().map_or(answer.history(), Vec::as_slice);
                let drafts = Drafts::assisted(assistant, answer.history(), source, settings)?;
                self.drafted(drafts)
            }
            _ => Ok(self),
        }
    }

    fn drafted(self, drafts: Drafts<M>) -> Result<Self> {
        if self.answers.len() > 1 {
            let message = "drafts (prompt_lookup_num_tokens, assistant_model) are for one answer at a time";
            return Err(Error::request("num_return_sequences", message));
        }
        Ok(Self { drafts: Some(drafts), ..self })
    }

    /// The next tokens of each open answer. Empty at the end.
    ///
    /// # Errors
    /// What fails in the model, and logits that leave no choice.
    pub fn step(&mut self) -> Result<Vec<NewToken>> {
        if self.drafts.is_some() {
            return self.drafted_step();
        }
        if self.logits.is_empty() {
            self.run()?;
        }
        let mut tokens = Vec::with_capacity(self.open.len());
        let mut without = self.guide.iter().flat_map(|guide| guide.logits.chunks(self.vocabulary.max(1)));
        for (&index, logits) in self.open.iter().zip(self.logits.chunks_mut(self.vocabulary.max(1))) {
            let (id, log_prob) = self.answers[index].choose(logits, without.next(), None)?;
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
                self.guide.as_mut().map_or(Ok(()), |guide| guide.select(&still))?;
            }
            self.open = still.into_iter().map(|row| self.open[row]).collect();
        }
        if !self.open.is_empty() {
            let last: Vec<[u32; 1]> = self.open.iter().map(|&index| [self.answers[index].last()]).collect();
            let last: Vec<&[u32]> = last.iter().map(<[u32; 1]>::as_slice).collect();
            let longest = self.open.iter().map(|&index| self.answers[index].history().len()).max().unwrap_or(0);
            self.logits = self.model.forward(&last).map_err(|error| beyond(error, longest, self.positions))?;
            self.guide.as_mut().map_or(Ok(()), |guide| guide.forward(&last))?;
        }
        Ok(())
    }

    /// The next tokens of the only answer: guesses as long as they are right, and what the model says after them.
    fn drafted_step(&mut self) -> Result<Vec<NewToken>> {
        let (Some(drafts), Some(answer)) = (&mut self.drafts, self.answers.first_mut()) else { return Ok(Vec::new()) };
        if !answer.is_open() {
            return Ok(Vec::new());
        }
        if self.logits.is_empty() {
            let has = answer.history().len();
            self.guesses = guesses(drafts, answer, self.positions, self.vocabulary)?;
            let mut tokens = vec![answer.last()];
            tokens.extend(self.guesses.iter().map(|guess| guess.token));
            if self.guesses.is_empty() {
                self.logits = self.model.forward(&[&tokens]).map_err(|error| beyond(error, has, self.positions))?;
                self.guide.as_mut().map_or(Ok(()), |guide| guide.forward(&[&tokens]))?;
            } else {
                self.logits = self.model.extend(&tokens)?;
                tokens.truncate(self.logits.len() / self.vocabulary.max(1));
                self.guide.as_mut().map_or(Ok(()), |guide| guide.extend(&tokens))?;
                self.guesses.truncate(tokens.len().saturating_sub(1));
            }
        } else if answer.weighs_guesses() && self.guide.is_none() {
            // The first token is weighed too.
            self.guesses = guesses(drafts, answer, self.positions, self.vocabulary)?;
            let tokens: Vec<u32> = self.guesses.iter().map(|guess| guess.token).collect();
            if !tokens.is_empty() {
                self.logits.extend(self.model.extend(&tokens)?);
                self.guesses.truncate((self.logits.len() / self.vocabulary.max(1)).saturating_sub(1));
            }
        }
        let mut tokens = Vec::new();
        let mut right = 0;
        let mut without = self.guide.iter().flat_map(|guide| guide.logits.chunks(self.vocabulary.max(1)));
        for (place, logits) in self.logits.chunks_mut(self.vocabulary.max(1)).enumerate() {
            let (guess, unconditional) = (self.guesses.get(place), without.next());
            if self.guide.is_some() && unconditional.is_none() {
                break; // The other model took fewer.
            }
            let (id, log_prob) = answer.choose(logits, unconditional, guess)?;
            tokens.push(NewToken { prompt: 0, answer: 0, id, log_prob });
            let is_right = guess.is_some_and(|guess| guess.token == id);
            right += usize::from(is_right);
            if !is_right || !answer.is_open() {
                break;
            }
        }
        if answer.is_open() && right < self.guesses.len() {
            // All but the last token, which runs with the next guesses.
            let length = answer.history().len().saturating_sub(1);
            self.model.cut(length)?;
            self.guide.as_mut().map_or(Ok(()), |guide| guide.cut(length))?;
        }
        drafts.judged(right, self.guesses.len());
        self.guesses.clear();
        self.logits.clear();
        Ok(tokens)
    }

    /// Whether an answer ended before it matched what it must ([`Generated::is_cut`]).
    pub fn is_cut(&self) -> bool {
        self.answers.iter().any(Answer::is_cut)
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

/// What may come next: not more than there is room for, and only what the model knows.
fn guesses<M: LanguageModel>(drafts: &mut Drafts<M>, answer: &Answer, positions: Option<usize>, vocabulary: usize) -> Result<Vec<Guess>> {
    let history = answer.history();
    // The model says one token more itself.
    let most = answer.room().min(positions.unwrap_or(usize::MAX).saturating_sub(history.len())).saturating_sub(1);
    let mut guesses = drafts.guess(history, most)?;
    let foreign = |guess: &Guess| guess.token as usize >= vocabulary;
    guesses.truncate(guesses.iter().position(foreign).unwrap_or(most));
    Ok(guesses)
}

impl<M> std::fmt::Debug for Steps<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steps").field("answers", &self.answers.len()).field("open", &self.open.len()).finish_non_exhaustive()
    }
}
