//! The formats, a file each.

mod command_a;
mod command_r;
mod deepseek;
mod exaone;
mod function_gemma;
mod gemma;
mod gpt_oss;
mod granite;
mod hermes;
mod kimi;
mod lfm2;
mod llama3;
mod mistral;
mod phi4;
mod seed_think;

use super::format::Format;

/// All formats. A chat template may have marks of several: the first that fits is taken, so what is told by more comes before what is told
/// by less.
pub(super) const FORMATS: &[&Format] = &[
    &mistral::FORMAT,
    &gpt_oss::FORMAT,
    &deepseek::FORMAT,
    &kimi::FORMAT,
    &function_gemma::FORMAT,
    &gemma::FORMAT,
    &lfm2::FORMAT,
    &phi4::FORMAT,
    &granite::FORMAT,
    &command_a::FORMAT,
    &hermes::FORMAT,
    &llama3::FORMAT,
    &command_r::FORMAT,
    &exaone::FORMAT,
    &seed_think::FORMAT,
];
