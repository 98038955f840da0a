//! Answers that must match something: how a call says so, and the vocabulary in which they are written.

use std::sync::{Arc, OnceLock};

use formers_converters::parallel;
use rayon::prelude::*;
use serde_json::Value;

use super::Parameters;
use crate::{
    Error, Result,
    config::GenerationConfig,
    generate::{Constraint, OwnProcessors, Vocabulary},
    preprocess::text::Tokenizer,
};

/// The parameters that say what an answer must match.
pub(super) const PARAMETERS: [&str; 4] = ["json_schema", "regex", "grammar", "compact_json"];

/// A `vocab_size` beyond all vocabularies takes no more memory than this many tokens.
const MOST_TOKENS: usize = 1 << 22;

/// The texts of all tokens, made for the first constraint.
#[derive(Debug, Default)]
pub(super) struct Words(OnceLock<Vocabulary>);

impl Words {
    /// The processors that hold answers to a constraint; `vocab_size` is the model's, which may be more than the tokenizer's.
    pub(super) fn hold(
        &self,
        constraint: &Constraint,
        config: &GenerationConfig,
        tokenizer: &Tokenizer,
        vocab_size: usize,
    ) -> Result<OwnProcessors> {
        if let Some(prefix) = tokenizer.continuing_subword_prefix() {
            let message = format!("the tokens of this model's words go on with {prefix:?}, which a text that begins with one would show");
            return Err(Error::unsupported(format!("{}: {message}", constraint.name())));
        }
        let make = self.vocabulary(tokenizer, vocab_size)?.hold(constraint, config.eos_token_id.as_deref().unwrap_or_default())?;
        // The text begins behind a first token that is forced.
        let forced = config.forced_bos_token_id.is_some();
        Ok(Arc::new(move |prompt| make(if forced && prompt == 1 { 2 } else { prompt })))
    }

    fn vocabulary(&self, tokenizer: &Tokenizer, vocab_size: usize) -> Result<&Vocabulary> {
        if let Some(vocabulary) = self.0.get() {
            return Ok(vocabulary);
        }
        let size = tokenizer.vocab_size_with_added().max(vocab_size).min(MOST_TOKENS);
        let text = |id: u32| (tokenizer.token_bytes(id).into_owned(), tokenizer.is_special_token(id));
        let texts = parallel(|| (0..u32::try_from(size).unwrap_or(u32::MAX)).into_par_iter().map(text).collect());
        let made = Vocabulary::new(texts)?;
        Ok(self.0.get_or_init(|| made))
    }
}

/// Whether a grammar begins as those of llama.cpp do: comments, then a rule with `::=`.
fn is_gbnf(grammar: &str) -> bool {
    let first = grammar.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    let name = first.split_once("::=").map(|(name, _)| name.trim());
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_'))
}

/// What the answer must match: one of three, as a parameter each, and whether JSON has no space between its parts.
pub(super) fn constraint(parameters: &mut Parameters) -> Result<Option<Constraint>> {
    let [json_schema, regex, grammar, compact_json] = PARAMETERS;
    let compact = parameters.take::<bool>(compact_json)?;
    let schema = match parameters.take::<Value>(json_schema)? {
        Some(Value::String(text)) => {
            let parsed = serde_json::from_str(&text);
            Some(parsed.map_err(|error| Error::request("parameters.json_schema", format!("not JSON: {error}")).caused_by(error))?)
        }
        other => other,
    };
    // As OpenAI's protocol wraps it.
    if schema.as_ref().is_some_and(|schema| schema["type"] == "json_schema") {
        return Err(Error::request("parameters.json_schema", "give the schema itself, which is in json_schema.schema there"));
    }
    let grammar = parameters.take::<String>(grammar)?;
    if grammar.as_deref().is_some_and(is_gbnf) {
        let message = "this is llama.cpp's GBNF; grammars are in the syntax of Lark, such as start: \"yes\" | \"no\"";
        return Err(Error::request("parameters.grammar", message));
    }
    let given = [
        schema.map(if compact == Some(true) { Constraint::CompactJson } else { Constraint::JsonSchema }),
        parameters.take(regex)?.map(Constraint::Regex),
        grammar.map(Constraint::Grammar),
    ];
    if compact.is_some() && given[0].is_none() {
        return Err(Error::request("parameters.compact_json", "goes with json_schema"));
    }
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => {
            Err(Error::request(&format!("parameters.{}", second.name()), format!("not together with {}", first.name())))
        }
        (first, _) => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_other_programs_take_is_told() {
        let told = |parameters: Value| constraint(&mut Parameters::new(&parameters).unwrap()).map(drop).map_err(|error| error.to_string());
        for (parameters, part) in [
            (json!({"json_schema": {"type": "json_schema", "json_schema": {"schema": {}}}}), "give the schema itself"),
            (json!({"grammar": "# an answer\nroot ::= \"yes\" | \"no\""}), "llama.cpp's GBNF; grammars are in the syntax of Lark"),
        ] {
            let error = told(parameters).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        for parameters in [
            json!({"grammar": "start: \"a ::= b\""}),
            json!({"grammar": "start: a\na: \"::=\""}),
            json!({"json_schema": {"type": "object"}}),
        ] {
            told(parameters).unwrap();
        }
    }
}
