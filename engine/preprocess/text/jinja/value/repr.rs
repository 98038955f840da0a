//! Values as Python prints them.

use std::rc::Rc;

use super::digits::{big_repr, float_repr};
use super::object::{Range, View};
use super::{Dict, Thing, Value};
use crate::preprocess::text::jinja::budget::{Budget, ITEM};
use crate::preprocess::text::jinja::error::Result;
use crate::preprocess::text::jinja::methods;
use crate::preprocess::text::jinja::text::classes;

/// How deep printed values may nest; the rest is `...`.
const DEEPEST: usize = 900;

/// Where the reference defines what it adds to Jinja.
const REFERENCE: &str = "transformers.utils.chat_template_utils._cached_compile_jinja_template";

/// `str(value)`, without a copy of what is a string.
pub(crate) fn str_of(budget: &Budget, value: &Value) -> Result<std::sync::Arc<str>> {
    match value {
        Value::Str(text) | Value::Markup(text) => Ok(text.clone()),
        _ => {
            let mut out = String::new();
            write_str(budget, value, &mut out)?;
            Ok(out.into())
        }
    }
}

/// Writes `str(value)`, and pays for it.
pub(crate) fn write_str(budget: &Budget, value: &Value, out: &mut String) -> Result<()> {
    match value {
        Value::Str(text) | Value::Markup(text) => {
            budget.make(text.len())?;
            out.push_str(text);
            Ok(())
        }
        Value::Undefined(_) => Ok(()),
        _ => Printer { budget, inside: Vec::new() }.value(value, out),
    }
}

/// `repr(value)`
pub(crate) fn repr(budget: &Budget, value: &Value) -> Result<String> {
    let mut out = String::new();
    Printer { budget, inside: Vec::new() }.value(value, &mut out)?;
    Ok(out)
}

struct Printer<'a> {
    budget: &'a Budget,
    /// The containers that are being printed; one of them inside itself is `...`.
    inside: Vec<*const ()>,
}

impl Printer<'_> {
    fn value(&mut self, value: &Value, out: &mut String) -> Result<()> {
        let before = out.len();
        match value {
            Value::Undefined(_) => out.push_str("Undefined"),
            Value::None => out.push_str("None"),
            Value::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Big(value) => out.push_str(&big_repr(value)?),
            Value::Float(value) => out.push_str(&float_repr(*value)),
            Value::Str(text) => quote(text, out),
            Value::Markup(text) => {
                out.push_str("Markup(");
                quote(text, out);
                out.push(')');
            }
            Value::List(list) => return self.items(Rc::as_ptr(list).cast(), ('[', ']'), &list.items, out),
            Value::Tuple(tuple) => return self.items(Rc::as_ptr(tuple).cast(), ('(', ')'), &tuple.items, out),
            Value::Dict(dict) => return self.dict(Rc::as_ptr(dict).cast(), dict, out),
            Value::Object(object) => return self.thing(Rc::as_ptr(object).cast(), &object.thing, out),
        }
        self.budget.make(out.len() - before)
    }

    /// Prints a container, unless it is inside itself.
    fn container(
        &mut self,
        place: *const (),
        out: &mut String,
        cycle: &str,
        print: impl FnOnce(&mut Self, &mut String) -> Result<()>,
    ) -> Result<()> {
        self.budget.make(ITEM)?;
        if self.inside.len() >= DEEPEST {
            out.push_str("...");
            return Ok(());
        }
        // Only namespaces make cycles, but each deeper value would be searched here.
        if self.inside.contains(&place) {
            out.push_str(cycle);
            return Ok(());
        }
        self.budget.work(self.inside.len() * 8)?;
        self.inside.push(place);
        let printed = print(self, out);
        self.inside.pop();
        printed
    }

    fn items(&mut self, place: *const (), (open, close): (char, char), items: &[Value], out: &mut String) -> Result<()> {
        let cycle = format!("{open}...{close}");
        self.container(place, out, &cycle, |printer, out| {
            out.push(open);
            for (index, item) in items.iter().enumerate() {
                printer.separate(index, out)?;
                printer.value(item, out)?;
            }
            if open == '(' && items.len() == 1 {
                out.push(',');
            }
            out.push(close);
            Ok(())
        })
    }

    fn dict(&mut self, place: *const (), dict: &Dict, out: &mut String) -> Result<()> {
        self.container(place, out, "{...}", |printer, out| {
            out.push('{');
            for (index, (key, item)) in dict.iter().enumerate() {
                printer.separate(index, out)?;
                printer.value(key, out)?;
                out.push_str(": ");
                printer.value(item, out)?;
            }
            out.push('}');
            Ok(())
        })
    }

    fn separate(&self, index: usize, out: &mut String) -> Result<()> {
        if index > 0 {
            out.push_str(", ");
        }
        self.budget.make(2)
    }

    fn thing(&mut self, place: *const (), thing: &Thing, out: &mut String) -> Result<()> {
        match thing {
            Thing::Range(Range { start, stop, step }) => {
                out.push_str(&if *step == 1 { format!("range({start}, {stop})") } else { format!("range({start}, {stop}, {step})") });
                self.budget.make(ITEM)
            }
            Thing::Bytes(bytes) => {
                let text = methods::bytes::repr(bytes);
                out.push_str(&text);
                self.budget.make(text.len())
            }
            Thing::Set(set) if set.len() == 0 => {
                out.push_str("set()");
                self.budget.make(ITEM)
            }
            Thing::Set(set) => {
                for (index, (item, _)) in set.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    out.push_str(if index == 0 { "" } else { " " });
                    self.value(item, out)?;
                    self.budget.make(ITEM)?;
                }
                out.push('}');
                Ok(())
            }
            Thing::View(view, dict) => self.view(place, *view, dict, out),
            Thing::Namespace(attributes) => {
                out.push_str("<Namespace ");
                match attributes.try_borrow() {
                    Ok(attributes) => self.dict(place, &attributes, out)?,
                    Err(_) => out.push_str("{...}"),
                }
                out.push('>');
                Ok(())
            }
            Thing::Loop(state) => {
                out.push_str(&state.printed());
                self.budget.make(ITEM)
            }
            Thing::Template => {
                out.push_str("<TemplateReference None>");
                Ok(())
            }
            Thing::Method { receiver, name } => {
                out.push_str(&format!("<built-in method {name} of {} object at 0x0>", receiver.type_name()));
                self.budget.make(ITEM)
            }
            Thing::Function(name) => {
                out.push_str(&match *name {
                    "namespace" => format!("<class '{REFERENCE}.<locals>.TemplateNamespace'>"),
                    "dict" => format!("<{REFERENCE}.<locals>.TemplateDict object at 0x0>"),
                    "cycler" => "<class 'jinja2.utils.Cycler'>".to_owned(),
                    "joiner" => "<class 'jinja2.utils.Joiner'>".to_owned(),
                    "range" => "<function safe_range at 0x0>".to_owned(),
                    "lipsum" => "<function generate_lorem_ipsum at 0x0>".to_owned(),
                    name => format!("<function _cached_compile_jinja_template.<locals>.{name} at 0x0>"),
                });
                self.budget.make(ITEM)
            }
            Thing::Macro(defined) => {
                out.push_str("<Macro ");
                match &defined.name {
                    Some(name) => quote(name, out),
                    None => out.push_str("anonymous"),
                }
                out.push('>');
                self.budget.make(ITEM)
            }
            other => {
                out.push_str(&format!("<{} object at 0x0>", other.full_name()));
                self.budget.make(ITEM)
            }
        }
    }

    fn view(&mut self, place: *const (), view: View, dict: &Dict, out: &mut String) -> Result<()> {
        out.push_str(match view {
            View::Keys => "dict_keys(",
            View::Values => "dict_values(",
            View::Items => "dict_items(",
        });
        self.container(place, out, "...", |printer, out| {
            out.push('[');
            for (index, (key, item)) in dict.iter().enumerate() {
                printer.separate(index, out)?;
                match view {
                    View::Keys => printer.value(key, out)?,
                    View::Values => printer.value(item, out)?,
                    View::Items => {
                        out.push('(');
                        printer.value(key, out)?;
                        out.push_str(", ");
                        printer.value(item, out)?;
                        out.push(')');
                    }
                }
            }
            out.push(']');
            Ok(())
        })?;
        out.push(')');
        Ok(())
    }
}

/// A string as Python quotes it.
pub(crate) fn quote(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            _ if c == quote => out.extend(['\\', c]),
            _ if classes().printable(c) => out.push(c),
            _ => out.push_str(&match c as u32 {
                code @ 0..=0xff => format!("\\x{code:02x}"),
                code @ 0x100..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    out.push(quote);
}
