//! What a talk is given: lines, a file of tools, and arguments with keys and values.

use std::{
    fs::File,
    io::{BufRead, Read},
    path::Path,
};

use anyhow::{Result, bail};
use formers::preprocess::text::chat::is_tool;
use serde_json::{Map, Value};

use crate::cli::{failure, input};

/// Lines and files of more bytes than this are a mistake, such as a device that never ends: no model reads so much.
const MOST_BYTES: u64 = 16 << 20;

/// The keys and values of an argument that is given several times.
pub(super) fn fields(argument: &str, given: &[String]) -> Result<Map<String, Value>> {
    let field = |text: &String| {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!(failure::asked(format_args!("{argument} {text}: expected key=value")))
        };
        Ok((key.to_owned(), input::json_or_text(value.to_owned())))
    };
    given.iter().map(field).collect()
}

/// The next line without its end; `None` behind the last.
pub(super) fn line(input: &mut impl BufRead) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_until(b'\n', &mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failure::asked(format_args!("a line of more than {} MiB", MOST_BYTES >> 20)));
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    let end = bytes.strip_suffix(b"\n").map_or(bytes.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
    bytes.truncate(end);
    let line = String::from_utf8(bytes);
    line.map(Some).map_err(|error| failure::asked(format_args!("byte {} of a line is not UTF-8", error.utf8_error().valid_up_to())))
}

/// The tools in a file.
pub(super) fn tools(path: &Path) -> Result<Vec<Value>> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(failure::asked(format_args!("more than {} MiB, which no tools take", MOST_BYTES >> 20)));
        }
        Ok(bytes)
    };
    let wrong = |message: String| failure::asked(format_args!("--tools {}: {message}", path.display()));
    let bytes = read().map_err(|error| wrong(format!("{error:#}")))?;
    let tools = match serde_json::from_slice(&input::to_utf8(&bytes)) {
        Ok(Value::Array(tools)) => tools,
        Ok(_) => return Err(wrong("expected a JSON list of tools; put one tool in [ ]".to_owned())),
        Err(error) => return Err(wrong(format!("not valid JSON: {error}"))),
    };
    match tools.iter().position(|tool| !is_tool(tool)) {
        Some(place) => Err(wrong(format!(
            r#"entry {} of the list names no function; expected {{"type": "function", "function": {{"name": …, "parameters": {{…}}}}}}"#,
            place + 1
        ))),
        None => Ok(tools),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, repeat};

    use super::*;

    #[test]
    fn lines_end_somewhere() {
        let mut input = BufReader::with_capacity(3, &b"one\r\n\ntwo\r \nthree"[..]);
        let lines: Vec<String> = std::iter::from_fn(|| line(&mut input).unwrap()).collect();
        assert_eq!(lines, ["one", "", "two\r ", "three"]);
        let error = line(&mut BufReader::new(repeat(b'a'))).unwrap_err().to_string();
        assert_eq!(error, "a line of more than 16 MiB");
        assert_eq!(line(&mut &b"a\xff\n"[..]).unwrap_err().to_string(), "byte 1 of a line is not UTF-8");
        #[cfg(unix)]
        assert!(format!("{:#}", tools(Path::new("/dev/zero")).unwrap_err()).contains("/dev/zero: more than 16 MiB"));
    }
}
