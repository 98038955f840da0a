//! The tokenizer's keyword arguments among those of a call.

use serde::Deserialize;

use super::Parameters;
use crate::{
    Error, Result,
    preprocess::text::{EncodeOptions, PaddingStrategy, Side, Truncation},
};

/// `truncation` and `padding` as the tokenizer takes them: a boolean, or the name of a strategy.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Argument {
    Flag(bool),
    Strategy(String),
}

/// The tokenizer's keyword arguments among those of a call.
pub(crate) const TOKENIZER_PARAMETERS: &[&str] =
    &["truncation", "max_length", "add_special_tokens", "stride", "truncation_side", "padding"];

/// Takes them.
pub(crate) fn encode_options(parameters: &mut Parameters) -> Result<EncodeOptions> {
    let max_length = parameters.take("max_length")?;
    let padding = padding(parameters)?.unwrap_or_default();
    let truncation = match truncation(parameters)? {
        Some(truncation) => truncation,
        // As in Python, a length alone truncates, but with padding it is what to pad to.
        None if max_length.is_some() && padding == PaddingStrategy::DoNotPad => Truncation::LongestFirst,
        None => Truncation::DoNotTruncate,
    };
    let side = match parameters.take::<String>("truncation_side")?.as_deref() {
        None => None,
        Some("left") => Some(Side::Left),
        Some("right") => Some(Side::Right),
        Some(other) => return Err(Error::request("parameters.truncation_side", format!("{other:?} is neither left nor right"))),
    };
    Ok(EncodeOptions {
        add_special_tokens: parameters.take("add_special_tokens")?.unwrap_or(true),
        truncation,
        max_length,
        stride: parameters.take("stride")?.unwrap_or(0),
        return_overflowing: false,
        truncation_side: side,
        padding,
    })
}

/// Takes `truncation`: a boolean, or the name of a strategy.
pub(crate) fn truncation(parameters: &mut Parameters) -> Result<Option<Truncation>> {
    Ok(match parameters.take::<Argument>("truncation")? {
        Some(Argument::Flag(true)) => Some(Truncation::LongestFirst),
        Some(Argument::Flag(false)) => Some(Truncation::DoNotTruncate),
        Some(Argument::Strategy(name)) => match name.as_str() {
            "longest_first" => Some(Truncation::LongestFirst),
            "only_first" => Some(Truncation::OnlyFirst),
            "only_second" => Some(Truncation::OnlySecond),
            "do_not_truncate" => Some(Truncation::DoNotTruncate),
            _ => return Err(Error::request("parameters.truncation", format!("no strategy {name:?}"))),
        },
        None => None,
    })
}

/// Takes `padding`: a boolean, or the name of a strategy.
pub(crate) fn padding(parameters: &mut Parameters) -> Result<Option<PaddingStrategy>> {
    let argument = parameters.take::<Argument>("padding")?;
    argument
        .map(|argument| match argument {
            Argument::Flag(false) => Ok(PaddingStrategy::DoNotPad),
            Argument::Flag(true) => Ok(PaddingStrategy::Longest),
            Argument::Strategy(name) => match name.as_str() {
                "do_not_pad" => Ok(PaddingStrategy::DoNotPad),
                "longest" => Ok(PaddingStrategy::Longest),
                "max_length" => Ok(PaddingStrategy::MaxLength),
                _ => Err(Error::request("parameters.padding", format!("no strategy {name:?}"))),
            },
        })
        .transpose()
}
