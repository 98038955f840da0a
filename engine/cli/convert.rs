//! `formers convert`: a checkpoint's ONNX graphs as files.

use std::{path::PathBuf, time::Instant};

use anyhow::Result;
use clap::Args;
use formers::{
    Options,
    model::{Blocks, Pretrained},
    pipelines,
};
use serde_json::json;

use super::{failure, model_options::ModelOptions, output, progress, table};

/// Write a model as ONNX files, in the layout of Optimum and transformers.js
///
/// Without OUT the graphs are written into the checkpoint's own folder, and use its weight files where they lie. With OUT a folder is
/// written that needs nothing else, with the weights as --dtype says, and with a config for onnxruntime-genai where that can run it.
#[derive(Args)]
pub(super) struct Convert {
    /// A model on the Hub or a folder.
    pub(super) model: String,
    /// The folder to write to; left out, graphs are written into MODEL's own folder, beside its weights.
    #[arg(value_name = "OUT")]
    out: Option<PathBuf>,
    /// Convert for this task; by default as the checkpoint was saved.
    #[arg(long)]
    task: Option<String>,
    /// With --dtype q4 or int8: so many weights share a scale, a power of two from 16 to 256.
    #[arg(long, value_name = "N", value_parser = block_size)]
    block_size: Option<usize>,
    /// With --dtype q4 or int8: each block of weights has a zero point as well.
    #[arg(long)]
    asymmetric: bool,
    /// Print JSON: the files, their bytes and the seconds it took.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) options: ModelOptions,
}

fn block_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size: &usize| size.is_power_of_two() && (16..=256).contains(size));
    size.ok_or_else(|| "not a power of two from 16 to 256".to_owned())
}

impl Convert {
    pub(super) fn execute(self) -> Result<()> {
        let blocks = Blocks { size: self.block_size, asymmetric: self.asymmetric };
        let blocks = (blocks != Blocks::default()).then_some(blocks);
        let pretrained = Pretrained::open(Options { blocks, ..self.options.resolve(&self.model) })?;
        let task = self.task.as_deref().map(pipelines::find).transpose().map_err(failure::asked)?;
        let head = task.and_then(|task| task.heads.first().copied()).unwrap_or(pretrained.head());
        // Downloading is no part of converting.
        let files = pretrained.files()?;
        pretrained.checkpoint.fetch(&files.iter().map(String::as_str).collect::<Vec<_>>())?;

        let start = Instant::now();
        let spinner = progress::spinner(&format!("converting {}", self.model));
        let exported = match &self.out {
            Some(folder) => pretrained.export(head, folder),
            None => pretrained.export_in_place(head),
        };
        let exported = exported.map_err(|error| match task {
            Some(task) => pipelines::explained(error, task, &pretrained),
            None => error,
        })?;
        spinner.finish_and_clear();
        let seconds = start.elapsed().as_secs_f64();
        if self.json {
            let document = json!({ "head": head.to_string(), "files": exported.files, "bytes": exported.bytes, "seconds": seconds });
            return output::json(&document);
        }
        let mut text: String = exported.files.iter().map(|file| format!("{}\n", file.display())).collect();
        text.push_str(&format!("{} written in {seconds:.2} s\n", table::bytes(exported.bytes)));
        output::text(&text)
    }
}
