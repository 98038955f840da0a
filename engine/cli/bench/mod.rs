//! `formers bench`: how fast a model is here, and how much memory it takes.

mod random;
mod report;
mod times;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use self::{
    random::{Kind, Random},
    report::{Measured, Report},
    times::{Times, milliseconds},
};
use super::{failure, input, memory, model_options::ModelOptions, output};
use anyhow::{Context, Result, bail};
use clap::Args;
use formers::{
    generate::{self, LanguageModel as _, sampling::argmax},
    model::{Head, Model, Pretrained},
    pipelines::{self, FeatureExtraction, Pipeline as _, feature_extraction},
    session::{Device, Session},
};

/// Measure load time, latency and memory of a model, with --sentences how fast it embeds, or with --request a call of a task
#[derive(Args)]
pub(super) struct Bench {
    /// A model on the Hub or a folder.
    pub(super) model: String,
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
    /// Measure a call of --task: FILE, or standard input for -, holds what `formers run --request` reads.
    #[arg(long, value_name = "FILE|-", requires = "task", conflicts_with_all = ["batch", "seq", "sentences", "prompt_tokens", "new_tokens"])]
    request: Option<String>,
    /// Measure generation: prompts of so many tokens, which an encoder reads where there is one; 128 by default for models that generate.
    #[arg(long, value_name = "TOKENS", conflicts_with_all = ["seq", "sentences"], value_parser = clap::value_parser!(u32).range(1..))]
    prompt_tokens: Option<u32>,
    /// Measure generation: so many new tokens; 64 by default for models that generate.
    #[arg(long, value_name = "TOKENS", conflicts_with_all = ["seq", "sentences"], value_parser = clap::value_parser!(u32).range(1..))]
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

impl Bench {
    pub(super) fn execute(self) -> Result<()> {
        let report = match (&self.sentences, &self.request, &self.task) {
            (Some(file), ..) => self.sentences(file)?,
            (_, Some(file), Some(task)) => self.call(task, file)?,
            _ => self.latency()?,
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
        let task = self.task.as_deref().map(pipelines::find).transpose().map_err(failure::asked)?;
        let head = task.and_then(|task| task.heads.first().copied()).unwrap_or(pretrained.head());
        let model = pretrained.model(head).map_err(|error| match task {
            Some(task) => pipelines::explained(error, task, &pretrained),
            None => error,
        })?;
        let load_ms = milliseconds(start);

        if matches!(head, Head::CausalLm | Head::Seq2SeqLm | Head::ImageTextToText) {
            let device = model.roles().next().map_or(Ok(&Device::Cpu), |role| model.session(role).map(Session::device))?;
            return self.report(&pretrained, device, load_ms, self.generation(&pretrained, &model, head)?);
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
        let times = Times::of(self.runs, run)?;
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

    /// A prompt of random tokens, and then always the likeliest one; the first run warms up. Where an encoder reads the prompt, the
    /// decoder begins with one token.
    fn generation(&self, pretrained: &Pretrained, model: &Model, head: Head) -> Result<Measured> {
        let batch = self.batch.unwrap_or(1);
        let (prompt_tokens, new_tokens) = (self.prompt_tokens.unwrap_or(128), self.new_tokens.unwrap_or(64));
        let random = Random { config: pretrained.config.value(), batch: batch as usize, seq: prompt_tokens as usize };
        let ids = random.ids(batch as usize * prompt_tokens as usize);
        let prompts: Vec<&[u32]> = ids.chunks(prompt_tokens as usize).collect();
        let config = pretrained.config.value();
        let begin = [random.integer("decoder_start_token_id").and_then(|id| u32::try_from(id).ok()).unwrap_or(0)];
        let run = || -> Result<(f64, f64)> {
            let start = Instant::now();
            let (mut decoder, first) = match head {
                Head::Seq2SeqLm => (generate::open_two_sided(model, config, &prompts)?, vec![&begin[..]; prompts.len()]),
                // Of texts alone.
                Head::ImageTextToText => (generate::open_embedded(model, config, None)?, prompts.clone()),
                _ => (generate::open(model, config)?, prompts.clone()),
            };
            let mut logits = decoder.forward(&first)?;
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

    fn call(&self, task: &str, file: &str) -> Result<Report> {
        let request = input::request(file)?;
        let pretrained = self.open()?;
        let start = Instant::now();
        let pipeline = formers::pipeline(task, pretrained.options.clone())?;
        let load_ms = milliseconds(start);
        let run = || -> Result<f64> {
            let start = Instant::now();
            pipeline.call(&request.inputs, &request.parameters)?;
            Ok(milliseconds(start))
        };
        let first_ms = run()?;
        let times = Times::of(self.runs, run)?;
        let measured = Measured::Call { task: task.to_owned(), runs: self.runs, first_ms, median_ms: times.median(), min_ms: times.min() };
        self.report(&pretrained, &pretrained.options.session.device, load_ms, measured)
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
        let times = Times::of(self.runs, run)?;
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
