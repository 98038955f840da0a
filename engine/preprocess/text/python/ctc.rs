//! Wav2Vec2 and its relatives: a token for each letter, of which a speech model gives one per frame of sound.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Parts, Vocabulary, Words, text_setting};
use crate::preprocess::text::backend::Joining;
use crate::preprocess::text::classes::{Class, DEFAULT};
use crate::preprocess::text::init::{Init, Special, Token};
use crate::preprocess::text::parts::missing;
use crate::preprocess::text::vocabulary::damaged;
use crate::preprocess::text::{Files, SpecialTokens};
use crate::{Error, Result};

pub(in super::super) const WAV2VEC2_CTC: Class = Class {
    name: "Wav2Vec2CTCTokenizer",
    special: &[("bos_token", Some("<s>")), ("eos_token", Some("</s>")), ("unk_token", Some("<unk>")), ("pad_token", Some("<pad>"))],
    python: Some(read),
    ..DEFAULT
};

/// A transcription with the places of its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CtcText {
    /// The text.
    pub text: String,
    /// Its characters, as the vocabulary has them.
    pub char_offsets: Vec<CtcOffset>,
    /// Its words.
    pub word_offsets: Vec<CtcOffset>,
}

/// A part of a transcription and the frames that it spans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CtcOffset {
    /// The character or word.
    pub text: String,
    /// The first frame.
    pub start_offset: usize,
    /// The frame behind the last.
    pub end_offset: usize,
}

/// How letters become a text.
#[derive(Debug)]
pub(crate) struct Ctc {
    vocabulary: Vocabulary,
    pub(super) word_delimiter: String,
    space: String,
    lower: bool,
}

fn read(files: &dyn Files, init: &mut Init) -> Result<Parts> {
    let bytes = files.read("vocab.json")?.ok_or_else(|| missing(&WAV2VEC2_CTC, &["vocab.json"]))?;
    let mut vocab: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| damaged("vocab.json", error))?;
    if let Some(language) = init.text("target_lang") {
        vocab = match vocab.remove(language) {
            Some(Value::Object(vocab)) => vocab,
            _ => return Err(Error::config(format!("vocab.json has no vocabulary for target_lang {language:?} of tokenizer_config.json"))),
        };
    }
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let entries: Vec<(String, u32)> = vocab.iter().filter_map(|(token, value)| Some((token.clone(), id(value)?))).collect();
    // Letters aside, tokens are found in a text as they are, with the space around them.
    let long = entries.iter().filter(|(token, _)| token.chars().count() > 1);
    let added = long.map(|(token, _)| Token { rstrip: true, normalized: Some(false), ..Token::lstrip(token.as_str()) }).collect();
    if !init.model_specific.iter().any(|(name, _)| name == "word_delimiter_token") {
        init.model_specific.push(("word_delimiter_token".to_owned(), Special::Text("|".to_owned())));
    }
    let words = Ctc {
        vocabulary: Vocabulary::new(entries),
        word_delimiter: "|".to_owned(),
        space: text_setting(init, "replace_word_delimiter_char", " ").to_owned(),
        lower: init.flag("do_lower_case", false),
    };
    Ok(Parts { added, ..Parts::new(words) })
}

impl Words for Ctc {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let text = if self.lower { text.to_uppercase() } else { text.to_owned() };
        text.replace(' ', &self.word_delimiter).chars().map(String::from).collect()
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.vocabulary.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.vocabulary.tokens.get(&id).cloned()
    }

    fn size(&self) -> usize {
        self.vocabulary.tokens.len()
    }

    fn join(&self, tokens: &[String], special: &SpecialTokens) -> String {
        self.read(tokens, special.pad_token()).text
    }

    fn joining(&self) -> Joining {
        Joining::Whole
    }

    fn before_added(&self) -> bool {
        true
    }

    fn ctc(&self) -> Option<&Ctc> {
        Some(self)
    }
}

impl Ctc {
    /// Joins repeated tokens into one character, and leaves out the blank, which is the padding token.
    pub(super) fn read(&self, tokens: &[String], blank: Option<&str>) -> CtcText {
        let mut characters = Vec::new();
        let mut start = 0;
        for run in tokens.chunk_by(|a, b| a == b) {
            let end = start + run.len();
            if blank != Some(run[0].as_str()) {
                let text = if run[0] == self.word_delimiter { &self.space } else { &run[0] };
                characters.push(CtcOffset { text: text.clone(), start_offset: start, end_offset: end });
            }
            start = end;
        }
        let joined: String = characters.iter().map(|character| character.text.as_str()).collect();
        let text = joined.trim();
        let text = if self.lower { text.to_lowercase() } else { text.to_owned() };
        CtcText { text, word_offsets: self.words(&characters), char_offsets: characters }
    }

    /// Words between the spaces. Spaces that follow each other lengthen the frame at which the last word ended, and the
    /// text of a word that has not begun, as in the reference.
    fn words(&self, characters: &[CtcOffset]) -> Vec<CtcOffset> {
        let mut words = Vec::new();
        let mut word = CtcOffset::default();
        let mut in_word = false;
        for character in characters {
            let is_letter = character.text != self.space;
            match (is_letter, in_word) {
                _ if is_letter == in_word => {
                    word.end_offset = character.end_offset;
                    word.text.push_str(&character.text);
                }
                (true, _) => word = character.clone(),
                (false, _) => words.push(word.clone()),
            }
            in_word = is_letter;
        }
        words.extend(in_word.then_some(word));
        words
    }
}
