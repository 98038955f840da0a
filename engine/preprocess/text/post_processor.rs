//! What puts special tokens around texts, as `tokenizer.json` describes it.

use serde_json::Value;
use tokenizers::PostProcessorWrapper;

use super::load::part;
use crate::{Error, ErrorKind, Result};

/// The post-processor of a tokenizer; `null` is none. A template that names what it does not have is refused here: using it would panic.
pub(super) fn read(json: Value) -> Result<Option<PostProcessorWrapper>> {
    check(&json)?;
    part("post_processor", json)
}

fn check(json: &Value) -> Result<()> {
    for processor in json["processors"].as_array().into_iter().flatten() {
        check(processor)?;
    }
    let damaged = |what: String| Err(Error::new(ErrorKind::Checkpoint, format!("tokenizer.json: post_processor: {what}")));
    for form in ["single", "pair"] {
        for piece in json[form].as_array().into_iter().flatten() {
            if let Some(token) = piece["SpecialToken"]["id"].as_str()
                && json["special_tokens"].get(token).is_none()
            {
                return damaged(format!("{form} has the token {token:?}, which special_tokens lacks"));
            }
            if form == "single" && piece["Sequence"]["id"] == "B" {
                return damaged("single has a second text, B".to_owned());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_name_what_they_have() {
        let template = |single: Value, tokens: Value| {
            let pair = json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]);
            json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens})
        };
        let cls = json!({"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}});
        let one = |id: &str| json!([{"SpecialToken": {"id": id, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]);
        let second = json!([{"Sequence": {"id": "B", "type_id": 0}}]);
        let within = |one: Value| json!({"type": "Sequence", "processors": [one]});
        assert!(read(Value::Null).unwrap().is_none());
        assert!(read(template(one("[CLS]"), cls.clone())).unwrap().is_some());
        for (json, says) in [
            (template(one("[SEP]"), cls.clone()), "post_processor: single has the token \"[SEP]\""),
            (within(template(one("[CLS]"), json!({}))), "single has the token \"[CLS]\", which special_tokens lacks"),
            (template(second, cls), "single has a second text"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.kind() == ErrorKind::Checkpoint && error.to_string().contains(says), "{error}");
        }
    }
}
