//! Makes checkpoints of any size from what `weights.json` says:
//!
//! ```text
//! formers-testing draw WEIGHTS.json OUT.safetensors
//! formers-testing checkpoint FOLDER OUT
//! formers-testing model NAME OUT [TOKENIZER]
//! ```
//!
//! `draw` makes the weights alone, `checkpoint` a folder with all that lies beside `weights.json`, and `model` one of those in
//! `benches/models`, with the tokenizer's files of another folder.

use std::{
    env, fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use formers_testing::{Weights, make};

const USAGE: &str = "usage: formers-testing draw WEIGHTS.json OUT.safetensors | checkpoint FOLDER OUT | model NAME OUT [TOKENIZER]";
const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/models");
/// What tokenizers are read from.
const TOKENIZER: &[&str] =
    &["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt", "vocab.json", "merges.txt"];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["draw", weights, out] => Weights::read(Path::new(weights)).and_then(|weights| weights.write(Path::new(out))),
        ["checkpoint", folder, out] => make(Path::new(folder), Path::new(out)),
        ["model", name, out] => model(name, out, None),
        ["model", name, out, tokenizer] => model(name, out, Some(tokenizer)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn model(name: &str, out: &str, tokenizer: Option<&str>) -> io::Result<()> {
    let folder = Path::new(MODELS).join(name);
    if !folder.join("weights.json").is_file() {
        let mut names: Vec<String> =
            fs::read_dir(MODELS)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no model {name:?}; there are {}", names.join(", "))));
    }
    make(&folder, Path::new(out))?;
    for file in TOKENIZER.iter().map(Path::new) {
        if let Some(from) = tokenizer.map(|folder| Path::new(folder).join(file)).filter(|path| path.is_file()) {
            fs::copy(from, Path::new(out).join(file))?;
        }
    }
    Ok(())
}
