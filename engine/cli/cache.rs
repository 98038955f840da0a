//! `formers cache`: downloaded and converted models on disk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use formers::{
    hub::cache::{self, CachedRepo},
    model::{
        ModelDtype,
        converted::{self, Converted},
    },
};
use serde_json::json;

use super::{output, table};

/// List, remove and check what is kept on disk
#[derive(Args)]
pub(super) struct Cache {
    /// The cache of downloads, in place of HF_HUB_CACHE and HF_HOME; converted models are in `formers` below it, in place of FORMERS_CACHE.
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
    /// List the downloaded models with their revisions, or with --converted those that were converted to another type.
    List {
        /// List the converted models: made from what, in which type, and whether that is still what it was.
        #[arg(long)]
        converted: bool,
    },
    /// The size of the downloads, and of the models that were converted to another type.
    Size,
    /// Remove a model or a revision of it, or with --converted what was converted.
    Remove {
        /// The model's name on the Hub; with --converted also a folder, as the list has it.
        #[arg(required_unless_present = "converted")]
        model: Option<String>,
        /// Only this branch, tag or commit.
        #[arg(long, conflicts_with = "converted")]
        revision: Option<String>,
        /// Remove what was converted to another type, of this model or of all; it is made again when it is needed.
        #[arg(long)]
        converted: bool,
        /// With --converted: only weights of this type.
        #[arg(long, requires = "converted")]
        dtype: Option<ModelDtype>,
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
            Action::List { converted: false } => list(&folder, self.json),
            Action::List { converted: true } => list_converted(&self.converted(), self.json),
            Action::Size => size(&folder, &self.converted(), self.json),
            Action::Remove { model: Some(model), revision, converted: false, .. } => {
                let freed = cache::remove(&folder, model, revision.as_deref())?;
                self.freed(freed)
            }
            Action::Remove { model, dtype, .. } => self.freed(remove_converted(&self.converted(), model.as_deref(), *dtype)?),
            Action::Verify { model } => verify(&folder, model.as_deref(), self.json),
        }
    }

    fn converted(&self) -> PathBuf {
        converted::dir_in(self.cache_dir.as_deref())
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

fn list_converted(folder: &Path, as_json: bool) -> Result<()> {
    let found = converted::scan(folder)?;
    if as_json {
        let one = |c: &Converted| json!({ "model": c.model, "dtype": c.dtype, "part": c.part, "path": c.path, "size": c.size, "current": c.current });
        return output::json(&found.iter().map(one).collect::<Vec<_>>());
    }
    if found.is_empty() {
        return output::text(&format!("nothing in {}\n", folder.display()));
    }
    let row = |c: &Converted| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let model = c.model.clone().unwrap_or_else(|| format!("{} (damaged, or of an older version)", c.path.display()));
        let state = if c.current || c.model.is_none() { "" } else { "its weights have changed since" };
        vec![model, text(&c.dtype), text(&c.part), table::bytes(c.size), c.made.map(table::age).unwrap_or_default(), state.to_owned()]
    };
    output::text(&table::aligned(&found.iter().map(row).collect::<Vec<_>>()))
}

/// Removes what is converted of one model, or of all; without a type, what a killed conversion has left as well.
fn remove_converted(folder: &Path, model: Option<&str>, dtype: Option<ModelDtype>) -> Result<u64> {
    let before = folder_size(folder)?;
    let is_meant = |c: &Converted| {
        let named = model.is_none_or(|model| c.model.as_deref() == Some(model) || c.path == Path::new(model));
        named && dtype.is_none_or(|dtype| c.dtype == Some(dtype.to_string()))
    };
    let found: Vec<Converted> = converted::scan(folder)?.into_iter().filter(is_meant).collect();
    if found.is_empty() && (model.is_some() || dtype.is_some()) {
        let what = model.map_or_else(|| "nothing".to_owned(), |model| format!("{model}: nothing"));
        let of = dtype.map(|dtype| format!(" to {dtype}")).unwrap_or_default();
        bail!("{what} is converted{of} in {}; `formers cache list --converted` shows what is", folder.display());
    }
    found.iter().try_for_each(|one| converted::remove(one).map(drop))?;
    converted::sweep(folder);
    Ok(before.saturating_sub(folder_size(folder)?))
}

fn size(folder: &Path, converted_folder: &Path, as_json: bool) -> Result<()> {
    let repos = cache::scan(folder)?;
    let downloaded: u64 = repos.iter().map(|repo| repo.size).sum();
    let converted = folder_size(converted_folder)?;
    if as_json {
        let place = |path: &Path, size: u64| json!({ "path": path, "size": size });
        return output::json(&json!({ "downloaded": place(folder, downloaded), "converted": place(converted_folder, converted) }));
    }
    let row = |what: &str, size: u64, folder: &Path| vec![what.to_owned(), table::bytes(size), folder.display().to_string()];
    output::text(&table::aligned(&[row("downloaded", downloaded, folder), row("converted", converted, converted_folder)]))
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
    } else if rows.is_empty() {
        output::text(&format!("nothing in {}\n", folder.display()))?
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
