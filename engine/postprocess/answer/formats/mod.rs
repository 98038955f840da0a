//! The formats, a file each.

mod apertus;
mod apriel;
mod command_a;
mod command_r;
mod deepseek;
mod dots;
mod dsml;
mod exaone;
mod function_gemma;
mod functionary;
mod functionary_tags;
mod functools;
mod gcml;
mod gemma;
mod gigachat3;
mod glm4;
mod gpt_oss;
mod granite;
mod granite_functions;
mod hermes;
mod hunyuan;
mod hyperclovax;
mod internlm2;
mod jamba;
mod kimi;
mod kimi_k3;
mod lfm2;
mod llama3;
mod llama4;
mod longcat;
mod minicpm3;
mod minicpm5;
mod minimax_m2;
mod minimax_m3;
mod mistral;
mod nemotron;
mod olmo3;
mod phi4;
mod seed_oss;
mod solar_open;
mod step3;
mod xlam;

use super::format::Format;

/// All formats. A chat template may have marks of several: the first that fits is taken, so what is told by more comes before what is told
/// by less.
pub(super) const FORMATS: &[&Format] = &[
    &mistral::FORMAT,
    &gpt_oss::FORMAT,
    &kimi_k3::FORMAT,
    &minimax_m3::FORMAT,
    &minimax_m2::FORMAT,
    &seed_oss::FORMAT,
    &dsml::FORMAT,
    &gcml::FORMAT,
    &dots::FORMAT,
    &step3::FORMAT,
    &solar_open::FORMAT,
    &apertus::FORMAT,
    &deepseek::FORMAT,
    &kimi::FORMAT,
    &function_gemma::FORMAT,
    &gemma::FORMAT,
    &minicpm3::FORMAT,
    &lfm2::FORMAT,
    &phi4::FORMAT,
    &functools::FORMAT,
    &apriel::FORMAT,
    &hunyuan::FORMAT,
    &jamba::FORMAT,
    &nemotron::FORMAT,
    &longcat::FORMAT,
    &internlm2::FORMAT,
    &olmo3::FORMAT,
    &minicpm5::FORMAT,
    &granite_functions::FORMAT,
    &granite::FORMAT,
    &command_a::FORMAT,
    &hyperclovax::FORMAT,
    &glm4::FORMAT,
    &gigachat3::FORMAT,
    &hermes::FORMAT,
    &functionary::FORMAT,
    &functionary_tags::FORMAT,
    &llama4::FORMAT,
    &llama3::FORMAT,
    &command_r::FORMAT,
    &exaone::FORMAT,
    &xlam::FORMAT,
];
