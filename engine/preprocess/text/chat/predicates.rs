//! Jinja's tests, where Python's types answer differently: a boolean is a number, and a string is a sequence.

use minijinja::value::ValueKind;
use minijinja::{Environment, Value};

/// Registers the tests.
pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("integer", |value: &Value| value.is_integer() && value.kind() == ValueKind::Number);
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Undefined)
    });
    environment.add_test("iterable", |value: &Value| {
        !matches!(value.kind(), ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::Plain)
    });
    environment.add_test("callable", |value: &Value| {
        let name = value.as_object().map_or("", |object| object.type_name());
        value.is_undefined() || name.contains("Function") || name.ends_with("Macro")
    });
}
