//! Rotary frequencies, as `rope_parameters` of `config.json` (or its older `rope_theta` and `rope_scaling`) describes them.

use std::{collections::BTreeMap, f64::consts::PI};

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Result};

/// What `config.json` says about rotary positions; read it from the whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RopeConfig {
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    rope_parameters: Option<Parameters>,
    rope_scaling: Option<Parameters>,
    #[serde(skip)]
    turning: Turning,
}

/// What an architecture makes of `partial_rotary_factor`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Turning {
    /// Nothing: heads turn as a whole.
    #[default]
    Whole,
    /// The reference reads it, and then fails, because heads turn as a whole.
    OnlyWhole,
    /// So much of a head turns; this where the config does not say.
    Part(f64),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    rope_type: Option<String>,
    r#type: Option<String>,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    factor: Option<f64>,
    alpha: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    attention_factor: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    truncate: Option<bool>,
    short_factor: Option<Vec<f32>>,
    long_factor: Option<Vec<f32>>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    /// Models whose layers differ keep the parameters of each type of layer under its name.
    #[serde(flatten)]
    layer_types: BTreeMap<String, Value>,
}

/// The angle by which each pair of components turns from one position to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequencies {
    /// One angle a pair, `rotary size / 2` of them.
    pub inverse: Vec<f32>,
    /// Cosines and sines are multiplied by this.
    pub attention_factor: f32,
    /// What changes on long sequences.
    pub beyond: Beyond,
}

/// How frequencies depend on the length of the sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Beyond {
    /// Not at all.
    Same,
    /// Beyond `original` positions, these frequencies.
    Long {
        /// The length up to which the usual frequencies hold.
        original: usize,
        /// As [`Frequencies::inverse`].
        inverse: Vec<f32>,
    },
    /// Beyond `original` positions, `1 / baseᵉ` with the base times `(factor · length / original - (factor - 1))ᵖ`.
    Dynamic {
        /// The length up to which the usual frequencies hold.
        original: usize,
        /// How strongly the base grows.
        factor: f32,
        /// `theta`
        base: f32,
        /// `p`
        power: f32,
        /// `e`, one a pair.
        exponents: Vec<f32>,
    },
}

impl RopeConfig {
    /// The parameters of one type of layer (`layer_types`), where the config tells them apart.
    #[must_use]
    pub fn of_layer_type(&self, layer_type: &str) -> Self {
        let of = |parameters: &Option<Parameters>| {
            let nested = parameters.as_ref().and_then(|p| p.layer_types.get(layer_type)).and_then(|v| Parameters::deserialize(v).ok());
            nested.or_else(|| parameters.clone())
        };
        Self { rope_parameters: of(&self.rope_parameters), rope_scaling: of(&self.rope_scaling), ..self.clone() }
    }

    /// The same parameters for an architecture that reads `partial_rotary_factor`, with this part of a head turning where they say none.
    /// Others turn whole heads, whatever the config says.
    #[must_use]
    pub fn in_part(self, partial_rotary_factor: f64) -> Self {
        Self { turning: Turning::Part(partial_rotary_factor), ..self }
    }

    /// The same parameters for an architecture that fails where they say that a part of a head turns.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { turning: Turning::OnlyWhole, ..self }
    }

    /// What DeepSeek's attention multiplies its scores with beside the usual: `(0.1 · mscale_all_dim · ln factor + 1)²`.
    pub fn score_scale(&self) -> f32 {
        let p = self.rope_scaling.as_ref().or(self.rope_parameters.as_ref());
        let scaled = p.filter(|p| p.rope_type.as_deref().or(p.r#type.as_deref()).is_some_and(|kind| kind != "default"));
        let factor = scaled.and_then(|p| p.factor).filter(|&factor| factor > 1.0).unwrap_or(1.0);
        let all = scaled.and_then(|p| p.mscale_all_dim).unwrap_or(0.0);
        (0.1 * all * factor.ln() + 1.0).powi(2) as f32
    }

    /// The frequencies for heads of this size; `theta` and `max_position_embeddings` are those of the model, where these parameters say none.
    ///
    /// # Errors
    /// An unknown `rope_type`, a parameter that it needs and that is missing, sizes that make no sense.
    pub fn frequencies(&self, head_size: usize, theta: f64, max_position_embeddings: usize) -> Result<Frequencies> {
        let none = Parameters::default();
        let p = self.rope_scaling.as_ref().or(self.rope_parameters.as_ref()).unwrap_or(&none);
        let base = p.rope_theta.or(self.rope_theta).unwrap_or(theta);
        let kind = p.rope_type.as_deref().or(p.r#type.as_deref()).unwrap_or("default");
        let given = p.partial_rotary_factor.or(self.partial_rotary_factor);
        let part = match (kind, self.turning) {
            ("proportional", _) => given.unwrap_or(1.0),
            (_, Turning::Part(part)) => given.unwrap_or(part),
            ("default", Turning::Whole) => 1.0,
            // Of other types the reference reads it whatever the architecture.
            _ if given.is_some_and(|part| (head_size as f64 * part) as usize != head_size) => {
                return Err(Error::config(format!(
                    "config.json: partial_rotary_factor: whole heads turn in this architecture, of which rope_type {kind} makes no part"
                )));
            }
            _ => 1.0,
        };
        let size = (head_size as f64 * part) as usize;
        if !(2..=MAX_SIZE).contains(&size) || size > head_size || !(base.is_finite() && base > 0.0) {
            return Err(Error::config(format!("rotary positions: {size} of {head_size} components with rope_theta {base} make no sense")));
        }
        let original = self.original_max_position_embeddings.or(p.original_max_position_embeddings);
        let scaling = Scaling { p, base, size, max: max_position_embeddings, original: original.unwrap_or(max_position_embeddings as f64) };
        match kind {
            "default" => Ok(fixed(scaling.usual(), 1.0)),
            "linear" => scaling.linear(),
            "dynamic" => match p.alpha.filter(|&alpha| alpha != 0.0) {
                Some(alpha) => Ok(scaling.stretched(alpha)),
                None => scaling.dynamic(),
            },
            "proportional" => Ok(Scaling { size: head_size, ..scaling }.proportional(part)),
            "yarn" => scaling.yarn(),
            "longrope" => scaling.longrope(),
            "llama3" => scaling.llama3(),
            other => Err(Error::unsupported(format!("config.json: rope_type {other:?} is not known"))),
        }
    }
}

/// No head is larger; a config that says so would take all memory.
const MAX_SIZE: usize = 1 << 16;

fn fixed(inverse: Vec<f32>, attention_factor: f64) -> Frequencies {
    Frequencies { inverse, attention_factor: attention_factor as f32, beyond: Beyond::Same }
}

/// The rope types of Transformers (`modeling_rope_utils.py`), in its 32-bit arithmetic.
struct Scaling<'a> {
    p: &'a Parameters,
    base: f64,
    /// Components that turn.
    size: usize,
    /// `max_position_embeddings`
    max: usize,
    /// The length that the model was first trained with.
    original: f64,
}

impl Scaling<'_> {
    fn needed<T: Clone>(&self, name: &str, value: &Option<T>) -> Result<T> {
        value.clone().ok_or_else(|| Error::config(format!("config.json: rope_parameters lacks {name}")))
    }

    /// `0, 2, 4, …` over the size.
    fn exponents(&self) -> impl Iterator<Item = f32> {
        (0..self.size).step_by(2).map(|i| i as f32 / self.size as f32)
    }

    /// `theta` to each of the exponents.
    fn wavelengths(&self) -> impl Iterator<Item = f32> {
        let base = f64::from(self.base as f32);
        self.exponents().map(move |e| base.powf(f64::from(e)) as f32)
    }

    fn usual(&self) -> Vec<f32> {
        self.wavelengths().map(|w| 1.0 / w).collect()
    }

    fn linear(&self) -> Result<Frequencies> {
        let factor = self.needed("factor", &self.p.factor)? as f32;
        Ok(fixed(self.usual().iter().map(|f| f / factor).collect(), 1.0))
    }

    fn dynamic(&self) -> Result<Frequencies> {
        let beyond = Beyond::Dynamic {
            original: self.max,
            factor: self.needed("factor", &self.p.factor)? as f32,
            base: self.base as f32,
            power: self.size as f32 / (self.size as f32 - 2.0),
            exponents: self.exponents().collect(),
        };
        Ok(Frequencies { beyond, ..fixed(self.usual(), 1.0) })
    }

    /// HunYuan's `dynamic`: the base grows once and for all.
    fn stretched(&self, alpha: f64) -> Frequencies {
        let size = self.size as f64;
        fixed(Scaling { base: self.base * alpha.powf(size / (size - 2.0)), ..*self }.usual(), 1.0)
    }

    /// The first pairs turn as they would if all did, and the others not at all.
    fn proportional(&self, part: f64) -> Frequencies {
        let turning = (part * self.size as f64 / 2.0).floor() as usize;
        let factor = self.p.factor.unwrap_or(1.0) as f32;
        fixed(self.usual().into_iter().enumerate().map(|(i, f)| if i < turning { f / factor } else { 0.0 }).collect(), 1.0)
    }

    fn yarn(&self) -> Result<Frequencies> {
        let p = self.p;
        let factor = p.factor.unwrap_or(self.max as f64 / self.original);
        let mscale = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
        let attention_factor = p.attention_factor.unwrap_or_else(|| match (p.mscale, p.mscale_all_dim) {
            (Some(m), Some(all)) if m != 0.0 && all != 0.0 => mscale(m) / mscale(all),
            _ => mscale(1.0),
        });
        // The pair that turns so many times within the original length.
        let size = self.size as f64;
        let pair = |turns: f64| size * (self.original / (turns * 2.0 * PI)).ln() / (2.0 * self.base.ln());
        let beta = |value: Option<f64>, default| value.filter(|&b| b != 0.0).unwrap_or(default);
        let (mut low, mut high) = (pair(beta(p.beta_fast, 32.0)), pair(beta(p.beta_slow, 1.0)));
        if p.truncate.unwrap_or(true) {
            (low, high) = (low.floor(), high.ceil());
        }
        (low, high) = (low.max(0.0), high.min(size - 1.0));
        if low == high {
            high += 0.001;
        }
        let inverse = self.wavelengths().enumerate().map(|(i, w)| {
            let kept = 1.0 - ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
            1.0 / (factor as f32 * w) * (1.0 - kept) + 1.0 / w * kept
        });
        Ok(fixed(inverse.collect(), attention_factor))
    }

    fn longrope(&self) -> Result<Frequencies> {
        let factor = self.p.factor.unwrap_or(self.max as f64 / self.original);
        let usual = if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / self.original.ln()).sqrt() };
        let scaled = |name, factors: &Option<Vec<f32>>| {
            let factors = self.needed(name, factors)?;
            if factors.len() != self.size.div_ceil(2) {
                return Err(Error::config(format!("config.json: {name} has {} numbers, not {}", factors.len(), self.size.div_ceil(2))));
            }
            Ok(self.wavelengths().zip(&factors).map(|(w, f)| 1.0 / (f * w)).collect::<Vec<f32>>())
        };
        let inverse = scaled("long_factor", &self.p.long_factor)?;
        let short = scaled("short_factor", &self.p.short_factor)?;
        let beyond = Beyond::Long { original: self.original as usize, inverse };
        Ok(Frequencies { beyond, ..fixed(short, self.p.attention_factor.unwrap_or(usual)) })
    }

    fn llama3(&self) -> Result<Frequencies> {
        let factor = self.needed("factor", &self.p.factor)? as f32;
        let low = self.needed("low_freq_factor", &self.p.low_freq_factor)?;
        let high = self.needed("high_freq_factor", &self.p.high_freq_factor)?;
        let inverse = self.usual().into_iter().map(|f| {
            let length = 2.0 * PI as f32 / f;
            if length > (self.original / low) as f32 {
                f / factor
            } else if length < (self.original / high) as f32 {
                f
            } else {
                let smooth = (self.original as f32 / length - low as f32) / (high - low) as f32;
                (1.0 - smooth) * f / factor + smooth * f
            }
        });
        Ok(fixed(inverse.collect(), 1.0))
    }
}

#[cfg(test)]
mod tests;
