//! Scores for starts and ends become answers.

use std::collections::HashMap;

use serde::Serialize;

/// A run of tokens as the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Its first token.
    pub start: usize,
    /// Its last token.
    pub end: usize,
    /// The product of the probabilities that the answer starts and ends there.
    pub score: f32,
}

/// A part of a context as the answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Its probability within its window, summed over the places where the same words stand.
    pub score: f64,
    /// Where it starts in the context, in characters.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Its text.
    pub answer: String,
}

/// Probabilities of the tokens that may be in the answer; the others have next to none.
pub fn probabilities(logits: &[f32], allowed: &[bool]) -> Vec<f32> {
    let masked: Vec<f32> = logits.iter().zip(allowed).map(|(logit, allowed)| if *allowed { *logit } else { -10_000.0 }).collect();
    super::scores::softmax(&masked)
}

/// The best spans of up to `longest` tokens, best first, whose ends may both be in the answer.
///
/// As in the reference, all pairs of tokens compete for the `count` places, those that are no spans with a score of zero,
/// and the pairs that may not be in the answer leave only afterwards. Of equals the first in the text wins.
pub fn decode_spans(start: &[f32], end: &[f32], allowed: &[bool], count: usize, longest: usize) -> Vec<Span> {
    let length = start.len().min(end.len());
    let count = count.min(length.saturating_mul(length));
    let better = |a: &Span, b: &Span| b.score.total_cmp(&a.score).then((a.start, a.end).cmp(&(b.start, b.end)));
    let mut best: Vec<Span> = Vec::new();
    for (first, start) in start.iter().enumerate().take(length) {
        let spans = end[..length].iter().enumerate().skip(first).take(longest);
        let spans = spans.map(|(last, end)| Span { start: first, end: last, score: start * end });
        best.extend(spans.filter(|span| span.score > 0.0));
        // Keeps the list short, however long the text is.
        if best.len() > count.saturating_mul(4).saturating_add(4096) {
            best.select_nth_unstable_by(count, better);
            best.truncate(count);
        }
    }
    best.sort_unstable_by(better);
    best.truncate(count);
    fill_up(&mut best, count, length);
    best.retain(|span| allowed.get(span.start) == Some(&true) && allowed.get(span.end) == Some(&true));
    best
}

/// Takes pairs of no probability until there are `count`.
///
/// Which ones the reference takes is up to numpy's selection: where there are many, mostly the last, which end with a separator
/// and so are no answers in the end.
fn fill_up(best: &mut Vec<Span>, count: usize, length: usize) {
    const FEW: usize = 256;
    let missing = count.saturating_sub(best.len());
    if missing == 0 {
        return;
    }
    let mut taken: Vec<usize> = best.iter().map(|span| span.start * length + span.end).collect();
    taken.sort_unstable();
    let pairs = length.saturating_mul(length);
    let free = (0..pairs).map(|i| if pairs <= FEW { i } else { pairs - 1 - i }).filter(|pair| taken.binary_search(pair).is_err());
    best.extend(free.take(missing).map(|pair| Span { start: pair / length, end: pair % length, score: 0.0 }));
}

/// The answers of all windows: those of the same words, whatever their case, count together.
#[derive(Debug, Default)]
pub struct Answers {
    answers: Vec<Answer>,
    places: HashMap<String, usize>,
}

impl Answers {
    /// Adds what a window says.
    pub fn add(&mut self, answer: Answer) {
        let found = self.places.entry(answer.answer.to_lowercase()).or_insert(self.answers.len());
        match self.answers.get_mut(*found) {
            Some(same) => same.score += answer.score,
            None => self.answers.push(answer),
        }
    }

    /// The best answers, best first. `impossible` is the score of there being none.
    pub fn best(mut self, count: usize, impossible: Option<f64>) -> Vec<Answer> {
        self.answers.extend(impossible.map(|score| Answer { score, start: 0, end: 0, answer: String::new() }));
        self.answers.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.answers.truncate(count);
        self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(spans: &[Span]) -> Vec<(usize, usize)> {
        spans.iter().map(|span| (span.start, span.end)).collect()
    }

    #[test]
    fn spans_come_best_first_and_not_too_long() {
        let (start, end, allowed) = ([0.1, 0.6, 0.3], [0.2, 0.3, 0.5], [true; 3]);
        assert_eq!(places(&decode_spans(&start, &end, &allowed, 3, 15)), [(1, 2), (1, 1), (2, 2)]);
        assert_eq!(places(&decode_spans(&start, &end, &allowed, 2, 1)), [(1, 1), (2, 2)]);
        assert_eq!(places(&decode_spans(&[0.5, 0.5], &[0.5, 0.5], &[true; 2], 9, usize::MAX)), [(0, 0), (0, 1), (1, 1), (1, 0)]);
    }

    #[test]
    fn pairs_that_may_not_be_answers_take_places_all_the_same() {
        let (start, end) = ([0.0, 0.0, 1.0], [0.0, 0.0, 1.0]);
        assert_eq!(places(&decode_spans(&start, &end, &[true, false, true], 3, 15)), [(2, 2), (0, 0)]);
        assert_eq!(places(&decode_spans(&start, &end, &[true, false, true], 4, 15)), [(2, 2), (0, 0), (0, 2)]);
        assert!(decode_spans(&[], &[], &[], 5, 5).is_empty());
        assert!(decode_spans(&start, &end, &[true; 3], 0, 15).is_empty());
    }

    #[test]
    fn among_many_pairs_the_last_fill_up() {
        let mut start = vec![0.0; 20];
        start[18] = 1.0;
        let mut allowed = vec![true; 20];
        assert_eq!(places(&decode_spans(&start, &start, &allowed, 3, 15)), [(18, 18), (19, 19), (19, 18)]);
        allowed[19] = false;
        assert_eq!(places(&decode_spans(&start, &start, &allowed, 20, 15)), [(18, 18)]);
    }

    #[test]
    fn a_short_list_of_many_spans_is_that_of_all() {
        let start: Vec<f32> = (0..300).map(|i| ((i * 7919) % 1009) as f32).collect();
        let end: Vec<f32> = (0..300).map(|i| ((i * 104_729) % 997) as f32).collect();
        let allowed = vec![true; 300];
        let all = decode_spans(&start, &end, &allowed, usize::MAX, 300);
        assert_eq!(all.len(), 300 * 300);
        assert_eq!(decode_spans(&start, &end, &allowed, 20, 300), all[..20]);
    }

    #[test]
    fn masked_tokens_have_no_probability() {
        assert_eq!(probabilities(&[3.0, 1.0, 1.0], &[false, true, true]), [0.0, 0.5, 0.5]);
        assert_eq!(probabilities(&[3.0, 1.0], &[false, false]), [0.5, 0.5]);
    }

    #[test]
    fn the_same_words_count_together() {
        let answer = |score, start, text: &str| Answer { score, start, end: start + text.chars().count(), answer: text.into() };
        let mut answers = Answers::default();
        for one in [answer(0.4, 5, "Paris"), answer(0.3, 0, "the"), answer(0.2, 9, "PARIS")] {
            answers.add(one);
        }
        let best = answers.best(2, Some(0.5));
        assert_eq!(best.iter().map(|a| (a.answer.as_str(), a.start)).collect::<Vec<_>>(), [("Paris", 5), ("", 0)]);
        assert!((best[0].score - 0.6).abs() < 1e-9);
    }
}
