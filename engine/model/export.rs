//! A model as files for other programs: the layout of Optimum and transformers.js.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use formers_converters::{graph::Caller, passes, writer};
use formers_models::Head;
use serde_json::{Map, Value, json};

use super::{Pretrained, convert, files::CONFIGS, genai};
use crate::{Error, ErrorKind, Result};

/// What an export wrote.
#[derive(Debug, Clone, Default)]
pub struct Exported {
    /// The files, in the order in which they were written.
    pub files: Vec<PathBuf>,
    /// Bytes written, all files together.
    pub bytes: u64,
}

impl Pretrained {
    /// The head that the checkpoint was saved with, by the class that `architectures` names.
    pub fn head(&self) -> Head {
        let architecture = formers_models::find(self.config.model_type());
        let of_class = |class: &&str| architecture.map_or_else(|| Head::of_class(class), |known| known.head_of(class));
        self.config.architectures().iter().find_map(of_class).unwrap_or(Head::Base)
    }

    /// Writes the graphs into the checkpoint's own folder. Their weights stay where they are, in its weight files.
    pub fn export_in_place(&self, head: Head) -> Result<Exported> {
        let name = self.checkpoint.name();
        if !self.checkpoint.is_local() {
            return Err(Error::unsupported(format!(
                "{name} lies in the Hub's cache, which is not ours to write to: name a folder to convert to"
            )));
        }
        if convert::storage(&self.options)?.is_some() {
            return Err(Error::unsupported(format!(
                "weights in {} need a folder of their own: name one to convert to",
                self.options.dtype
            )));
        }
        let mut exported = Exported::default();
        for body in convert::graphs(self, head, Caller::Any).map_err(|e| e.at(name))? {
            let model = writer::in_memory(&passes::unpack(body)?)?;
            let folder = self.checkpoint.path("config.json")?.canonicalize().map_err(|e| Error::io(Path::new(name), e))?;
            let folder = folder.parent().map(Path::to_path_buf).unwrap_or_default();
            if model.folder.as_ref().is_some_and(|weights| *weights != folder) {
                return Err(Error::unsupported(format!("{name}: the weight files lie outside of the folder: name a folder to convert to")));
            }
            exported.write(&folder.join(format!("{}.onnx", model.name)), &model.bytes)?;
        }
        Ok(exported)
    }

    /// Writes a folder that needs nothing else: the graphs with their weights in `onnx/`, the configs and the tokenizer. Beside those of
    /// the checkpoint there is one for onnxruntime-genai, where that can run the graph, which is the one that was written last.
    pub fn export(&self, head: Head, folder: &Path) -> Result<Exported> {
        let name = self.checkpoint.name();
        let storage = convert::storage(&self.options)?;
        let bodies = convert::graphs(self, head, Caller::Any).map_err(|e| e.at(name))?;
        let onnx = folder.join("onnx");
        fs::create_dir_all(&onnx).map_err(|e| Error::io(&onnx, e))?;
        let mut exported = Exported::default();
        let mut external = Map::new();
        let mut described = None;
        for body in bodies {
            let file = format!("{}{}.onnx", body.name, self.options.dtype.suffix());
            if head == Head::CausalLm {
                let generation = self.checkpoint.json("generation_config.json")?;
                described = genai::described(self.config.value(), generation.as_ref(), &body, &format!("onnx/{file}"));
            }
            let body = match storage {
                Some(storage) => passes::store(body, storage)?,
                None => passes::unpack(body)?,
            };
            let written = writer::write_folder(&body, &onnx, &file)?;
            if written.len() > 1 {
                external.insert(file, json!(1));
            }
            for path in written {
                exported.bytes += path.metadata().map_err(|e| Error::io(&path, e))?.len();
                exported.files.push(path);
            }
        }
        self.copy_configs(folder, &external, &mut exported)?;
        if let Some(config) = described {
            let text = serde_json::to_vec_pretty(&config).map_err(|e| Error::new(ErrorKind::Config, e))?;
            exported.write(&folder.join(genai::FILE), &text)?;
        }
        #[cfg(feature = "text")]
        self.write_tokenizer(head, folder, &mut exported)?;
        Ok(exported)
    }

    /// What transformers.js reads a tokenizer from, where the checkpoint has only other files: `tokenizer.json`, and the names of the
    /// special tokens in `tokenizer_config.json`. What turns texts into others has it from version 4 of the reference, as its tasks are.
    #[cfg(feature = "text")]
    fn write_tokenizer(&self, head: Head, folder: &Path, exported: &mut Exported) -> Result<()> {
        const FILES: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];
        if FILES.iter().all(|file| self.checkpoint.has(file)) {
            return Ok(());
        }
        // A checkpoint for pictures or sounds has no tokenizer, and some cannot be said in this format.
        let tokenizer = if head == Head::Seq2SeqLm { self.tokenizer_v4() } else { self.tokenizer() };
        let Ok(tokenizer) = tokenizer else { return Ok(()) };
        let Some(json) = tokenizer.to_json() else { return Ok(()) };
        let special: Map<String, Value> = tokenizer.special_tokens().named().map(|(name, token)| (name.into(), token.into())).collect();
        for (file, json) in FILES.into_iter().zip([json, Value::Object(special)]).filter(|(file, _)| !self.checkpoint.has(file)) {
            let text = serde_json::to_vec(&json).map_err(|e| Error::new(ErrorKind::Config, e))?;
            exported.write(&folder.join(file), &text)?;
        }
        Ok(())
    }

    /// Everything small that is no weight; `config.json` says which graphs have their weights beside them, for transformers.js.
    fn copy_configs(&self, folder: &Path, external: &Map<String, Value>, exported: &mut Exported) -> Result<()> {
        let is_config = |file: &String| CONFIGS.iter().any(|end| file.ends_with(end)) && !file.ends_with(".index.json");
        let files = self.files()?.into_iter().filter(is_config);
        for file in files {
            let Some(bytes) = self.checkpoint.read(&file)? else { continue };
            let target = folder.join(&file);
            // Modules of sentence-transformers have folders of their own.
            let parent = target.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
            if file == "config.json" && !external.is_empty() {
                let mut config = self.config.value().clone();
                merge_external(&mut config, folder, external)?;
                let text = serde_json::to_vec_pretty(&config).map_err(|e| Error::new(ErrorKind::Config, e))?;
                exported.write(&target, &text)?;
            } else {
                exported.write(&target, &bytes)?;
            }
        }
        Ok(())
    }
}

/// Adds to what an earlier export of another type may have said already.
fn merge_external(config: &mut Value, folder: &Path, external: &Map<String, Value>) -> Result<()> {
    let earlier = fs::read(folder.join("config.json")).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let earlier = earlier.and_then(|c| c.get("transformers.js_config")?.get("use_external_data_format")?.as_object().cloned());
    let mut files = earlier.unwrap_or_default();
    files.extend(external.clone());
    let Some(config) = config.as_object_mut() else { return Err(Error::config("config.json: not an object")) };
    let section = config.entry("transformers.js_config").or_insert_with(|| json!({}));
    if !section.is_object() {
        *section = json!({});
    }
    section["use_external_data_format"] = Value::Object(files);
    Ok(())
}

impl Exported {
    /// Writes a file under another name first, so that half of one never bears its name.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let written = tempfile::Builder::new().prefix(".part-").tempfile_in(folder).and_then(|mut part| {
            part.write_all(bytes)?;
            part.as_file().sync_all()?;
            Ok(part)
        });
        let part = written.map_err(|e| Error::io(path, e))?;
        let file = part.persist(path).map_err(|e| Error::io(path, e.error))?;
        readable(&file).map_err(|e| Error::io(path, e))?;
        self.bytes += bytes.len() as u64;
        self.files.push(path.to_path_buf());
        Ok(())
    }
}

/// Temporary files are for their owner alone; exported ones are for everybody.
fn readable(file: &fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}
