//! A request as one JSON document: what the command line and other programs send.

use serde_json::{Map, Value};

use super::arguments::kind;
use crate::{Error, Result};

/// What a pipeline is called with: `{"inputs": …, "parameters": {…}}`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// The first argument of the Python pipeline.
    pub inputs: Value,
    /// Its keyword arguments: an object, or null for none.
    pub parameters: Value,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// [`ErrorKind::Request`](crate::ErrorKind::Request) for what is no UTF-8, no JSON or no such object; the message names the field.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let wrong = |message: String| Err(Error::request("request", message));
        // Some editors put a byte order mark in front.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return wrong(format!("byte {} is not UTF-8, which JSON must be", error.valid_up_to())),
        };
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Self::from_fields(fields),
            Ok(other) => wrong(format!("expected an object {{\"inputs\", \"parameters\"}}, not {}", kind(&other))),
            Err(error) if text.trim().is_empty() => wrong(format!("it is empty ({error})")),
            Err(error) => wrong(format!("not valid JSON: {error}")),
        }
    }

    fn from_fields(mut fields: Map<String, Value>) -> Result<Self> {
        let inputs = fields.shift_remove("inputs");
        let parameters = fields.shift_remove("parameters").unwrap_or_default();
        if let Some(unknown) = fields.keys().next() {
            return Err(Error::request(unknown, "a request has no such field; there are inputs and parameters"));
        }
        let Some(inputs) = inputs else { return Err(Error::request("inputs", "missing")) };
        if !parameters.is_object() && !parameters.is_null() {
            return Err(Error::request("parameters", format!("expected an object of names and values, not {}", kind(&parameters))));
        }
        Ok(Self { inputs, parameters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn inputs_and_parameters() {
        let cases = [
            (r#"{"inputs": "a"}"#, json!("a"), Value::Null),
            (r#"{"parameters": null, "inputs": null}"#, Value::Null, Value::Null),
            ("\u{feff}{\"inputs\": [1], \"parameters\": {\"top_k\": 2}}\n", json!([1]), json!({"top_k": 2})),
        ];
        for (text, inputs, parameters) in cases {
            assert_eq!(Request::from_slice(text.as_bytes()).unwrap(), Request { inputs, parameters }, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases: &[(&[u8], &str)] = &[
            (b"", "request: it is empty"),
            (b"{", "request: not valid JSON: EOF"),
            (b"[]", "request: expected an object"),
            (b"{\"inputs\": \"\xff\"}", "request: byte 12 is not UTF-8"),
            (b"{}", "inputs: missing"),
            (b"{\"inputs\": 1, \"parameter\": {}}", "parameter: a request has no such field"),
            (b"{\"inputs\": 1, \"parameters\": []}", "parameters: expected an object of names and values, not a list"),
            (b"{\"inputs\": \"\\ud800\"}", "request: not valid JSON"),
        ];
        for (bytes, expected) in cases {
            let error = Request::from_slice(bytes).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Request);
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        // Far too deep, which must not exhaust the stack.
        assert!(Request::from_slice("[".repeat(1_000_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_request_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::from_slice(&bytes);
        }

        #[test]
        fn what_is_written_is_read(text in any::<String>(), number in any::<i64>()) {
            let request = json!({"inputs": text, "parameters": {"n": number}});
            let read = Request::from_slice(request.to_string().as_bytes()).unwrap();
            prop_assert_eq!(json!({"inputs": read.inputs, "parameters": read.parameters}), request);
        }
    }
}
