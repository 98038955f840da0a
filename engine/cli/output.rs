//! Standard output: the answer, and nothing else.

use std::io::{self, BufWriter, IsTerminal, Write};

use anyhow::{Context, Result};
use serde::Serialize;

/// Whether people read standard output.
pub(super) fn for_people() -> bool {
    io::stdout().is_terminal()
}

/// Writes one JSON document.
pub(super) fn json(document: &impl Serialize) -> Result<()> {
    write(|out| {
        serde_json::to_writer(&mut *out, document)?;
        writeln!(out)
    })
}

/// Writes text.
pub(super) fn text(text: &str) -> Result<()> {
    write(|out| out.write_all(text.as_bytes()))
}

fn write(fill: impl FnOnce(&mut BufWriter<io::StdoutLock>) -> io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    // A full disk shows when the buffer is flushed, and must not go unnoticed.
    fill(&mut out).and_then(|()| out.flush()).context("standard output")
}
