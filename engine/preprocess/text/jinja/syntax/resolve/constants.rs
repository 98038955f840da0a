//! What Jinja reckons while it compiles.

use crate::preprocess::text::jinja::syntax::tree::{Constant, Expression, Kind};
use crate::preprocess::text::jinja::syntax::visit::{children, children_mut};

pub(super) fn is_true(constant: &Constant) -> bool {
    match constant {
        Constant::None => false,
        Constant::Bool(value) => *value,
        Constant::Integer(value) => *value != 0,
        Constant::Big(_) => true,
        Constant::Float(value) => *value != 0.0,
        Constant::String(text) => !text.is_empty(),
    }
}

/// Lets the slices in a constant give nothing where they cannot be.
pub(super) fn fold(expression: &mut Expression, into: bool) {
    if let Kind::Slice { lenient, .. } = &mut expression.kind {
        *lenient = into;
    }
    children_mut(expression, &mut |child| fold(child, into));
}

/// Whether filters or tests are in an expression.
pub(super) fn calls(expression: &Expression) -> bool {
    let mut any = matches!(expression.kind, Kind::Filter { .. } | Kind::Test { .. });
    children(expression, &mut |child| any = any || calls(child));
    any
}

/// Whether Jinja knows an expression before it renders.
pub(super) fn is_constant(expression: &Expression) -> bool {
    let known = match &expression.kind {
        Kind::Name(..) | Kind::Call(..) | Kind::Generation => false,
        Kind::Filter { name, .. } => !matches!(&**name, "map" | "select" | "reject" | "selectattr" | "rejectattr" | "random"),
        Kind::Conditional(_, otherwise) => otherwise.is_some(),
        _ => true,
    };
    let mut all = known;
    children(expression, &mut |child| all = all && is_constant(child));
    all
}
