//! What a template is made of: the text that it writes, and the variables that it reads.

use minijinja::machinery::{CodeGenerator, Instruction, Instructions, parse};
use minijinja::value::ValueKind;
use minijinja::{Environment, Value};

use super::environment::syntax;
use super::render::{NAME, explain, source};
use crate::Result;

/// Between two pieces of text, so that none is found across them.
const APART: char = '\0';

/// The plain text and the strings of a template, apart from each other.
pub(super) fn literals(template: &str) -> Result<String> {
    let failed = |error: minijinja::Error| explain(&error);
    let source = source(template);
    let parsed = parse(&source, NAME, syntax().map_err(failed)?).map_err(failed)?;
    let mut generator = CodeGenerator::new(NAME, &source);
    generator.compile_stmt(&parsed);
    let (instructions, blocks) = generator.finish();
    let mut text = String::new();
    for instructions in std::iter::once(&instructions).chain(blocks.values()) {
        of_instructions(instructions, &mut text);
    }
    Ok(text)
}

fn of_instructions(instructions: &Instructions<'_>, text: &mut String) {
    for instruction in (0..).map_while(|index| instructions.get(index)) {
        match instruction {
            Instruction::EmitRaw(raw) => push(raw, text),
            Instruction::LoadConst(value) => of_value(value, text),
            _ => {}
        }
    }
}

/// Lists and dictionaries of constants are constants.
fn of_value(value: &Value, text: &mut String) {
    match value.kind() {
        ValueKind::String => push(value.as_str().unwrap_or_default(), text),
        ValueKind::Seq | ValueKind::Map => {
            for item in value.try_iter().into_iter().flatten() {
                of_value(&item, text);
                if let (ValueKind::Map, Ok(inner)) = (value.kind(), value.get_item(&item)) {
                    of_value(&inner, text);
                }
            }
        }
        _ => {}
    }
}

fn push(piece: &str, text: &mut String) {
    text.push_str(piece);
    text.push(APART);
}

/// Whether a template reads a variable that it does not set itself.
///
/// # Errors
/// A configuration error with the line when the template is not valid Jinja.
pub(crate) fn reads(template: &str, variable: &str) -> Result<bool> {
    let failed = |error: minijinja::Error| explain(&error);
    let source = source(template);
    let mut environment = Environment::new();
    environment.set_syntax(syntax().map_err(failed)?);
    Ok(environment.template_from_named_str(NAME, &source).map_err(failed)?.undeclared_variables(false).contains(variable))
}
