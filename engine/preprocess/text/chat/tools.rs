//! The tools of a chat, before a template sees them.

use serde_json::Value;

use crate::{Error, Result};

/// Whether a value is a tool: a function with its name, as it stands or in the field `function`. Tools of other types are the template's
/// matter.
pub fn is_tool(tool: &Value) -> bool {
    let is_other = tool["type"].as_str().is_some_and(|kind| kind != "function");
    tool.is_object() && (is_other || tool.get("function").unwrap_or(tool)["name"].is_string())
}

/// Templates write a function without a name as one that is called nothing, which no model can call.
pub(super) fn check(tools: &[Value]) -> Result<()> {
    let Some(place) = tools.iter().position(|tool| !is_tool(tool)) else { return Ok(()) };
    Err(Error::request(
        &format!("tools[{place}]"),
        r#"names no function; expected {"type": "function", "function": {"name": …, "parameters": {…}}}"#,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn functions_have_names() {
        for tool in [
            json!({"type": "function", "function": {"name": "f"}}),
            json!({"type": "function", "name": "f"}),
            json!({"function": {"name": "f"}}),
            json!({"name": "f", "parameters": {}}),
            json!({"type": "browser"}),
        ] {
            assert!(is_tool(&tool), "{tool}");
            check(&[tool]).unwrap();
        }
        for tool in [
            json!({"type": "function"}),
            json!({"type": "function", "function": {}}),
            json!({"type": "function", "function": {"name": 1}}),
            json!({"type": "function", "function": "f"}),
            json!({}),
            json!("f"),
            json!(null),
        ] {
            let error = check(&[json!({"name": "f"}), tool]).unwrap_err().to_string();
            assert!(error.starts_with("tools[1]: names no function; expected {"), "{error}");
        }
    }
}
