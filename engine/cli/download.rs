//! `formers download`: a model's files into the cache that Python shares.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use formers::{hub::Checkpoint, model::Pretrained};
use serde_json::json;

use super::{model_options::ModelOptions, output};

/// Download a model into the cache that Python shares
///
/// Without FILES: what tasks need of it, that is configs, tokenizer and the one kind of model files that would be run (see --source
/// and --dtype). Prints the folder, or the paths of FILES.
#[derive(Args)]
pub(super) struct Download {
    /// The model's name on the Hub.
    model: String,
    /// Files of the repository.
    #[arg(conflicts_with = "all")]
    files: Vec<String>,
    /// Every file of the repository.
    #[arg(long)]
    all: bool,
    /// Print JSON: the revision and the paths of the files.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: ModelOptions,
}

impl Download {
    pub(super) fn execute(self) -> Result<()> {
        let options = self.options.resolve(&self.model);
        let (checkpoint, files) = if self.all || !self.files.is_empty() {
            let checkpoint = Checkpoint::open(&self.model, &options.hub)?;
            let files = if self.all { checkpoint.files().to_vec() } else { self.files.clone() };
            (checkpoint, files)
        } else {
            let pretrained = Pretrained::open(options)?;
            let files = pretrained.files()?;
            (pretrained.checkpoint, files)
        };
        let paths = checkpoint.fetch(&files.iter().map(String::as_str).collect::<Vec<_>>())?;
        if self.json {
            let files: serde_json::Map<_, _> = files.into_iter().zip(paths.iter().map(|path| json!(path))).collect();
            return output::json(&json!({ "model": self.model, "revision": checkpoint.revision(), "files": files }));
        }
        if !self.files.is_empty() {
            return output::text(&paths.iter().map(|path| format!("{}\n", path.display())).collect::<String>());
        }
        let folder = files.first().zip(paths.first()).and_then(|(file, path)| folder(file, path));
        let folder = folder.with_context(|| format!("{}: the repository is empty", self.model))?;
        output::text(&format!("{}\n", folder.display()))
    }
}

/// The folder that a file of a repository is in, as deep as the file says.
fn folder(file: &str, path: &Path) -> Option<PathBuf> {
    path.ancestors().nth(file.split('/').count()).map(Path::to_path_buf)
}
