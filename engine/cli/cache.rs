//! `formers cache`: downloaded and converted models on disk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use formers::{
    hub::cache::{self, CachedRepo},
    model,
};
use serde_json::json;

use super::{output, table};

/// List, remove and check what is kept on disk
#[derive(Args)]
pub(super) struct Cache {
    /// The cache of downloads, in place of HF_HUB_CACHE and HF_HOME.
    #[arg(long, value_name = "FOLDER", global = true)]
    cache_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List the downloaded models with their revisions.
    List,
    /// The size of the downloads, and of the models that were converted to another type.
    Size,
    /// Remove a model or a revision of it, or with --converted what was converted.
    Remove {
        /// The model's name on the Hub.
        #[arg(required_unless_present = "converted")]
        model: Option<String>,
        /// Only this branch, tag or commit.
        #[arg(long)]
        revision: Option<String>,
        /// Remove all models that were converted to another type; they are made again when they are needed.
        #[arg(long, conflicts_with_all = ["model", "revision"])]
        converted: bool,
    },
    /// Compare downloaded files with their hashes.
    Verify {
        /// The model's name on the Hub; all of them when left out.
        model: Option<String>,
    },
}

impl Cache {
    pub(super) fn execute(self) -> Result<()> {
        let folder = self.cache_dir.clone().unwrap_or_else(cache::dir);
        match &self.action {
            Action::List => list(&folder, self.json),
            Action::Size => size(&folder, self.json),
            Action::Remove { model: Some(model), revision, .. } => {
                let freed = cache::remove(&folder, model, revision.as_deref())?;
                self.freed(freed)
            }
            Action::Remove { .. } => {
                let converted = model::cache_dir();
                let freed = folder_size(&converted)?;
                if converted.exists() {
                    fs::remove_dir_all(&converted).with_context(|| converted.display().to_string())?;
                }
                self.freed(freed)
            }
            Action::Verify { model } => verify(&folder, model.as_deref(), self.json),
        }
    }

    fn freed(&self, bytes: u64) -> Result<()> {
        if self.json { output::json(&json!({ "freed": bytes })) } else { output::text(&format!("{} freed\n", table::bytes(bytes))) }
    }
}

fn list(folder: &Path, as_json: bool) -> Result<()> {
    let repos = cache::scan(folder)?;
    if as_json {
        let revision = |r: &cache::CachedRevision| json!({ "commit": r.commit, "refs": r.refs, "files": r.files, "size": r.size });
        let repo = |r: &CachedRepo| {
            let revisions: Vec<_> = r.revisions.iter().map(revision).collect();
            json!({ "model": r.name, "path": r.path, "size": r.size, "revisions": revisions })
        };
        return output::json(&repos.iter().map(repo).collect::<Vec<_>>());
    }
    if repos.is_empty() {
        return output::text(&format!("nothing in {}\n", folder.display()));
    }
    let row = |repo: &CachedRepo| {
        let named = |r: &cache::CachedRevision| if r.refs.is_empty() { r.commit.chars().take(8).collect() } else { r.refs.join(", ") };
        let revisions: Vec<String> = repo.revisions.iter().map(named).collect();
        let latest = repo.revisions.iter().filter_map(|r| r.modified).max().map(table::age).unwrap_or_default();
        vec![repo.name.clone(), table::bytes(repo.size), revisions.join(", "), latest]
    };
    output::text(&table::aligned(&repos.iter().map(row).collect::<Vec<_>>()))
}

fn size(folder: &Path, as_json: bool) -> Result<()> {
    let repos = cache::scan(folder)?;
    let downloaded: u64 = repos.iter().map(|repo| repo.size).sum();
    let converted_folder = model::cache_dir();
    let converted = folder_size(&converted_folder)?;
    if as_json {
        let place = |path: &Path, size: u64| json!({ "path": path, "size": size });
        return output::json(&json!({ "downloaded": place(folder, downloaded), "converted": place(&converted_folder, converted) }));
    }
    let row = |what: &str, size: u64, folder: &Path| vec![what.to_owned(), table::bytes(size), folder.display().to_string()];
    output::text(&table::aligned(&[row("downloaded", downloaded, folder), row("converted", converted, &converted_folder)]))
}

fn verify(folder: &Path, model: Option<&str>, as_json: bool) -> Result<()> {
    let models = match model {
        Some(model) => vec![model.to_owned()],
        None => cache::scan(folder)?.into_iter().map(|repo| repo.name).collect(),
    };
    let (mut rows, mut documents, mut bad) = (Vec::new(), Vec::new(), 0);
    for model in models {
        let found = cache::verify(folder, &model)?;
        bad += found.problems.len();
        let problems: Vec<_> = found.problems.iter().map(|p| json!({ "path": p.path, "problem": p.what })).collect();
        documents.push(json!({ "model": model, "sound": found.sound, "unchecked": found.unchecked, "problems": problems }));
        let unchecked = if found.unchecked > 0 { format!("{} unchecked", found.unchecked) } else { String::new() };
        rows.push(vec![model, format!("{} sound", found.sound), unchecked]);
        rows.extend(found.problems.iter().map(|p| vec![format!("  {}: {}", p.path.display(), p.what)]));
    }
    if as_json {
        output::json(&documents)?
    } else {
        output::text(&table::aligned(&rows))?
    }
    match bad {
        0 => Ok(()),
        bad => bail!("{bad} damaged in {}: remove the model with `formers cache remove` and download it again", folder.display()),
    }
}

/// Bytes of the files below a folder; none where it is not there.
pub(super) fn folder_size(folder: &Path) -> Result<u64> {
    let mut size = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.with_context(|| folder.display().to_string())?,
        };
        for entry in entries {
            let entry = entry.with_context(|| folder.display().to_string())?;
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) => size += about.len(),
                // Gone in the meantime.
                Err(_) => {}
            }
        }
    }
    Ok(size)
}
