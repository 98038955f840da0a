//! `formers bench`: how fast a model is here, and how much memory it takes.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use formers::{
    generate::{self, LanguageModel as _, sampling::argmax},
    model::{Head, Model, Pretrained},
    pipelines::{self, FeatureExtraction, Pipeline as _, feature_extraction},
    session::{Device, Dim, Dtype, Port, Session, Value},
};
use serde::Serialize;
use serde_json::Value as Json;

use super::{memory, model_options::ModelOptions, output, table};

/// The most numbers in an input.
const MOST_NUMBERS: usize = 1 << 30;

/// Measure load time, latency and memory of a model, or with --sentences how fast it embeds
#[derive(Args)]
pub(super) struct Bench {
    /// A model on the Hub or a folder.
    model: String,
    /// Inputs at once; 8 by default, or 1 for models that generate.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// The length of each input: tokens, 64 by default, or samples of a sound, 16000 by default; pictures have their own size.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seq: Option<u32>,
    /// Runs that are measured.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure the model as this task has it; by default as the checkpoint was saved.
    #[arg(long)]
    task: Option<String>,
    /// Embed the lines of a file (feature-extraction, pooled as the checkpoint says) instead of running random tokens.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["batch", "seq", "task"])]
    sentences: Option<PathBuf>,
    /// Measure generation: prompts of so many tokens; 128 by default for models that generate.
    #[arg(long, value_name = "TOKENS", conflicts_with_all = ["seq", "task", "sentences"], value_parser = clap::value_parser!(u32).range(1..))]
    prompt_tokens: Option<u32>,
    /// Measure generation: so many new tokens; 64 by default for models that generate.
    #[arg(long, value_name = "TOKENS", conflicts_with_all = ["seq", "task", "sentences"], value_parser = clap::value_parser!(u32).range(1..))]
    new_tokens: Option<u32>,
    /// Write ONNX Runtime's profile of every operator: to this path, a time stamp and `.json`.
    #[arg(long, value_name = "PATH")]
    profile: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) options: ModelOptions,
}

#[derive(Serialize)]
struct Report {
    model: String,
    device: String,
    dtype: String,
    threads: usize,
    load_ms: f64,
    #[serde(flatten)]
    measured: Measured,
    /// The most memory that the process had, in bytes; null where the system does not say.
    peak_memory_bytes: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Measured {
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
    Sentences {
        sentences: usize,
        runs: u32,
        start_to_first_ms: f64,
        median_ms: f64,
        min_ms: f64,
        sentences_per_second: f64,
    },
}

impl Bench {
    pub(super) fn execute(self) -> Result<()> {
        let report = match &self.sentences {
            Some(file) => self.sentences(file)?,
            None => self.latency()?,
        };
        if self.json { output::json(&report) } else { output::text(&report.text()) }
    }

    fn open(&self) -> Result<Pretrained> {
        let mut options = self.options.resolve(&self.model);
        options.session.profile.clone_from(&self.profile);
        Ok(Pretrained::open(options)?)
    }

    fn latency(&self) -> Result<Report> {
        let start = Instant::now();
        let pretrained = self.open()?;
        let head = match &self.task {
            Some(task) => pipelines::find(task)?.heads.first().copied().unwrap_or(pretrained.head()),
            None => pretrained.head(),
        };
        let model = pretrained.model(head)?;
        let load_ms = milliseconds(start);

        if head == Head::CausalLm {
            let device = model.roles().next().map_or(Ok(&Device::Cpu), |role| model.session(role).map(Session::device))?;
            return self.report(&pretrained, device, load_ms, self.generation(&pretrained, &model)?);
        }
        let session = model.session("model")?;
        if self.prompt_tokens.or(self.new_tokens).is_some() {
            bail!("--prompt-tokens and --new-tokens are for models that generate; this one is {head}");
        }
        let kind = Kind::of(session.inputs());
        let seq = kind.default_length().map(|default| self.seq.unwrap_or(default));
        let batch = self.batch.unwrap_or(8);
        let random = Random { config: pretrained.config.value(), batch: batch as usize, seq: seq.unwrap_or(1) as usize };
        let inputs = session.inputs().iter().map(|port| Ok((port.name.as_str(), random.input(port)?))).collect::<Result<Vec<_>>>()?;
        let run = || -> Result<f64> {
            let start = Instant::now();
            session.run(inputs.iter().map(|(name, value)| (*name, value)))?;
            Ok(milliseconds(start))
        };
        let first_ms = run()?;
        let times = Times::new((0..self.runs).map(|_| run()).collect::<Result<_>>()?);
        let inputs_per_second = f64::from(batch) / times.median() * 1e3;
        let measured = Measured::Latency {
            head: head.to_string(),
            batch,
            seq,
            runs: self.runs,
            first_ms,
            median_ms: times.median(),
            min_ms: times.min(),
            inputs_per_second,
            tokens_per_second: seq.filter(|_| kind == Kind::Tokens).map(|seq| f64::from(seq) * inputs_per_second),
        };
        self.report(&pretrained, session.device(), load_ms, measured)
    }

    /// A prompt of random tokens, and then always the likeliest one; the first run warms up.
    fn generation(&self, pretrained: &Pretrained, model: &Model) -> Result<Measured> {
        let batch = self.batch.unwrap_or(1);
        let (prompt_tokens, new_tokens) = (self.prompt_tokens.unwrap_or(128), self.new_tokens.unwrap_or(64));
        let random = Random { config: pretrained.config.value(), batch: batch as usize, seq: prompt_tokens as usize };
        let ids = random.ids(batch as usize * prompt_tokens as usize);
        let prompts: Vec<&[u32]> = ids.chunks(prompt_tokens as usize).collect();
        let run = || -> Result<(f64, f64)> {
            let mut decoder = generate::open(model, pretrained.config.value())?;
            let start = Instant::now();
            let mut logits = decoder.forward(&prompts)?;
            let prefill = milliseconds(start);
            let start = Instant::now();
            for _ in 0..new_tokens {
                let row = logits.len() / prompts.len();
                let best = |row: &[f32]| [argmax(row).and_then(|token| u32::try_from(token).ok()).unwrap_or(0)];
                let tokens: Vec<[u32; 1]> = logits.chunks(row.max(1)).map(best).collect();
                logits = decoder.forward(&tokens.iter().map(<[u32; 1]>::as_slice).collect::<Vec<_>>())?;
            }
            Ok((prefill, milliseconds(start)))
        };
        run()?;
        let (prefill, decode): (Vec<f64>, Vec<f64>) = (0..self.runs).map(|_| run()).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let (prefill, decode) = (Times::new(prefill).median(), Times::new(decode).median());
        let rate = |tokens: u32, time: f64| f64::from(batch) * f64::from(tokens) / time * 1e3;
        Ok(Measured::Generation {
            batch,
            prompt_tokens,
            new_tokens,
            runs: self.runs,
            prefill_ms: prefill,
            prefill_tokens_per_second: rate(prompt_tokens, prefill),
            decode_tokens_per_second: rate(new_tokens, decode),
        })
    }

    fn sentences(&self, file: &Path) -> Result<Report> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let Some(first) = lines.first() else { bail!("--sentences {}: it has no lines", file.display()) };
        let start = Instant::now();
        let pretrained = self.open()?;
        let embeddings = FeatureExtraction::load(&pretrained)?;
        let load_ms = milliseconds(start);
        embeddings.embed(first)?;
        let start_to_first_ms = milliseconds(super::started());

        let options = feature_extraction::Options::new(feature_extraction::Pooling::Model);
        let run = || -> Result<f64> {
            let start = Instant::now();
            embeddings.embed_many(&lines, &options).into_iter().collect::<formers::Result<Vec<_>>>()?;
            Ok(milliseconds(start))
        };
        let times = Times::new((0..self.runs).map(|_| run()).collect::<Result<_>>()?);
        let measured = Measured::Sentences {
            sentences: lines.len(),
            runs: self.runs,
            start_to_first_ms,
            median_ms: times.median(),
            min_ms: times.min(),
            sentences_per_second: lines.len() as f64 / times.median() * 1e3,
        };
        self.report(&pretrained, embeddings.device()?, load_ms, measured)
    }

    fn report(&self, pretrained: &Pretrained, device: &Device, load_ms: f64, measured: Measured) -> Result<Report> {
        Ok(Report {
            model: self.model.clone(),
            device: device.to_string(),
            dtype: pretrained.dtype()?.to_string(),
            threads: self.options.threads(),
            load_ms,
            measured,
            peak_memory_bytes: memory::peak(),
        })
    }
}

impl Report {
    fn text(&self) -> String {
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

/// What a model takes, by the shapes of its inputs.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Tokens,
    Sounds,
    Pictures,
}

impl Kind {
    fn of(inputs: &[Port]) -> Self {
        if inputs.iter().any(|port| port.name == "input_ids") {
            Self::Tokens
        } else if inputs.iter().any(|port| port.shape.len() >= 4) {
            Self::Pictures
        } else {
            Self::Sounds
        }
    }

    fn default_length(self) -> Option<u32> {
        match self {
            Self::Tokens => Some(64),
            Self::Sounds => Some(16_000),
            Self::Pictures => None,
        }
    }
}

/// Durations in milliseconds, sorted.
struct Times(Vec<f64>);

impl Times {
    fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    fn median(&self) -> f64 {
        let middle = |index: usize| self.0.get(index).copied().unwrap_or_default();
        (middle(self.0.len().saturating_sub(1) / 2) + middle(self.0.len() / 2)) / 2.0
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The same random numbers each time.
fn random() -> impl FnMut() -> u64 {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        // xorshift64: no more randomness is needed than that tokens differ.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 33
    }
}

/// Inputs of the right shapes, with the same random numbers each time.
struct Random<'a> {
    config: &'a Json,
    batch: usize,
    seq: usize,
}

impl Random<'_> {
    /// So many tokens of the vocabulary.
    fn ids(&self, count: usize) -> Vec<u32> {
        let vocabulary = u64::try_from(self.integer("vocab_size").unwrap_or(1000)).unwrap_or(1000).max(1);
        let mut random = random();
        (0..count).map(|_| (random() % vocabulary) as u32).collect()
    }

    fn input(&self, port: &Port) -> Result<Value> {
        let shape = self.shape(port);
        let count = shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size)).filter(|count| *count <= MOST_NUMBERS);
        let count = count.with_context(|| format!("input `{port}`: shape {shape:?} is too large, give a smaller --batch or --seq"))?;
        let mut random = random();
        let floats = matches!(port.dtype, Some(Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64));
        if floats {
            let numbers = (0..count).map(|_| random() as f32 / (1_u64 << 30) as f32 - 1.0);
            return Ok(Value::new(&shape, numbers.collect::<Vec<f32>>())?);
        }
        let vocabulary = self.integer("vocab_size").unwrap_or(1000).max(1) as u64;
        let length = shape.last().copied().unwrap_or(1);
        let numbers = (0..count).map(|at| match port.name.as_str() {
            "input_ids" => (random() % vocabulary) as i64,
            "position_ids" => (at % length) as i64,
            name if name.contains("mask") => 1,
            _ => 0,
        });
        Ok(Value::new(&shape, numbers.collect::<Vec<i64>>())?)
    }

    /// What the graph leaves open is the batch, then the length, or the size of pictures.
    fn shape(&self, port: &Port) -> Vec<usize> {
        let picture = || self.integer("image_size").and_then(|size| usize::try_from(size).ok()).unwrap_or(224);
        let size = |(axis, dim): (usize, &Dim)| match dim {
            Dim::Fixed(size) => *size,
            _ if axis == 0 => self.batch,
            Dim::Named(name) if name.contains("channels") => 3,
            _ if port.shape.len() == 4 && axis == 1 => 3,
            _ if port.shape.len() == 4 => picture(),
            _ => self.seq,
        };
        port.shape.iter().enumerate().map(size).collect()
    }

    fn integer(&self, field: &str) -> Option<i64> {
        self.config.get(field).and_then(Json::as_i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_even_and_odd_counts() {
        for (times, median) in [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 3.0], 2.5), (vec![], 0.0)] {
            assert_eq!(Times::new(times).median(), median);
        }
    }

    #[test]
    fn inputs_have_the_shapes_that_the_graph_leaves_open() {
        let config = serde_json::json!({"vocab_size": 10, "image_size": 32});
        let random = Random { config: &config, batch: 2, seq: 5 };
        let port = |name: &str, dtype, shape: &[Dim]| Port { name: name.to_owned(), dtype: Some(dtype), shape: shape.to_vec() };
        let open = |name: &str| Dim::Named(name.to_owned());
        let ids = random.input(&port("input_ids", Dtype::I64, &[open("batch"), open("sequence")])).unwrap();
        assert_eq!(ids.shape(), [2, 5]);
        assert!(ids.view::<i64>().unwrap().iter().all(|id| (0..10).contains(id)));
        let pixels = random.input(&port("pixel_values", Dtype::F32, &[open("batch"), Dim::Fixed(3), Dim::Unknown, Dim::Unknown]));
        assert_eq!(pixels.unwrap().shape(), [2, 3, 32, 32]);
        assert!(random.input(&port("x", Dtype::F32, &[Dim::Fixed(usize::MAX), open("b")])).is_err());
    }
}
