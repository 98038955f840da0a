//! Which files of a checkpoint are needed, and what its weights are, without a model being made of it.

use std::collections::{BTreeMap, BTreeSet};

use super::{ModelDtype, Pretrained, Source, onnx, weights};
use crate::{Result, session::Dtype};

/// Endings of the small files that models, tokenizers and processors read.
pub(super) const CONFIGS: &[&str] = &[".json", ".txt", ".model", ".jinja", ".spm", ".tiktoken", ".tokenizer"];

impl Pretrained {
    /// The files that tasks need, sorted: configs, tokenizer and the one kind of model files that would be run.
    ///
    /// # Errors
    /// When the checkpoint has nothing that can be run.
    pub fn files(&self) -> Result<Vec<String>> {
        let mut folders = vec![String::new()];
        let modules = self.checkpoint.json("modules.json")?.unwrap_or_default();
        let paths = modules.as_array().into_iter().flatten().filter_map(|module| module.get("path")?.as_str());
        folders.extend(paths.filter(|path| !path.is_empty()).map(|path| format!("{}/", path.trim_end_matches('/'))));

        let mut files: BTreeSet<String> = match self.source()? {
            Source::Onnx => {
                // What its modules have of their own is run on what the graph gives.
                let each = folders.iter().skip(1).map(|folder| weights::files(&self.checkpoint, folder));
                let modules = each.collect::<Result<Vec<_>>>()?.into_iter().flatten();
                onnx::files(self)?.into_iter().chain(modules).collect()
            }
            _ => {
                let each = folders.iter().map(|folder| weights::files(&self.checkpoint, folder));
                each.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect()
            }
        };
        let config = |file: &&String| {
            let folder = file.rfind('/').map_or("", |end| &file[..=end]);
            folders.iter().any(|f| f == folder) && CONFIGS.iter().any(|end| file.ends_with(end)) && !file.ends_with(".index.json")
        };
        files.extend(self.checkpoint.files().iter().filter(config).cloned());
        Ok(files.into_iter().collect())
    }

    /// The type of the weights that are run: what was asked for, or what that comes to for `auto`.
    ///
    /// # Errors
    /// When the checkpoint has nothing of that type that can be run.
    pub fn dtype(&self) -> Result<ModelDtype> {
        match (self.source()?, self.options.dtype) {
            (Source::Onnx, _) => onnx::dtype(self),
            (_, ModelDtype::Auto) => Ok(ModelDtype::Fp32),
            (_, dtype) => Ok(dtype),
        }
    }

    /// How many numbers the weights are, by their type; tensors that share their place count once. Nothing is downloaded: `None` where
    /// the weights are not on this machine, or there are none.
    ///
    /// # Errors
    /// A damaged file.
    pub fn parameters(&self) -> Result<Option<BTreeMap<Dtype, u64>>> {
        let files = weights::files(&self.checkpoint, "")?;
        if files.is_empty() || files.iter().any(|file| self.checkpoint.local(file).is_none()) {
            return Ok(None);
        }
        let tensors = weights::open(&self.checkpoint, "")?;
        let (mut seen, mut counts) = (BTreeSet::new(), BTreeMap::new());
        for info in tensors.names().filter_map(|name| tensors.get(name)) {
            if seen.insert((info.file, info.offset, info.len)) {
                *counts.entry(info.dtype).or_insert(0) += info.shape.iter().map(|&size| size as u64).product::<u64>();
            }
        }
        Ok(Some(counts))
    }
}
