//! What `formers bench` found out.

use serde::Serialize;

use super::super::table;

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) model: String,
    pub(super) device: String,
    pub(super) dtype: String,
    pub(super) threads: usize,
    pub(super) load_ms: f64,
    #[serde(flatten)]
    pub(super) measured: Measured,
    /// The most memory that the process had, in bytes; null where the system does not say.
    pub(super) peak_memory_bytes: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Measured {
    Latency {
        head: String,
        batch: u32,
        /// Tokens, or samples of a sound.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<u32>,
        runs: u32,
        first_ms: f64,
        median_ms: f64,
        min_ms: f64,
        inputs_per_second: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        tokens_per_second: Option<f64>,
    },
    Generation {
        batch: u32,
        prompt_tokens: u32,
        new_tokens: u32,
        runs: u32,
        /// The prompt, up to the first token.
        prefill_ms: f64,
        prefill_tokens_per_second: f64,
        decode_tokens_per_second: f64,
    },
    Call {
        task: String,
        runs: u32,
        first_ms: f64,
        median_ms: f64,
        min_ms: f64,
    },
    Sentences {
        sentences: usize,
        runs: u32,
        start_to_first_ms: f64,
        median_ms: f64,
        min_ms: f64,
        sentences_per_second: f64,
    },
}

impl Report {
    pub(super) fn text(&self) -> String {
        let ms = |time: f64| format!("{time:.1} ms");
        let mut rows =
            vec![("model", self.model.clone()), ("runs on", format!("{} in {}, {} threads", self.device, self.dtype, self.threads))];
        rows.push(("load", ms(self.load_ms)));
        match &self.measured {
            Measured::Latency { head, batch, seq, runs, first_ms, median_ms, min_ms, inputs_per_second, tokens_per_second } => {
                let (size, throughput) = match (seq, tokens_per_second) {
                    (Some(seq), Some(tokens)) => (format!("{batch} x {seq} tokens"), format!("{tokens:.0} tokens a second")),
                    (Some(seq), None) => (format!("{batch} x {seq} samples"), format!("{inputs_per_second:.1} sounds a second")),
                    (None, _) => (format!("{batch} pictures"), format!("{inputs_per_second:.1} pictures a second")),
                };
                rows.extend([
                    ("input", format!("{size}, {head}, {runs} runs")),
                    ("first run", ms(*first_ms)),
                    ("median", ms(*median_ms)),
                    ("minimum", ms(*min_ms)),
                    ("throughput", throughput),
                ]);
            }
            Measured::Generation {
                batch,
                prompt_tokens,
                new_tokens,
                runs,
                prefill_ms,
                prefill_tokens_per_second,
                decode_tokens_per_second,
            } => {
                rows.extend([
                    ("input", format!("{batch} x {prompt_tokens} tokens, {new_tokens} new ones, {runs} runs")),
                    ("first token", ms(*prefill_ms)),
                    ("prefill", format!("{prefill_tokens_per_second:.0} tokens a second")),
                    ("decode", format!("{decode_tokens_per_second:.1} tokens a second")),
                ]);
            }
            Measured::Call { task, runs, first_ms, median_ms, min_ms } => rows.extend([
                ("input", format!("a call of {task}, {runs} runs")),
                ("first run", ms(*first_ms)),
                ("median", ms(*median_ms)),
                ("minimum", ms(*min_ms)),
            ]),
            Measured::Sentences { sentences, runs, start_to_first_ms, median_ms, min_ms, sentences_per_second } => rows.extend([
                ("input", format!("{sentences} sentences, {runs} runs")),
                ("start to first", ms(*start_to_first_ms)),
                ("median", ms(*median_ms)),
                ("minimum", ms(*min_ms)),
                ("throughput", format!("{sentences_per_second:.0} sentences a second")),
            ]),
        }
        rows.push(("peak memory", self.peak_memory_bytes.map_or_else(|| "unknown".to_owned(), table::bytes)));
        table::aligned(&rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect::<Vec<_>>())
    }
}
