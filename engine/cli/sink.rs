//! Where answers go: standard output, or `--output FILE`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::NamedTempFile;

use super::{failure::asked, interrupt, output};

/// Where one document goes.
pub(super) enum Document {
    Standard,
    /// Takes the file's place when it is whole.
    Beside(Box<NamedTempFile>, PathBuf),
    /// What is no ordinary file (`/dev/stderr`, a named pipe) is written to as it is.
    Straight(File, PathBuf),
}

impl Document {
    /// Makes sure that the file can be written, before anything is computed.
    pub(super) fn open(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Ok(Self::Standard) };
        // A link stays one: what it points to is replaced.
        let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let there = fs::metadata(&target).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            return straight(file, &target);
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(no_folder(file, folder));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".formers-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As a new file would have; or as the old one has.
            builder.permissions(there.map_or_else(|| fs::Permissions::from_mode(0o666), |there| there.permissions()));
        }
        let part = builder.tempfile_in(folder).with_context(|| named(file))?;
        interrupt::unfinished(Some(part.path().to_owned()));
        Ok(Self::Beside(Box::new(part), target))
    }

    /// Writes it to its end.
    pub(super) fn write(self, answer: &Value) -> Result<()> {
        match self {
            Self::Standard => output::json(answer),
            Self::Beside(mut part, file) => {
                let written = json(part.as_file_mut(), answer).and_then(|()| part.as_file().sync_all());
                let kept = written.and_then(|()| part.persist(&file).map(drop).map_err(|error| error.error));
                interrupt::unfinished(None);
                kept.with_context(|| named(&file))
            }
            Self::Straight(mut out, file) => json(&mut out, answer).with_context(|| named(&file)),
        }
    }
}

fn straight(file: &Path, target: &Path) -> Result<Document> {
    if target.is_dir() {
        return Err(asked(format!("{}: it is a folder; name a file", named(file))));
    }
    let out = OpenOptions::new().write(true).open(target).with_context(|| named(file))?;
    Ok(Document::Straight(out, file.to_owned()))
}

fn json(out: &mut impl Write, answer: &Value) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    serde_json::to_writer(&mut out, answer)?;
    writeln!(out)?;
    out.flush()
}

/// Where lines go, each whole.
pub(super) struct Lines {
    /// `None` for standard output.
    out: Option<File>,
    name: String,
    /// Lines that are not written yet.
    waiting: Vec<u8>,
    /// The length up to the last whole line, where it can be gone back to.
    whole: Option<u64>,
}

impl Lines {
    /// Standard output, or behind what the file has.
    pub(super) fn open(file: Option<&Path>) -> Result<Self> {
        let Some(file) = file else { return Ok(Self { out: None, name: "standard output".into(), waiting: Vec::new(), whole: None }) };
        if file.is_dir() {
            return Err(asked(format!("{}: it is a folder; name a file", named(file))));
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(no_folder(file, folder));
        }
        let mut out = OpenOptions::new().append(true).create(true).open(file).with_context(|| named(file))?;
        let about = out.metadata().with_context(|| named(file))?;
        let mut whole = about.is_file().then_some(about.len());
        if about.is_file() && ends_within_a_line(file).with_context(|| named(file))? {
            tracing::warn!("{}: its last line has no end; answers begin on a line of their own", named(file));
            out.write_all(b"\n").with_context(|| named(file))?;
            whole = whole.map(|length| length + 1);
        }
        Ok(Self { out: Some(out), name: named(file), waiting: Vec::new(), whole })
    }

    /// Adds a line, which [`Lines::flush`] writes at the latest.
    pub(super) fn add(&mut self, answer: &Value) -> Result<()> {
        /// More than this does not wait.
        const MOST_WAITING: usize = 1 << 16;
        serde_json::to_writer(&mut self.waiting, answer).map_err(io::Error::from).with_context(|| self.name.clone())?;
        self.waiting.push(b'\n');
        if self.waiting.len() < MOST_WAITING { Ok(()) } else { self.flush() }
    }

    /// Writes what waits. Where that does not fit on the disk, the lines before stay whole.
    pub(super) fn flush(&mut self) -> Result<()> {
        let _whole = interrupt::writing();
        let lines = std::mem::take(&mut self.waiting);
        let written = match &mut self.out {
            Some(out) => out.write_all(&lines),
            None => {
                output::begin();
                let mut out = io::stdout().lock();
                out.write_all(&lines).and_then(|()| out.flush())
            }
        };
        match (&written, &mut self.whole, &self.out) {
            (Ok(()), Some(whole), _) => *whole += lines.len() as u64,
            (Err(_), Some(whole), Some(out)) => take_back(out, *whole, &lines),
            _ => {}
        }
        written.with_context(|| self.name.clone())
    }
}

/// Cuts a file behind the last whole one of the lines that were being written behind `whole`.
fn take_back(out: &File, whole: u64, lines: &[u8]) {
    let length = out.metadata().map_or(whole, |about| about.len());
    let written = usize::try_from(length.saturating_sub(whole)).unwrap_or(0).min(lines.len());
    let kept = lines[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    // The error that led here is the one to tell.
    let _ = out.set_len(whole + kept as u64);
}

fn ends_within_a_line(file: &Path) -> io::Result<bool> {
    let mut file = File::open(file)?;
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn named(file: &Path) -> String {
    format!("--output {}", file.display())
}

fn no_folder(file: &Path, folder: &Path) -> anyhow::Error {
    asked(format!("{}: there is no folder {}", named(file), folder.display()))
}
