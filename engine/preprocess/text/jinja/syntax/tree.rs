//! The tree of a template. What the parser leaves empty, the places of variables, is filled in by `resolve`.

use std::collections::BTreeSet;
use std::sync::Arc;

use num_bigint::BigInt;

/// A template that was read.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) body: Vec<Statement>,
    pub(crate) root: Function,
    /// Where `self` is, if the template reads it.
    pub(crate) itself: Option<usize>,
    pub(crate) blocks: Vec<Block>,
    /// What `{% macro %}` and `{% call %}` define; statements name them by their place.
    pub(crate) macros: Vec<Macro>,
    pub(crate) loops: Vec<For>,
    /// The variables that the template does not set itself.
    pub(crate) reads: BTreeSet<Arc<str>>,
}

/// What has variables of its own, and sees those of what stands around it: the template, a macro, a recursive loop, a block.
#[derive(Debug, Default)]
pub(crate) struct Function {
    pub(crate) slots: usize,
    pub(crate) frame: Frame,
}

/// A scope: what its variables are when it begins.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) loads: Vec<(usize, Load)>,
    /// All variables of the scope, which end with it.
    pub(crate) slots: Vec<usize>,
}

#[derive(Debug)]
pub(crate) enum Load {
    /// A variable of the template's caller, or a global.
    Context(Arc<str>),
    Outer(Slot),
    Missing,
}

/// Where a variable is: so many functions outside, at this place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) up: u16,
    pub(crate) index: u32,
}

/// Whether what is printed is escaped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Escape {
    #[default]
    Never,
    Always,
    /// As `autoescape` says when it is rendered.
    Asked,
}

#[derive(Debug)]
pub(crate) enum Statement {
    /// Each part with its own way: Jinja decides about constants before it knows what is asked.
    Output {
        parts: Vec<(Expression, Escape)>,
    },
    /// By its place in `Template::loops`.
    For(usize),
    If {
        line: u32,
        branches: Vec<(Expression, Vec<Statement>)>,
        otherwise: Vec<Statement>,
    },
    Macro {
        index: usize,
        name: Arc<str>,
        slot: Slot,
        exported: bool,
    },
    Call {
        call: Expression,
        index: usize,
        escape: Escape,
    },
    Filter {
        filter: Expression,
        body: Vec<Statement>,
        frame: Frame,
        escape: Escape,
    },
    With {
        targets: Vec<Target>,
        values: Vec<Expression>,
        body: Vec<Statement>,
        frame: Frame,
    },
    Set {
        line: u32,
        target: Target,
        value: Expression,
        exported: bool,
    },
    SetBlock {
        line: u32,
        target: Target,
        filter: Option<Expression>,
        body: Vec<Statement>,
        frame: Frame,
        exported: bool,
    },
    Autoescape {
        value: Expression,
        body: Vec<Statement>,
        frame: Frame,
    },
    /// By its place in `Template::blocks`; a scoped block sees these variables.
    Block {
        line: u32,
        index: usize,
        name: Arc<str>,
        scoped: bool,
        variables: Vec<(Arc<str>, Slot)>,
    },
    /// Other templates, which a chat template cannot have; an import would define these names.
    Other {
        line: u32,
        template: Expression,
        names: Vec<Arc<str>>,
        extends: bool,
    },
    Break {
        line: u32,
    },
    Continue {
        line: u32,
    },
}

#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) name: Arc<str>,
    pub(crate) required: bool,
    pub(crate) body: Vec<Statement>,
    pub(crate) function: Function,
    /// Where `self` and `super` are, if the block reads them.
    pub(crate) itself: Option<usize>,
    pub(crate) parent: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct For {
    pub(crate) line: u32,
    pub(crate) target: Target,
    pub(crate) iterable: Expression,
    pub(crate) test: Option<Expression>,
    pub(crate) recursive: bool,
    pub(crate) body: Vec<Statement>,
    pub(crate) otherwise: Vec<Statement>,
    pub(crate) frame: Frame,
    pub(crate) else_frame: Frame,
    /// The function that a test is, and the loop's target in it.
    pub(crate) test_function: Function,
    pub(crate) test_target: Target,
    /// The function that a recursive loop is.
    pub(crate) function: Function,
    /// Where `loop` is, if the body reads it.
    pub(crate) own: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Macro {
    pub(crate) line: u32,
    /// `None` for the body of `{% call %}`.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Vec<Statement>,
    pub(crate) function: Function,
    /// Where these special variables are, if the body reads them.
    pub(crate) caller: Option<usize>,
    pub(crate) kwargs: Option<usize>,
    pub(crate) varargs: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: Arc<str>,
    pub(crate) default: Option<Expression>,
    pub(crate) slot: usize,
}

/// What a value is assigned to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Name(Arc<str>, Slot),
    Attribute { namespace: Arc<str>, slot: Slot, attribute: Arc<str> },
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) line: u32,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Constant(Constant),
    /// The template's own text.
    Data(Arc<str>),
    Name(Arc<str>, Slot),
    Tuple(Vec<Expression>),
    List(Vec<Expression>),
    Dict(Vec<(Expression, Expression)>),
    Unary(Unary, Box<Expression>),
    Binary(Binary, Box<(Expression, Expression)>),
    And(Box<(Expression, Expression)>),
    Or(Box<(Expression, Expression)>),
    Not(Box<Expression>),
    Concat {
        parts: Vec<Expression>,
        markup: bool,
    },
    Compare(Box<Expression>, Vec<(Comparison, Expression)>),
    /// test, value, other value
    Conditional(Box<(Expression, Expression)>, Option<Box<Expression>>),
    Attribute(Box<Expression>, Arc<str>),
    Item(Box<(Expression, Expression)>),
    /// `lenient` where Jinja slices constants before it renders, which gives nothing where a slice cannot be.
    Slice {
        value: Box<Expression>,
        bounds: Box<[Option<Expression>; 3]>,
        lenient: bool,
    },
    /// A slice among several subscripts.
    Range,
    Call(Box<Expression>, Box<Arguments>),
    /// The filter's place in the table; `None` is a filter that does not exist.
    Filter {
        value: Option<Box<Expression>>,
        name: Arc<str>,
        arguments: Box<Arguments>,
        found: Option<usize>,
    },
    Test {
        value: Box<Expression>,
        name: Arc<str>,
        arguments: Box<Arguments>,
        found: Option<usize>,
    },
    /// What `{% generation %}` calls.
    Generation,
}

#[derive(Debug, Clone)]
pub(crate) enum Constant {
    None,
    Bool(bool),
    Integer(i64),
    Big(BigInt),
    Float(f64),
    String(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Negative,
    Positive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) positional: Vec<Expression>,
    pub(crate) keywords: Vec<(Arc<str>, Expression)>,
    pub(crate) more_positional: Option<Expression>,
    pub(crate) more_keywords: Option<Expression>,
}
