//! A model as files for other programs: the layout of Optimum and transformers.js.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use formers_converters::{
    graph::{Body, Caller},
    passes, writer,
};
use formers_models::Head;
use serde_json::{Map, Value, json};

use super::{
    Pretrained, convert,
    files::CONFIGS,
    genai,
    staging::{self, Staging},
};
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
            return Err(unnamed(format!("{name} lies in the Hub's cache, which is not ours to write to")));
        }
        if convert::storage(&self.options)?.is_some() {
            return Err(unnamed(format!("weights in {} need a folder of their own", self.options.dtype)));
        }
        let config = self.checkpoint.path("config.json")?.canonicalize().map_err(|e| Error::io(Path::new(name), e))?;
        let folder = config.parent().unwrap_or(Path::new("/"));
        let mut out = Out::within(folder)?;
        for body in convert::graphs(self, head, Caller::Any).map_err(|e| e.at(name))? {
            let model = writer::in_memory(&passes::unpack(body)?)?;
            if model.folder.as_ref().is_some_and(|weights| weights != folder) {
                return Err(unnamed(format!("{name}: the weight files lie outside of the folder")));
            }
            out.write(Path::new(&format!("{}.onnx", model.name)), &model.bytes)?;
        }
        out.place()
    }

    /// Writes a folder that needs nothing else: the graphs with their weights in `onnx/`, the configs and the tokenizer. Beside those of
    /// the checkpoint there is one for onnxruntime-genai, where that can run the graph, which is the one that was written last.
    ///
    /// A folder that is not there yet appears when all of it is written. In one that is there, files appear when all are written, and
    /// `config.json`, without which it is no model, as the last of them.
    pub fn export(&self, head: Head, folder: &Path) -> Result<Exported> {
        let name = self.checkpoint.name();
        let storage = convert::storage(&self.options)?;
        let bodies = convert::graphs(self, head, Caller::Any).map_err(|e| e.at(name))?;
        let mut out = Out::new(folder)?;
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
            if out.write_graph(&body, "onnx", &file)? {
                external.insert(file, json!(1));
            }
        }
        self.copy_configs(&external, &mut out)?;
        if let Some(config) = described {
            let text = serde_json::to_vec_pretty(&config).map_err(|e| Error::new(ErrorKind::Config, e))?;
            out.write(Path::new(genai::FILE), &text)?;
        }
        #[cfg(feature = "text")]
        self.write_tokenizer(head, &mut out)?;
        out.place()
    }

    /// What transformers.js reads a tokenizer from, where the checkpoint has only other files: `tokenizer.json`, and the names of the
    /// special tokens in `tokenizer_config.json`. What turns texts into others has it from version 4 of the reference, as its tasks are.
    #[cfg(feature = "text")]
    fn write_tokenizer(&self, head: Head, out: &mut Out) -> Result<()> {
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
            out.write(Path::new(file), &text)?;
        }
        Ok(())
    }

    /// Everything small that is no weight; `config.json` says which graphs have their weights beside them, for transformers.js.
    fn copy_configs(&self, external: &Map<String, Value>, out: &mut Out) -> Result<()> {
        let is_config = |file: &String| CONFIGS.iter().any(|end| file.ends_with(end)) && !file.ends_with(".index.json");
        let files = self.files()?.into_iter().filter(is_config);
        for file in files {
            let Some(bytes) = self.checkpoint.read(&file)? else { continue };
            if file == "config.json" && !external.is_empty() {
                let mut config = self.config.value().clone();
                merge_external(&mut config, &out.target, external)?;
                let text = serde_json::to_vec_pretty(&config).map_err(|e| Error::new(ErrorKind::Config, e))?;
                out.write(Path::new(&file), &text)?;
            } else {
                out.write(Path::new(&file), &bytes)?;
            }
        }
        Ok(())
    }
}

/// That a folder must be named, and why.
fn unnamed(why: String) -> Error {
    Error::new(ErrorKind::Request, format!("{why}: name a folder to write to"))
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

/// A folder that is being written, all of it elsewhere until it is whole.
struct Out {
    target: PathBuf,
    staging: Staging,
    /// What was written, by its path in the folder.
    files: Vec<PathBuf>,
    bytes: u64,
}

impl Out {
    fn new(target: &Path) -> Result<Self> {
        // What is there gets more files; it may lie on another disk than the folder around it.
        if target.is_file() {
            return Err(Error::new(ErrorKind::Request, format!("{}: is a file; name a folder to write to", target.display())));
        }
        if fs::symlink_metadata(target).is_ok() {
            return Self::within(target);
        }
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::in_folder(parent, target)
    }

    /// In the folder itself.
    fn within(target: &Path) -> Result<Self> {
        Self::in_folder(target, target)
    }

    fn in_folder(folder: &Path, target: &Path) -> Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        staging::sweep_own(folder, &name);
        let staging = Staging::new(folder, &name).map_err(|e| Error::io(target, e))?;
        Ok(Self { target: target.to_owned(), staging, files: Vec::new(), bytes: 0 })
    }

    /// Writes a graph into a folder of it; whether its weights are in a file of their own.
    fn write_graph(&mut self, body: &Body, folder: &str, file: &str) -> Result<bool> {
        let place = self.staging.path().join(folder);
        let written =
            fs::create_dir_all(&place).map_err(|e| Error::io(&place, e)).and_then(|()| Ok(writer::write_folder(body, &place, file)?));
        let written = written.map_err(|e| e.at(self.target.display()))?;
        for path in &written {
            self.bytes += path.metadata().map_err(|e| Error::io(path, e))?.len();
            self.files.extend(path.strip_prefix(self.staging.path()).map(Path::to_path_buf));
        }
        Ok(written.len() > 1)
    }

    fn write(&mut self, file: &Path, bytes: &[u8]) -> Result<()> {
        let place = self.staging.path().join(file);
        let write = || {
            // Modules of sentence-transformers have folders of their own.
            fs::create_dir_all(place.parent().unwrap_or(&place))?;
            let mut out = File::create(&place)?;
            out.write_all(bytes)?;
            out.sync_all()
        };
        write().map_err(|e| Error::io(&self.target.join(file), e))?;
        self.bytes += bytes.len() as u64;
        self.files.push(file.to_owned());
        Ok(())
    }

    /// Lets everything appear.
    fn place(self) -> Result<Exported> {
        let Self { target, staging, mut files, bytes } = self;
        // What makes a folder a model comes last.
        files.sort_by_key(|file| file == Path::new("config.json"));
        let placed = if staging.path().parent() == Some(&target) || fs::symlink_metadata(&target).is_ok() {
            staging.place_files(&files, &target)
        } else {
            staging.place(&target)
        };
        placed.map_err(|e| Error::io(&target, e))?;
        Ok(Exported { files: files.into_iter().map(|file| target.join(file)).collect(), bytes })
    }
}
