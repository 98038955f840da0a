//! The text of one row while it is written.

use crate::Result;
use crate::preprocess::text::{DecodeStream, Tokenizer, take_front};

/// Makes text of ids as they come, and holds back what may be the beginning of a stop string, so that nothing is shown that the end of
/// the row may take away.
pub struct TextStream<'t> {
    decoder: DecodeStream<'t>,
    stop_strings: Vec<String>,
    /// Decoded, but not shown.
    held: String,
}

impl<'t> TextStream<'t> {
    /// With the arguments of [`Tokenizer::decode`], and the stop strings of the row.
    pub fn new(
        tokenizer: &'t Tokenizer,
        skip_special_tokens: bool,
        clean_up_tokenization_spaces: Option<bool>,
        stop_strings: &[String],
    ) -> Self {
        let decoder = DecodeStream::new(tokenizer, skip_special_tokens, clean_up_tokenization_spaces);
        Self { decoder, stop_strings: stop_strings.to_vec(), held: String::new() }
    }

    /// Takes the next new id, and gives the text that can be shown with it; it is often empty.
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.held.push_str(&self.decoder.push(id)?);
        let may_stop = |at: &usize| {
            let rest = self.held.get(*at..).unwrap_or_default();
            self.stop_strings.iter().any(|stop| rest.starts_with(stop) || stop.starts_with(rest))
        };
        let end = self.held.char_indices().map(|(at, _)| at).find(may_stop).unwrap_or(self.held.len());
        Ok(if end == 0 { String::new() } else { take_front(&mut self.held, end) })
    }

    /// All the rest: what [`Self::push`] and this gave, joined, is the text of all ids.
    pub fn finish(self) -> Result<String> {
        Ok(self.held + &self.decoder.finish()?)
    }

    /// The rest, up to where the first stop string begins.
    pub fn finish_before_stop_string(self) -> Result<String> {
        let stop_strings = self.stop_strings.clone();
        let mut rest = self.finish()?;
        if let Some(end) = stop_strings.iter().filter_map(|stop| rest.find(stop.as_str())).min() {
            rest.truncate(end);
        }
        Ok(rest)
    }
}
