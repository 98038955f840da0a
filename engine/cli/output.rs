//! Standard output: the answer, and nothing else.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result};
use serde::Serialize;

/// Whether something was written that other programs read.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Whether people read standard output.
pub(super) fn for_people() -> bool {
    io::stdout().is_terminal()
}

/// Whether a document, or the first line of several, is out.
pub(super) fn is_begun() -> bool {
    BEGUN.load(Ordering::Relaxed)
}

/// What other programs read is being written.
pub(super) fn begin() {
    BEGUN.store(true, Ordering::Relaxed);
}

/// Writes one JSON document.
pub(super) fn json(document: &impl Serialize) -> Result<()> {
    write(|out| {
        begin();
        serde_json::to_writer(&mut *out, document)?;
        writeln!(out)
    })
}
/// Writes text.
pub(super) fn text(text: &str) -> Result<()> {
    write(|out| out.write_all(text.as_bytes()))
}

/// Writes text as it comes.
pub(super) fn pieces(pieces: impl Iterator<Item = formers::Result<String>>) -> Result<()> {
    let mut out = io::stdout().lock();
    let mut is_begun = false;
    let mut failure = None;
    for piece in pieces {
        match piece {
            Ok(piece) => {
                is_begun |= !piece.is_empty();
                out.write_all(piece.as_bytes()).and_then(|()| out.flush()).context("standard output")?;
            }
            Err(error) => failure = Some(error),
        }
    }
    // An error has a line of its own.
    if is_begun || failure.is_none() {
        writeln!(out).context("standard output")?;
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

fn write(fill: impl FnOnce(&mut BufWriter<io::StdoutLock>) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    // A full disk shows when the buffer is flushed, and must not go unnoticed.
    fill(&mut out).and_then(|()| out.flush()).context("standard output")
}
