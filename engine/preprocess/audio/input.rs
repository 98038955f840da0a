//! What speech tasks take: a file, or samples in an object.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{MIN_RATE, read_file, resample_array};
use crate::{Error, Result, preprocess::media};

/// Sound for a model: one channel at the model's sampling rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Its samples.
    pub samples: Vec<f32>,
    /// How many samples at its start and its end only give context: what is said there is not part of the answer.
    pub stride: Option<(usize, usize)>,
    /// Fields of the input that the task does not know; they come back in its answer.
    pub extra: Map<String, Value>,
}

impl From<Vec<f32>> for Sound {
    fn from(samples: Vec<f32>) -> Self {
        Self { samples, stride: None, extra: Map::new() }
    }
}

/// Reads an input ([`read_within`]), with the usual patience for servers.
pub fn read(input: &Value, sampling_rate: u32) -> Result<Sound> {
    read_within(input, sampling_rate, None)
}

/// Reads an input: a string (path, http(s) address, `data:` URL or base64), or an object `{"raw" or "array", "sampling_rate"}` with
/// samples, one list or one list for each of two channels.
///
/// A server may be silent for `timeout`.
pub fn read_within(input: &Value, sampling_rate: u32, timeout: Option<Duration>) -> Result<Sound> {
    match input {
        Value::String(source) => {
            let media = media::read_within(source, timeout)?;
            read_file(media.bytes, &media.name, sampling_rate).map(Sound::from)
        }
        Value::Object(fields) => read_array(fields, sampling_rate),
        _ => Err(Error::request("inputs", "expected a string, or an object with raw (or array) and sampling_rate")),
    }
}

fn read_array(fields: &Map<String, Value>, sampling_rate: u32) -> Result<Sound> {
    let mut extra = fields.clone();
    let stride = extra.shift_remove("stride").filter(|value| !value.is_null());
    let rate = extra.shift_remove("sampling_rate");
    let rate = rate.as_ref().and_then(Value::as_u64).and_then(|rate| u32::try_from(rate).ok()).filter(|rate| *rate > 0);
    let rate = rate.ok_or_else(|| Error::request("inputs.sampling_rate", "expected a whole number of samples per second"))?;
    if rate < MIN_RATE {
        return Err(Error::request("inputs.sampling_rate", format!("{rate} samples per second; at least {MIN_RATE} are needed")));
    }
    let array = match extra.shift_remove("raw").filter(|value| !value.is_null()) {
        Some(raw) => raw,
        None => {
            extra.shift_remove("path");
            extra.shift_remove("array").ok_or_else(|| Error::request("inputs", "an object needs raw (or array) and sampling_rate"))?
        }
    };
    let samples = resample_array(&mono(&array)?, rate, sampling_rate)?;
    if samples.is_empty() {
        return Err(Error::request("inputs", "the sound has no samples"));
    }
    let stride = stride.map(|value| read_stride(&value, samples.len(), f64::from(sampling_rate) / f64::from(rate))).transpose()?;
    Ok(Sound { samples, stride, extra })
}

/// One list of samples, or one for each channel, of which the mean is taken.
fn mono(array: &Value) -> Result<Vec<f32>> {
    let wrong = |message: &str| Error::request("inputs.raw", message);
    let list = array.as_array().ok_or_else(|| wrong("expected a list of samples"))?;
    let numbers = |list: &[Value]| -> Result<Vec<f32>> {
        list.iter().map(|v| v.as_f64().map(|x| x as f32).ok_or_else(|| wrong("expected numbers"))).collect()
    };
    match list.as_slice() {
        [Value::Array(only)] => numbers(only),
        [Value::Array(left), Value::Array(right)] if left.len() == right.len() => {
            Ok(numbers(left)?.iter().zip(numbers(right)?).map(|(l, r)| (l + r) / 2.0).collect())
        }
        [Value::Array(_), ..] => Err(wrong("expected one list of samples, or two of one length for two channels")),
        samples => numbers(samples),
    }
}

fn read_stride(value: &Value, length: usize, ratio: f64) -> Result<(usize, usize)> {
    let wrong = || Error::request("inputs.stride", "expected two numbers of samples, together no more than the sound has");
    let side = |i: usize| value.get(i).and_then(Value::as_u64);
    let (Some(left), Some(right)) = (side(0), side(1)) else { return Err(wrong()) };
    if left.checked_add(right).is_none_or(|both| both > length as u64) {
        return Err(wrong());
    }
    let scaled = |side: u64| (side as f64 * ratio).round_ties_even() as usize;
    Ok((scaled(left), scaled(right)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_hold_samples() {
        let sound = read(&json!({"raw": [0.5, 1], "sampling_rate": 800, "stride": [1, 0], "speaker": 7}), 800).unwrap();
        assert_eq!((sound.samples, sound.stride), (vec![0.5, 1.0], Some((1, 0))));
        assert_eq!(Value::Object(sound.extra), json!({"speaker": 7}));
        let stereo = read(&json!({"array": [[1, 0], [0, 1]], "path": null, "sampling_rate": 800}), 800).unwrap();
        assert_eq!((stereo.samples, stereo.extra.len()), (vec![0.5, 0.5], 0));
        assert_eq!(read(&json!({"array": vec![0.1; 80], "sampling_rate": 800}), 1600).unwrap().samples.len(), 160);
    }

    #[test]
    fn names_the_field() {
        let cases = [
            (json!({"raw": [1], "sampling_rate": 0}), "sampling_rate"),
            (json!({"raw": [1], "sampling_rate": 99}), "at least 100"),
            (json!({"raw": [1]}), "sampling_rate"),
            (json!({"sampling_rate": 800}), "raw"),
            (json!({"raw": ["a"], "sampling_rate": 800}), "raw"),
            (json!({"raw": [[1], [2], [3]], "sampling_rate": 800}), "raw"),
            (json!({"raw": [], "sampling_rate": 800}), "no samples"),
            (json!({"raw": [1], "sampling_rate": 800, "stride": [1, 1]}), "stride"),
            (json!(3), "inputs"),
        ];
        for (input, word) in cases {
            let error = read(&input, 800).unwrap_err().to_string();
            assert!(error.contains(word), "{input}: {error}");
        }
    }
}
