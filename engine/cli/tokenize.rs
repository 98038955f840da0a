//! `formers tokenize`: what a model's tokenizer makes of texts.

use anyhow::Result;
use clap::Args;
use formers::{
    model::Pretrained,
    preprocess::text::{
        EncodeOptions, Encoding, Text, Tokenizer,
        chat::{ChatOptions, ChatTemplates},
    },
};
use serde_json::{Value, json};

use super::{
    failure::asked,
    input,
    model_options::ModelOptions,
    output,
    table::{self, thousands},
};

/// Show the tokens of a text, or of a pair of texts, and how many there are
///
/// Offsets are in characters, from 0, the end not included, as Python's tokenizers give them. Nothing is cut off.
#[derive(Args)]
pub(super) struct Tokenize {
    /// The text; - reads standard input to its end.
    text: String,
    /// The second text of a pair.
    pair: Option<String>,
    /// A model on the Hub or a folder.
    #[arg(short, long, value_name = "REPO|DIR")]
    pub(super) model: String,
    /// TEXT is a chat, a JSON list of messages, as its template writes it with the beginning of an answer.
    #[arg(long, conflicts_with = "pair")]
    chat: bool,
    /// Leave out the tokens that the model wants around a text.
    #[arg(long)]
    no_special_tokens: bool,
    /// Print only how many tokens there are.
    #[arg(long, conflicts_with = "json")]
    count: bool,
    /// Print JSON: count, ids, tokens, offsets, special_tokens_mask, type_ids, sequence_ids and word_ids.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) options: ModelOptions,
}

impl Tokenize {
    pub(super) fn execute(self) -> Result<()> {
        if self.text == "-" && self.pair.as_deref() == Some("-") {
            return Err(asked("TEXT: - stands for standard input, which can be read only once"));
        }
        let read = |text: &str| if text == "-" { input::text("-") } else { Ok(text.to_owned()) };
        let (text, pair) = (read(&self.text)?, self.pair.as_deref().map(read).transpose()?);
        let messages: Option<Vec<Value>> = match self.chat {
            true => Some(serde_json::from_str(&text).map_err(|error| asked(format!("TEXT: not a JSON list of messages: {error}")))?),
            false => None,
        };
        let pretrained = Pretrained::open(self.options.resolve(&self.model))?;
        let tokenizer = pretrained.tokenizer()?;
        let options = EncodeOptions { add_special_tokens: !self.no_special_tokens, ..EncodeOptions::default() };
        let encoding = match messages {
            Some(messages) => {
                let chat = ChatOptions { add_generation_prompt: true, ..ChatOptions::default() };
                ChatTemplates::from_files(&pretrained.checkpoint)?.encode(&tokenizer, &messages, &chat, &options)?
            }
            None => tokenizer.encode(&text, pair.as_deref().map(Text::from), &options)?,
        };
        if self.json {
            return output::json(&document(&encoding, &tokenizer));
        }
        if self.count {
            return output::text(&format!("{}\n", encoding.len()));
        }
        output::text(&shown(&encoding, &tokenizer))
    }
}

/// As Python's tokenizers name them. Those that do not know where tokens lie have no offsets and no words.
fn document(encoding: &Encoding, tokenizer: &Tokenizer) -> Value {
    let mut document = json!({
        "count": encoding.len(),
        "ids": encoding.ids,
        "tokens": encoding.tokens,
        "special_tokens_mask": encoding.special_tokens_mask,
        "type_ids": encoding.type_ids,
    });
    if let Some(fields) = document.as_object_mut().filter(|_| tokenizer.has_offsets()) {
        fields.insert("offsets".into(), json!(encoding.offsets));
        fields.insert("word_ids".into(), json!(encoding.word_ids));
        fields.insert("sequence_ids".into(), json!(encoding.sequence_ids));
    }
    document
}

fn shown(encoding: &Encoding, tokenizer: &Tokenizer) -> String {
    let mut rows = vec![["id", "token", "offsets", ""].map(str::to_owned).to_vec()];
    for place in 0..encoding.len() {
        let special = encoding.special_tokens_mask.get(place) == Some(&1);
        let offsets = encoding.offsets.get(place).filter(|_| tokenizer.has_offsets() && !special);
        rows.push(vec![
            encoding.ids.get(place).map(u32::to_string).unwrap_or_default(),
            encoding.tokens.get(place).map(|token| format!("{token:?}")).unwrap_or_default(),
            offsets.map(|(start, end)| format!("{start}..{end}")).unwrap_or_default(),
            if special { "special" } else { "" }.to_owned(),
        ]);
    }
    let count = encoding.len();
    let most = match tokenizer.model_max_length() {
        Some(most) if most < count => format!(", more than the {} that the model takes", thousands(most as u64)),
        Some(most) => format!(" of {} that the model takes", thousands(most as u64)),
        None => String::new(),
    };
    let noun = if count == 1 { "token" } else { "tokens" };
    format!("{}\n{} {noun}{most}\n", table::aligned(&rows), thousands(count as u64))
}
