//! Walks over a tree: which names, and which text, it has.

use super::tree::{Arguments, Block, Constant, Expression, For, Kind, Macro, Statement, Target, Template};

/// Parts of a tree that statements name by their place; one is taken out while its variables are looked for.
pub(super) struct Nodes {
    pub(super) loops: Vec<Option<For>>,
    pub(super) macros: Vec<Option<Macro>>,
    pub(super) blocks: Vec<Option<Block>>,
}

impl Nodes {
    pub(super) fn new(loops: Vec<For>, macros: Vec<Macro>, blocks: Vec<Block>) -> Self {
        fn all<T>(list: Vec<T>) -> Vec<Option<T>> {
            list.into_iter().map(Some).collect()
        }
        Self { loops: all(loops), macros: all(macros), blocks: all(blocks) }
    }
}

/// How a name occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrence {
    Loaded,
    Stored,
    Parameter,
}

/// Tells each name of some statements, in the order of Jinja's own walk, down into all that they hold but blocks.
pub(super) fn names(nodes: &Nodes, body: &[Statement], tell: &mut dyn FnMut(&str, Occurrence)) {
    for statement in body {
        match statement {
            Statement::Output { parts } => parts.iter().for_each(|(part, _)| names_of(part, tell)),
            Statement::For(index) => {
                let Some(looped) = &nodes.loops[*index] else { continue };
                targets(&looped.target, Occurrence::Stored, tell);
                names_of(&looped.iterable, tell);
                names(nodes, &looped.body, tell);
                names(nodes, &looped.otherwise, tell);
                looped.test.iter().for_each(|test| names_of(test, tell));
            }
            Statement::If { branches, otherwise, .. } => {
                for (test, body) in branches {
                    names_of(test, tell);
                    names(nodes, body, tell);
                }
                names(nodes, otherwise, tell);
            }
            Statement::Macro { index, .. } => names_of_macro(nodes, *index, tell),
            Statement::Call { call, index, .. } => {
                names_of(call, tell);
                names_of_macro(nodes, *index, tell);
            }
            Statement::Filter { filter, body, .. } => {
                names(nodes, body, tell);
                names_of(filter, tell);
            }
            Statement::With { targets: to, values, body, .. } => {
                to.iter().for_each(|target| targets(target, Occurrence::Parameter, tell));
                values.iter().for_each(|value| names_of(value, tell));
                names(nodes, body, tell);
            }
            Statement::Set { target, value, .. } => {
                targets(target, Occurrence::Stored, tell);
                names_of(value, tell);
            }
            Statement::SetBlock { target, filter, body, .. } => {
                targets(target, Occurrence::Stored, tell);
                filter.iter().for_each(|filter| names_of(filter, tell));
                names(nodes, body, tell);
            }
            Statement::Autoescape { value, body, .. } => {
                names_of(value, tell);
                names(nodes, body, tell);
            }
            Statement::Other { template, .. } => names_of(template, tell),
            Statement::Block { .. } | Statement::Break { .. } | Statement::Continue { .. } => {}
        }
    }
}

fn names_of_macro(nodes: &Nodes, index: usize, tell: &mut dyn FnMut(&str, Occurrence)) {
    let Some(defined) = &nodes.macros[index] else { return };
    defined.parameters.iter().for_each(|parameter| tell(&parameter.name, Occurrence::Parameter));
    defined.parameters.iter().filter_map(|parameter| parameter.default.as_ref()).for_each(|default| names_of(default, tell));
    names(nodes, &defined.body, tell);
}

/// The names that are assigned to.
pub(super) fn targets(target: &Target, occurrence: Occurrence, tell: &mut dyn FnMut(&str, Occurrence)) {
    match target {
        Target::Name(name, _) => tell(name, occurrence),
        Target::Attribute { .. } => {}
        Target::Tuple(items) => items.iter().for_each(|item| targets(item, occurrence, tell)),
    }
}

/// The names that an expression reads.
pub(super) fn names_of(expression: &Expression, tell: &mut dyn FnMut(&str, Occurrence)) {
    if let Kind::Name(name, _) = &expression.kind {
        tell(name, Occurrence::Loaded);
    }
    children(expression, &mut |child| names_of(child, tell));
}

/// The expressions that an expression is made of.
pub(super) fn children<'a>(expression: &'a Expression, tell: &mut dyn FnMut(&'a Expression)) {
    match &expression.kind {
        Kind::Constant(_) | Kind::Data(_) | Kind::Name(..) | Kind::Range | Kind::Generation => {}
        Kind::Tuple(items) | Kind::List(items) | Kind::Concat { parts: items, .. } => items.iter().for_each(tell),
        Kind::Dict(items) => items.iter().for_each(|(key, value)| {
            tell(key);
            tell(value);
        }),
        Kind::Unary(_, value) | Kind::Not(value) | Kind::Attribute(value, _) => tell(value),
        Kind::Binary(_, both) | Kind::And(both) | Kind::Or(both) | Kind::Item(both) => {
            tell(&both.0);
            tell(&both.1);
        }
        Kind::Compare(first, operands) => {
            tell(first);
            operands.iter().for_each(|(_, operand)| tell(operand));
        }
        Kind::Conditional(both, otherwise) => {
            tell(&both.0);
            tell(&both.1);
            otherwise.iter().for_each(|otherwise| tell(otherwise));
        }
        Kind::Slice { value, bounds, .. } => {
            tell(value);
            bounds.iter().flatten().for_each(tell);
        }
        Kind::Call(function, given) => {
            tell(function);
            arguments(given, tell);
        }
        Kind::Filter { value, arguments: given, .. } => {
            value.iter().for_each(|value| tell(value));
            arguments(given, tell);
        }
        Kind::Test { value, arguments: given, .. } => {
            tell(value);
            arguments(given, tell);
        }
    }
}

fn arguments<'a>(given: &'a Arguments, tell: &mut dyn FnMut(&'a Expression)) {
    given.positional.iter().for_each(&mut *tell);
    given.keywords.iter().for_each(|(_, value)| tell(value));
    given.more_positional.iter().for_each(&mut *tell);
    given.more_keywords.iter().for_each(tell);
}

/// As `children`, to change them.
pub(super) fn children_mut(expression: &mut Expression, tell: &mut dyn FnMut(&mut Expression)) {
    match &mut expression.kind {
        Kind::Constant(_) | Kind::Data(_) | Kind::Name(..) | Kind::Range | Kind::Generation => {}
        Kind::Tuple(items) | Kind::List(items) | Kind::Concat { parts: items, .. } => items.iter_mut().for_each(tell),
        Kind::Dict(items) => items.iter_mut().for_each(|(key, value)| {
            tell(key);
            tell(value);
        }),
        Kind::Unary(_, value) | Kind::Not(value) | Kind::Attribute(value, _) => tell(value),
        Kind::Binary(_, both) | Kind::And(both) | Kind::Or(both) | Kind::Item(both) => {
            tell(&mut both.0);
            tell(&mut both.1);
        }
        Kind::Compare(first, operands) => {
            tell(first);
            operands.iter_mut().for_each(|(_, operand)| tell(operand));
        }
        Kind::Conditional(both, otherwise) => {
            tell(&mut both.0);
            tell(&mut both.1);
            otherwise.iter_mut().for_each(|otherwise| tell(otherwise));
        }
        Kind::Slice { value, bounds, .. } => {
            tell(value);
            bounds.iter_mut().flatten().for_each(tell);
        }
        Kind::Call(function, given) => {
            tell(function);
            arguments_mut(given, tell);
        }
        Kind::Filter { value, arguments: given, .. } => {
            value.iter_mut().for_each(|value| tell(value));
            arguments_mut(given, tell);
        }
        Kind::Test { value, arguments: given, .. } => {
            tell(value);
            arguments_mut(given, tell);
        }
    }
}

fn arguments_mut(given: &mut Arguments, tell: &mut dyn FnMut(&mut Expression)) {
    given.positional.iter_mut().for_each(&mut *tell);
    given.keywords.iter_mut().for_each(|(_, value)| tell(value));
    given.more_positional.iter_mut().for_each(&mut *tell);
    given.more_keywords.iter_mut().for_each(tell);
}

/// The text and the strings of a template.
pub(crate) fn literals<'a>(template: &'a Template, tell: &mut dyn FnMut(&'a str)) {
    texts(&template.body, tell);
    template.blocks.iter().for_each(|block| texts(&block.body, tell));
    for defined in &template.macros {
        texts(&defined.body, tell);
        defined.parameters.iter().filter_map(|parameter| parameter.default.as_ref()).for_each(|default| text_of(default, tell));
    }
    for looped in &template.loops {
        text_of(&looped.iterable, tell);
        looped.test.iter().for_each(|test| text_of(test, tell));
        texts(&looped.body, tell);
        texts(&looped.otherwise, tell);
    }
}

fn texts<'a>(body: &'a [Statement], tell: &mut dyn FnMut(&'a str)) {
    for statement in body {
        match statement {
            Statement::Output { parts } => parts.iter().for_each(|(part, _)| text_of(part, tell)),
            Statement::If { branches, otherwise, .. } => {
                for (test, body) in branches {
                    text_of(test, tell);
                    texts(body, tell);
                }
                texts(otherwise, tell);
            }
            Statement::Call { call, .. } => text_of(call, tell),
            Statement::Filter { filter, body, .. } => {
                text_of(filter, tell);
                texts(body, tell);
            }
            Statement::With { values, body, .. } => {
                values.iter().for_each(|value| text_of(value, tell));
                texts(body, tell);
            }
            Statement::Set { value, .. } => text_of(value, tell),
            Statement::SetBlock { filter, body, .. } => {
                filter.iter().for_each(|filter| text_of(filter, tell));
                texts(body, tell);
            }
            Statement::Autoescape { value, body, .. } => {
                text_of(value, tell);
                texts(body, tell);
            }
            Statement::Other { template, .. } => text_of(template, tell),
            Statement::For(_) | Statement::Macro { .. } | Statement::Block { .. } => {}
            Statement::Break { .. } | Statement::Continue { .. } => {}
        }
    }
}

fn text_of<'a>(expression: &'a Expression, tell: &mut dyn FnMut(&'a str)) {
    match &expression.kind {
        Kind::Data(text) | Kind::Constant(Constant::String(text)) => tell(text),
        _ => children(expression, &mut |child| text_of(child, tell)),
    }
}
