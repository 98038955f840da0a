//! What the reference's config classes say about generation where `config.json` says nothing.

use serde_json::Value;

/// By `model_type`.
#[rustfmt::skip]
const DEFAULTS: &[(&str, &[(&str, i64)])] = &[
    ("bart", &[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("decoder_start_token_id", 2), ("forced_eos_token_id", 2)]),
    ("blenderbot", &[("pad_token_id", 0), ("bos_token_id", 1), ("eos_token_id", 2), ("decoder_start_token_id", 1), ("forced_eos_token_id", 2), ("encoder_no_repeat_ngram_size", 3)]),
    ("blenderbot-small", &[("pad_token_id", 0), ("bos_token_id", 1), ("eos_token_id", 2), ("decoder_start_token_id", 1), ("forced_eos_token_id", 2)]),
    ("led", &[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("decoder_start_token_id", 2)]),
    ("longt5", &[("pad_token_id", 0), ("eos_token_id", 1)]),
    ("m2m_100", &[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("decoder_start_token_id", 2)]),
    ("marian", &[("pad_token_id", 58100), ("eos_token_id", 0), ("decoder_start_token_id", 58100), ("forced_eos_token_id", 0)]),
    ("mbart", &[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("forced_eos_token_id", 2)]),
    ("mt5", &[("pad_token_id", 0), ("eos_token_id", 1), ("decoder_start_token_id", 0)]),
    ("mvp", &[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("decoder_start_token_id", 2), ("forced_eos_token_id", 2)]),
    ("nllb-moe", &[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("decoder_start_token_id", 2)]),
    ("pegasus", &[("pad_token_id", 0), ("eos_token_id", 1), ("decoder_start_token_id", 0), ("forced_eos_token_id", 1)]),
    ("plbart", &[("pad_token_id", 1), ("bos_token_id", 0), ("eos_token_id", 2), ("forced_eos_token_id", 2)]),
    ("prophetnet", &[("pad_token_id", 0), ("bos_token_id", 1), ("eos_token_id", 2), ("decoder_start_token_id", 0)]),
    ("t5", &[("pad_token_id", 0), ("eos_token_id", 1)]),
    ("umt5", &[("pad_token_id", 0), ("eos_token_id", 1), ("decoder_start_token_id", 0)]),
];

/// `config.json` with the tokens, and what else decides how to generate, that the architecture has by default.
pub fn with_generation_defaults(config: &Value) -> Value {
    let mut config = config.clone();
    let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let defaults = DEFAULTS.iter().find(|(name, _)| *name == model_type).map_or(&[][..], |(_, defaults)| defaults);
    if let Some(fields) = config.as_object_mut() {
        for (name, value) in defaults {
            fields.entry(*name).or_insert_with(|| (*value).into());
        }
    }
    config
}

/// How a decoder's tokens are made of what the encoder reads, where a call gives no others: those, but for the last, behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The token that answers start from.
    BehindStart,
    /// The last of them.
    BehindLast,
}

const MOVED: &[(&str, Moved)] = &[("bart", Moved::BehindStart), ("mbart", Moved::BehindLast), ("plbart", Moved::BehindLast)];

/// Whether the architecture makes its decoder's tokens of what the encoder reads, and how.
pub fn moves_what_it_reads(config: &Value) -> Option<Moved> {
    let model_type = config.get("model_type")?.as_str()?;
    MOVED.iter().find(|(name, _)| *name == model_type).map(|(_, moved)| *moved)
}
