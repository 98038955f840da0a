//! Which prompts run together, and what the model says where their answers stand.

use std::{num::NonZeroUsize, sync::atomic::Ordering};

use super::{Decision, prompt::Prompt};
use crate::{
    Error, ErrorKind, Result,
    generate::{self, LanguageModel},
    pipelines::{batches, usage},
};

/// So many prompts run at once where the call does not say how many.
const BATCH_SIZE: usize = 32;

/// A beginning shorter than this is read again sooner than kept.
const SHARED: usize = 64;

/// For each question of a prompt the logits of its labels.
type Logits = Vec<Vec<f32>>;

impl Decision {
    /// For each prompt and each of its questions the logits of the labels.
    pub(super) fn logits(&self, prompts: &[&Prompt], batch_size: Option<NonZeroUsize>) -> Vec<Result<Logits>> {
        let couples = formers_models::couples_rows(self.model_config.value());
        let most = if couples { 1 } else { batch_size.map_or(BATCH_SIZE, NonZeroUsize::get) };
        let mut found: Vec<Option<Result<Logits>>> = prompts.iter().map(|_| None).collect();
        // Questions about one state: what they have in common is read once.
        for places in if couples { Vec::new() } else { alike(prompts) } {
            let chosen: Vec<&Prompt> = places.iter().map(|&place| prompts[place]).collect();
            if !self.keeps_beginnings.load(Ordering::Relaxed) {
                break;
            }
            match self.one_after_another(&chosen) {
                Ok(logits) => places.into_iter().zip(logits).for_each(|(place, logits)| found[place] = Some(Ok(logits))),
                Err(error) if error.kind() == ErrorKind::Unsupported => self.keeps_beginnings.store(false, Ordering::Relaxed),
                // Whichever it is fails alone.
                Err(_) => {}
            }
        }
        let left = (0..prompts.len()).filter(|&place| found[place].is_none());
        // A prompt with several questions goes on from one to the next, by itself.
        let (alone, together): (Vec<usize>, Vec<usize>) = left.partition(|&place| prompts[place].marks.len() > 1);
        let lengths: Vec<usize> = together.iter().map(|&place| prompts[place].tokens_of(0).len()).collect();
        let batches = batches::by_length(&lengths, most, batch_size.is_some()).into_iter();
        let batches = batches.map(|batch| batch.into_iter().map(|index| together[index]).collect());
        for batch in batches.chain(alone.into_iter().map(|place| vec![place])).collect::<Vec<Vec<usize>>>() {
            let chosen: Vec<&Prompt> = batch.iter().map(|&place| prompts[place]).collect();
            let logits: Vec<Result<Logits>> = match self.forward(&chosen) {
                Ok(logits) => logits.into_iter().map(Ok).collect(),
                Err(error) if chosen.len() == 1 => vec![Err(self.explained(error, chosen[0]))],
                // What the model cannot run, such as a prompt beyond its positions, fails alone.
                Err(_) => {
                    let alone =
                        |prompt: &&Prompt| self.forward(&[prompt]).map(|logits| logits.concat()).map_err(|e| self.explained(e, prompt));
                    chosen.iter().map(alone).collect()
                }
            };
            batch.into_iter().zip(logits).for_each(|(place, logits)| found[place] = Some(logits));
        }
        usage::tell(prompts.iter().filter_map(|prompt| prompt.marks.last()).sum(), 0);
        let lost = || Err(Error::new(ErrorKind::Runtime, "a prompt was not answered"));
        found.into_iter().map(|logits| logits.unwrap_or_else(lost)).collect()
    }

    /// The logits for prompts with one question each, of which each begins as the one before it.
    ///
    /// # Errors
    /// An unsupported one where the model cannot take tokens back.
    fn one_after_another(&self, prompts: &[&Prompt]) -> Result<Vec<Logits>> {
        let mut model = generate::open(&self.model, self.model_config.value())?;
        let (mut before, mut logits): (&[u32], Vec<Logits>) = (&[], Vec::new());
        for prompt in prompts {
            let tokens = prompt.tokens_of(0);
            let shared = in_common(before, tokens);
            if !before.is_empty() {
                model.cut(shared)?;
            }
            before = tokens;
            logits.push(vec![prompt.of_labels(0, &model.forward(&[tokens.get(shared..).unwrap_or_default()])?)?]);
        }
        Ok(logits)
    }

    /// The logits for prompts with one question each, or for a single prompt. What stands behind the last answer is not needed.
    fn forward(&self, prompts: &[&Prompt]) -> Result<Vec<Logits>> {
        let mut model = generate::open(&self.model, self.model_config.value())?;
        let rows: Vec<&[u32]> = prompts.iter().map(|prompt| prompt.tokens_of(0)).collect();
        let mut logits = model.forward(&rows)?;
        let vocabulary = (logits.len() / rows.len().max(1)).max(1);
        let rows = prompts.iter().zip(logits.chunks(vocabulary)).map(|(prompt, logits)| Ok(vec![prompt.of_labels(0, logits)?]));
        let mut answers = rows.collect::<Result<Vec<_>>>()?;
        if let ([prompt], [answers]) = (prompts, answers.as_mut_slice()) {
            for question in 1..prompt.marks.len() {
                let tokens = prompt.tokens_of(question);
                if !tokens.is_empty() {
                    logits = model.forward(&[tokens])?;
                }
                answers.push(prompt.of_labels(question, &logits)?);
            }
        }
        Ok(answers)
    }

    /// What a model says of more tokens than it has positions for, in words.
    fn explained(&self, error: Error, prompt: &Prompt) -> Error {
        let positions = ["max_position_embeddings", "n_positions"].iter().find_map(|field| self.model_config.integer(field));
        let length = prompt.marks.last().copied().unwrap_or(0);
        match positions.and_then(|positions| usize::try_from(positions).ok()) {
            Some(positions) if length > positions && error.kind() == ErrorKind::Runtime => {
                let message = format!("{length} tokens, and the model has positions for {positions}; shorten the state or the questions");
                Error::new(ErrorKind::Runtime, message).caused_by(error)
            }
            _ => error,
        }
    }
}

/// Neighbours with one question each that begin alike, two of them or more.
fn alike(prompts: &[&Prompt]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, prompt) in prompts.iter().enumerate() {
        let has_one = |prompt: &Prompt| prompt.marks.len() == 1;
        let before = place.checked_sub(1).and_then(|before| prompts.get(before)).filter(|before| has_one(before) && has_one(prompt));
        match groups.last_mut().filter(|_| before.is_some_and(|before| in_common(before.tokens_of(0), prompt.tokens_of(0)) >= SHARED)) {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// How many tokens two prompts begin with in common, so that one is left of the second.
fn in_common(first: &[u32], second: &[u32]) -> usize {
    first.iter().zip(second).take_while(|(a, b)| a == b).count().min(second.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(ids: impl IntoIterator<Item = u32>, marks: &[usize]) -> Prompt {
        Prompt { ids: ids.into_iter().collect(), marks: marks.to_vec(), questions: Vec::new(), labels: Vec::new() }
    }

    #[test]
    fn neighbours_that_begin_alike_are_found() {
        let state = 0..SHARED as u32;
        let with = |end: u32| prompt(state.clone().chain([end, end]), &[SHARED + 1]);
        let (short, several) = (prompt(state.clone().take(9), &[9]), prompt(state.clone().chain([1]), &[SHARED, SHARED + 1]));
        let (a, b, same) = (with(1), with(2), with(2));
        assert_eq!(alike(&[&a, &b, &same, &short, &b, &a]), [vec![0, 1, 2], vec![4, 5]]);
        assert_eq!(alike(&[&a, &several, &b]), Vec::<Vec<usize>>::new());
        assert_eq!(in_common(a.tokens_of(0), b.tokens_of(0)), SHARED);
        assert_eq!((in_common(&[1, 2], &[1, 2]), in_common(&[], &[1]), in_common(&[1], &[])), (1, 0, 0));
    }
}
