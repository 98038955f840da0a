//! Logits processors: what changes the logits of a step before a token is chosen. One file per family; the list is built from a
//! [`GenerationConfig`] in the order of version 5 of the reference, and each gives its numbers.

mod bias;
mod cutoff;
mod forced;
mod guidance;
mod length;
mod ngrams;
mod prefix;
mod repetition;
mod suppress;
mod synth_id;
mod top;
mod torch_random;
mod typical;
mod values;
mod watermark;

pub use bias::SequenceBias;
pub use cutoff::{EpsilonCutoff, EtaCutoff, MinP};
pub use forced::{ForcedBosToken, ForcedEosToken};
pub use guidance::{Guidance, mix, mix_log_probs};
pub use length::{ExponentialDecayLengthPenalty, MinLength, MinNewTokens};
pub use ngrams::{EncoderNoRepeatNGram, NoRepeatNGram};
pub use prefix::{PrefixAllowedTokens, PrefixConstrained};
pub use repetition::{EncoderRepetitionPenalty, RepetitionPenalty};
pub use suppress::{SuppressTokens, SuppressTokensAtBegin};
pub use synth_id::SynthIdWatermark;
pub use top::{TopH, TopK, TopP};
pub use typical::TypicalP;
pub use values::{LogitNormalization, RemoveInvalidValues, Temperature};
pub use watermark::GreenListWatermark;

use crate::config::{GenerationConfig, Watermarking};
use crate::{Error, Result};

/// A row that is being generated: what processors know of it besides its logits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Row<'a> {
    /// Its place among all rows of the call (`input · rows per input + beam or sample`), also when rows that have ended are left out.
    pub index: usize,
    /// The tokens so far: prompt (of decoders; with padding where the reference would have it) and new ones.
    pub history: &'a [u32],
    /// How many tokens on the left of the history are padding.
    pub padding: usize,
    /// The logits of the same step without the prompt (or with the negative one), for guidance. In beam search of the reference, what
    /// they come from stays with the row when its beam changes: it is the last token that the row had at each step.
    pub unconditional: Option<&'a [f32]>,
}

/// Changes the logits of a step. Beam search gives logarithms of probabilities instead of logits, as the reference does.
pub trait Processor: Send {
    /// Changes the logits of one row in place.
    fn process(&mut self, row: &Row<'_>, logits: &mut [f32]) -> Result<()>;

    /// Changes the logits of all rows, `(rows, vocabulary)`; for processors for which rows depend on each other.
    fn process_rows(&mut self, rows: &[Row<'_>], logits: &mut [f32]) -> Result<()> {
        let Some(vocabulary) = logits.len().checked_div(rows.len()).filter(|v| *v > 0) else { return Ok(()) };
        rows.iter().zip(logits.chunks_exact_mut(vocabulary)).try_for_each(|(row, logits)| self.process(row, logits))
    }

    /// Whether an answer with this history, the prompt included, is one that may end here.
    fn is_met(&mut self, _history: &[u32]) -> bool {
        true
    }
}

/// What the list of processors depends on besides the configuration.
#[derive(Default)]
pub struct Context<'a> {
    /// The (padded) length of the decoder's prompt.
    pub prompt_length: usize,
    /// From [`GenerationConfig::lengths`].
    pub max_length: usize,
    /// From [`GenerationConfig::lengths`].
    pub min_length: i64,
    /// `vocab_size` of `config.json`, for watermarks.
    pub vocab_size: usize,
    /// The input of the encoder, or for decoders the prompt, one row per input, padding included; empty where inputs are not tokens.
    pub encoder_input_ids: &'a [Vec<u32>],
    /// The caller's constraint.
    pub prefix_allowed_tokens: Option<PrefixAllowedTokens>,
    /// The caller's own processors: after those that forbid tokens, before those that shape the distribution for sampling.
    pub custom: Vec<Box<dyn Processor>>,
}

/// The processors of a call, in order.
pub struct Processors {
    list: Vec<Box<dyn Processor>>,
    guided: bool,
}

impl Processors {
    /// The processors that a configuration asks for, in the order of `_get_logits_processor`.
    pub fn new(config: &GenerationConfig, context: Context<'_>) -> Result<Self> {
        let mut list: Vec<Box<dyn Processor>> = Vec::new();
        let guidance = config.guidance_scale.filter(|scale| *scale != 1.0);
        if let Some(scale) = guidance {
            list.push(Box::new(Guidance::new(scale)));
        }
        forbid(config, &context, &mut list)?;
        list.extend(context.custom);
        if config.do_sample {
            shape(config, &mut list)?;
        }
        match &config.watermarking {
            Some(Watermarking::GreenList { greenlist_ratio, bias, hashing_key, selfhash, context_width }) => {
                let mark = GreenListWatermark::new(context.vocab_size, *greenlist_ratio, *bias, *hashing_key, *selfhash, *context_width)?;
                list.push(Box::new(mark));
            }
            Some(Watermarking::SynthId { .. }) => list.extend(config.watermarking.as_ref().map(SynthIdWatermark::boxed).transpose()?),
            None => {}
        }
        if config.renormalize_logits {
            list.push(Box::new(LogitNormalization));
        }
        Ok(Self { list, guided: guidance.is_some() })
    }

    /// Whether rows need unconditional logits.
    pub fn is_guided(&self) -> bool {
        self.guided
    }

    /// Whether logits stay as they are.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Changes the logits of a step in place, `(rows, vocabulary)`.
    pub fn process(&mut self, rows: &[Row<'_>], logits: &mut [f32]) -> Result<()> {
        if rows.is_empty() || logits.is_empty() || !logits.len().is_multiple_of(rows.len()) {
            return Err(Error::request("logits", format!("{} numbers for {} rows", logits.len(), rows.len())));
        }
        self.list.iter_mut().try_for_each(|processor| processor.process_rows(rows, logits))
    }

    /// Whether an answer with this history may end here, for all of them.
    pub fn is_met(&mut self, history: &[u32]) -> bool {
        self.list.iter_mut().all(|processor| processor.is_met(history))
    }
}

/// Processors that forbid, force or favour tokens; greedy and beam search have them too.
fn forbid(config: &GenerationConfig, context: &Context<'_>, list: &mut Vec<Box<dyn Processor>>) -> Result<()> {
    let eos = config.eos_token_id.as_deref();
    let rows = config.rows_per_input();
    let encoder = context.encoder_input_ids;
    if let Some(biases) = &config.sequence_bias {
        list.push(Box::new(SequenceBias::new(biases)?));
    }
    if config.encoder_repetition_penalty != 1.0 && !encoder.is_empty() {
        list.push(Box::new(EncoderRepetitionPenalty::new(config.encoder_repetition_penalty, encoder, rows)?));
    }
    if config.repetition_penalty != 1.0 {
        list.push(Box::new(RepetitionPenalty::new(config.repetition_penalty)?));
    }
    if let Ok(size @ 1..) = usize::try_from(config.no_repeat_ngram_size) {
        list.push(Box::new(NoRepeatNGram::new(size)?));
    }
    if let (Ok(size @ 1..), false) = (usize::try_from(config.encoder_no_repeat_ngram_size), encoder.is_empty()) {
        list.push(Box::new(EncoderNoRepeatNGram::new(size, encoder, rows)?));
    }
    if let Some(words) = &config.bad_words_ids {
        list.push(Box::new(SequenceBias::bad_words(words, eos.unwrap_or_default())?));
    }
    if let (Some(eos), 1..) = (eos, context.min_length) {
        list.push(Box::new(MinLength::new(context.min_length, eos)));
    }
    if let (Some(eos), Some(new @ 1..)) = (eos, config.min_new_tokens) {
        list.push(Box::new(MinNewTokens::new(context.prompt_length, new, eos)));
    }
    if let Some(allowed) = &context.prefix_allowed_tokens {
        list.push(Box::new(PrefixConstrained::new(allowed.clone(), config.num_beams)));
    }
    if let Some(bos) = config.forced_bos_token_id {
        list.push(Box::new(ForcedBosToken::new(bos)));
    }
    if let Some(forced) = &config.forced_eos_token_id {
        list.push(Box::new(ForcedEosToken::new(context.max_length, forced)));
    }
    if config.remove_invalid_values {
        list.push(Box::new(RemoveInvalidValues));
    }
    if let Some((start, factor)) = config.exponential_decay_length_penalty {
        let Some(eos) = eos else {
            return Err(Error::request("exponential_decay_length_penalty", "needs an eos_token_id, and the model has none"));
        };
        list.push(Box::new(ExponentialDecayLengthPenalty::new(start, factor, eos, context.prompt_length)));
    }
    if let Some(tokens) = &config.suppress_tokens {
        list.push(Box::new(SuppressTokens::new(tokens)));
    }
    if let Some(tokens) = &config.begin_suppress_tokens {
        // A forced first token moves the beginning by one.
        let forced = context.prompt_length <= 1 && config.forced_bos_token_id.is_some();
        list.push(Box::new(SuppressTokensAtBegin::new(tokens, context.prompt_length + usize::from(forced))));
    }
    Ok(())
}

/// Processors that shape the distribution for sampling.
fn shape(config: &GenerationConfig, list: &mut Vec<Box<dyn Processor>>) -> Result<()> {
    // Beams need a token besides every end token.
    let keep = if config.num_beams > 1 { config.eos_token_id.as_ref().map_or(2, |ids| ids.len() + 1) } else { 1 };
    if config.temperature != 1.0 {
        list.push(Box::new(Temperature::new(config.temperature)?));
    }
    if let Some(top_h) = config.top_h {
        list.push(Box::new(TopH::new(top_h)?));
    }
    if let Some(top_k) = config.top_k.filter(|k| *k != 0) {
        list.push(Box::new(TopK::new(top_k, keep)?));
    }
    if let Some(top_p) = config.top_p.filter(|p| *p < 1.0 || p.is_nan()) {
        list.push(Box::new(TopP::new(top_p, keep)?));
    }
    if let Some(min_p) = config.min_p {
        list.push(Box::new(MinP::new(min_p, keep)?));
    }
    if let Some(mass) = config.typical_p.filter(|p| *p < 1.0) {
        list.push(Box::new(TypicalP::new(mass, keep)?));
    }
    if let Some(epsilon) = config.epsilon_cutoff.filter(|e| *e > 0.0 && *e < 1.0) {
        list.push(Box::new(EpsilonCutoff::new(epsilon, keep)?));
    }
    if let Some(epsilon) = config.eta_cutoff.filter(|e| *e > 0.0 && *e < 1.0) {
        list.push(Box::new(EtaCutoff::new(epsilon, keep)?));
    }
    Ok(())
}

/// The logit of a token; tokens outside the vocabulary have none.
fn logit_of(logits: &mut [f32], token: i64) -> Option<&mut f32> {
    logits.get_mut(usize::try_from(token).ok()?)
}
