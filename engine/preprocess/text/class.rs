//! Which tokenizer class of the reference a checkpoint gets.

use serde_json::{Map, Value};

use super::classes::{self, Class};

/// Tokenizers that the reference takes from `tokenizer.json` as they are.
pub(crate) const GENERIC: &str = "TokenizersBackend";

/// Decides the class from `tokenizer_config.json` and `config.json`, as `AutoTokenizer` does: the checkpoint's word counts,
/// unless the model type is known to name a wrong class or the class does not exist.
pub(crate) fn resolve(config: &Value, tokenizer_config: &Map<String, Value>, json: Option<&[u8]>) -> &'static Class {
    let own = tokenizer_config.get("tokenizer_class").and_then(Value::as_str);
    let named = own.or_else(|| config.get("tokenizer_class").and_then(Value::as_str)).map(without_fast);
    let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let registered = registered(model_type);
    let wrong = formers_models::names_wrong_tokenizer(model_type);
    let Some(named) = named else {
        return registered.and_then(classes::find).unwrap_or_else(classes::generic);
    };
    if named == "LlamaTokenizer" && !wrong && !is_mistral(model_type) && json.is_some_and(is_byte_level) {
        return classes::generic();
    }
    match registered {
        Some(registered) if registered != named && !tokenizer_config.contains_key("auto_map") => {
            if registered == GENERIC {
                return classes::generic();
            }
            classes::find(if wrong { registered } else { named }).unwrap_or_else(classes::generic)
        }
        _ => classes::find(named).unwrap_or_else(classes::generic),
    }
}

/// The class of a model type. Types that are not here take `tokenizer.json` as it is.
fn registered(model_type: &str) -> Option<&'static str> {
    let class = formers_models::tokenizer_class(model_type);
    class.or_else(|| formers_models::names_wrong_tokenizer(model_type).then_some(GENERIC))
}

fn is_mistral(model_type: &str) -> bool {
    ["ministral", "ministral3", "mistral", "mistral3", "mistral_large4", "mixtral", "pixtral", "voxtral", "voxtral_realtime"]
        .contains(&model_type)
}

/// Some checkpoints name Llama's class beside a byte-level `tokenizer.json`, which that class cannot represent.
fn is_byte_level(json: &[u8]) -> bool {
    json.windows(11).any(|window| window == br#""ByteLevel""#)
}

fn without_fast(class: &str) -> &str {
    class.strip_suffix("Fast").filter(|class| *class != "PreTrainedTokenizer").unwrap_or(class)
}
