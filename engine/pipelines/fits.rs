//! Whether an input fits its model: what would need more memory than machines have is an error before it is tried, and a token that the
//! model has no row for is one in words.

use crate::{Error, ErrorKind, Result, config::ModelConfig, preprocess::text::Tokenizer, session::memory};

/// The most memory for the attention of one layer. More would exhaust the machine rather than fail.
const ATTENTION_BYTES: u64 = 16 << 30;
/// Less than this is not worth asking how much memory there is.
const SMALL_ATTENTION: u64 = 256 << 20;
/// What architectures call the number of heads.
const HEADS: &[&str] = &["num_attention_heads", "encoder_attention_heads", "num_heads", "n_head", "n_heads"];

/// Whether machines have room for the scores that one layer gives each pair of so many places.
pub(crate) fn has_room(places: usize, config: &ModelConfig) -> bool {
    let heads = HEADS.iter().find_map(|name| config.integer(name)).and_then(|heads| u64::try_from(heads).ok()).unwrap_or(12).max(1);
    let places = places as u64;
    let bytes = places.saturating_mul(places).saturating_mul(4).saturating_mul(heads);
    bytes <= SMALL_ATTENTION || bytes <= ATTENTION_BYTES.min(memory::available() / 2)
}

/// An error for a text whose attention alone would need more memory than machines have.
pub(crate) fn check_length(tokens: usize, config: &ModelConfig, tokenizer: &Tokenizer) -> Result<()> {
    if has_room(tokens, config) {
        return Ok(());
    }
    let most = match tokenizer.model_max_length() {
        Some(most) if tokens > most => format!("the {most} that the model takes"),
        _ => "memory has room for".to_owned(),
    };
    Err(Error::request("inputs", format!("{tokens} tokens are more than {most}; shorten the text, or truncate it")))
}

/// The same for a prompt. A decoder never has all scores in memory: within the positions of its model any prompt may come, and beyond
/// them as long a one as the reference has room for.
pub(crate) fn check_prompt(tokens: usize, positions: Option<usize>, config: &ModelConfig) -> Result<()> {
    match positions.filter(|positions| tokens > *positions && !has_room(tokens, config)) {
        Some(positions) => {
            Err(Error::request("inputs", format!("a prompt of {tokens} tokens, and the model has positions for {positions}; shorten it")))
        }
        None => Ok(()),
    }
}

/// What a model says of a token that it has no row for, in words.
pub(crate) fn explained(error: Error, ids: &[u32], config: &ModelConfig) -> Error {
    let (rows, id) = (config.integer("vocab_size"), ids.iter().max());
    match rows.zip(id).filter(|(rows, id)| i64::from(**id) >= *rows && error.kind() == ErrorKind::Runtime) {
        Some((rows, id)) => Error::new(
            ErrorKind::Checkpoint,
            format!("the tokenizer gives token {id}, but the model has {rows} (config.json: vocab_size); they do not belong together"),
        )
        .caused_by(error),
        None => error,
    }
}
