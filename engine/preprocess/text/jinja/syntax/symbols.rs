//! Which variables a scope has, and what they are when it begins, as Jinja finds it out (`idtracking`): a name that is assigned somewhere in
//! a scope belongs to it, other names are looked up outside, and what only one branch assigns may come from outside as well.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;

use super::tree::{Expression, For, Macro, Statement, Target};
use super::visit::{Nodes, Occurrence, names_of, targets};

/// A variable: how deep its scope is, and its name.
pub(super) type Variable = (usize, Arc<str>);

/// What a variable is when its scope begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    Parameter,
    Context(Arc<str>),
    Outer(Variable),
    Missing,
}

#[derive(Debug, Clone, Default)]
struct Scope {
    level: usize,
    parent: Option<usize>,
    variables: HashMap<Arc<str>, Variable>,
    starts: IndexMap<Variable, Start>,
    stores: BTreeSet<Arc<str>>,
}

/// The scopes of a template, by the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    scopes: Vec<Scope>,
    /// So many names were copied for branches.
    copied: usize,
}

/// Each branch begins with all names that are known before it. No template has thousands of branches and of names.
const MOST_COPIED: usize = 1 << 24;

/// The part of a loop that a scope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Body,
    Else,
    Test,
}

impl Symbols {
    /// A scope inside another, or one of its own.
    pub(super) fn inner(&mut self, parent: Option<usize>) -> usize {
        let level = parent.map_or(0, |parent| self.scopes[parent].level + 1);
        self.scopes.push(Scope { level, parent, ..Scope::default() });
        self.scopes.len() - 1
    }

    pub(super) fn starts(&self, scope: usize) -> impl Iterator<Item = (&Variable, &Start)> {
        self.scopes[scope].starts.iter()
    }

    /// The variable of a name, seen from a scope.
    pub(super) fn find(&self, scope: usize, name: &str) -> Option<&Variable> {
        let mut next = Some(scope);
        while let Some(scope) = next {
            if let Some(found) = self.scopes[scope].variables.get(name) {
                return Some(found);
            }
            next = self.scopes[scope].parent;
        }
        None
    }

    /// All names that a scope and those around it assign, with their variables.
    pub(super) fn stored(&self, scope: usize) -> Vec<(Arc<str>, Variable)> {
        let mut all = IndexMap::new();
        let mut next = Some(scope);
        while let Some(at) = next {
            for name in &self.scopes[at].stores {
                if let (false, Some(found)) = (all.contains_key(name), self.find(scope, name)) {
                    all.insert(name.clone(), found.clone());
                }
            }
            next = self.scopes[at].parent;
        }
        all.into_iter().collect()
    }

    fn define(&mut self, scope: usize, name: &str, start: Start) {
        let scope = &mut self.scopes[scope];
        let name: Arc<str> = name.into();
        let variable = (scope.level, name.clone());
        scope.variables.insert(name, variable.clone());
        scope.starts.insert(variable, start);
    }

    fn store(&mut self, scope: usize, name: &str) {
        self.scopes[scope].stores.insert(name.into());
        if self.scopes[scope].variables.contains_key(name) {
            return;
        }
        let outer = self.scopes[scope].parent.and_then(|parent| self.find(parent, name)).cloned();
        self.define(scope, name, outer.map_or(Start::Missing, Start::Outer));
    }

    pub(super) fn parameter(&mut self, scope: usize, name: &str) {
        self.scopes[scope].stores.insert(name.into());
        self.define(scope, name, Start::Parameter);
    }

    fn load(&mut self, scope: usize, name: &str) {
        if self.find(scope, name).is_none() {
            self.define(scope, name, Start::Context(name.into()));
        }
    }

    pub(super) fn expression(&mut self, scope: usize, expression: &Expression) {
        names_of(expression, &mut |name, _| self.load(scope, name));
    }

    fn parameters(&mut self, scope: usize, target: &Target) {
        targets(target, Occurrence::Parameter, &mut |name, _| self.parameter(scope, name));
    }

    fn assigned(&mut self, scope: usize, target: &Target) {
        match target {
            Target::Name(name, _) => self.store(scope, name),
            Target::Attribute { namespace, .. } => self.load(scope, namespace),
            Target::Tuple(items) => items.iter().for_each(|item| self.assigned(scope, item)),
        }
    }

    /// What the statements of a scope do to its variables; inner scopes are looked at when they are entered.
    pub(super) fn statements(&mut self, scope: usize, nodes: &Nodes, body: &[Statement]) {
        for statement in body {
            match statement {
                Statement::Output { parts } => parts.iter().for_each(|(part, _)| self.expression(scope, part)),
                Statement::For(index) => {
                    if let Some(looped) = &nodes.loops[*index] {
                        self.expression(scope, &looped.iterable);
                    }
                }
                Statement::If { branches, otherwise, .. } => self.branches(scope, nodes, branches, otherwise),
                Statement::Macro { name, .. } => self.store(scope, name),
                Statement::Call { call, .. } => self.expression(scope, call),
                Statement::Filter { filter, .. } => self.expression(scope, filter),
                Statement::With { values, .. } => values.iter().for_each(|value| self.expression(scope, value)),
                Statement::Set { target, value, .. } => {
                    self.expression(scope, value);
                    self.assigned(scope, target);
                }
                Statement::SetBlock { target, .. } => self.assigned(scope, target),
                Statement::Other { template, names, .. } => {
                    self.expression(scope, template);
                    names.iter().for_each(|name| self.store(scope, name));
                }
                Statement::Autoescape { .. } | Statement::Block { .. } => {}
                Statement::Break { .. } | Statement::Continue { .. } => {}
            }
        }
    }

    /// `elif` is a branch with branches of its own; all branches begin with what is known before them.
    fn branches(&mut self, scope: usize, nodes: &Nodes, branches: &[(Expression, Vec<Statement>)], otherwise: &[Statement]) {
        let [(test, first), others @ ..] = branches else { return };
        self.expression(scope, test);
        let body = self.branch(scope, |symbols, inner| symbols.statements(inner, nodes, first));
        let elif = self.branch(scope, |symbols, inner| {
            for other in others {
                symbols.branches(inner, nodes, std::slice::from_ref(other), &[]);
            }
        });
        let otherwise = self.branch(scope, |symbols, inner| symbols.statements(inner, nodes, otherwise));
        self.join(scope, [body, elif, otherwise]);
    }

    /// Whether names were left out, as there are too many.
    pub(super) fn is_full(&self) -> bool {
        self.copied > MOST_COPIED
    }

    fn branch(&mut self, scope: usize, visit: impl FnOnce(&mut Self, usize)) -> Scope {
        let known = &self.scopes[scope];
        self.copied = self.copied.saturating_add(known.variables.len() + known.starts.len() + known.stores.len());
        if self.is_full() {
            return Scope::default();
        }
        let before = self.scopes[scope].clone();
        visit(self, scope);
        std::mem::replace(&mut self.scopes[scope], before)
    }

    fn join(&mut self, scope: usize, branches: [Scope; 3]) {
        let mut stores: BTreeSet<Arc<str>> = branches.iter().flat_map(|branch| branch.stores.iter().cloned()).collect();
        stores.retain(|name| !self.scopes[scope].stores.contains(name));
        for branch in branches {
            let own = &mut self.scopes[scope];
            own.variables.extend(branch.variables);
            own.starts.extend(branch.starts);
            own.stores.extend(branch.stores);
        }
        for name in stores {
            let Some(variable) = self.find(scope, &name).cloned() else { continue };
            let outer = self.scopes[scope].parent.and_then(|parent| self.find(parent, &name)).cloned();
            self.scopes[scope].starts.insert(variable, outer.map_or(Start::Context(name), Start::Outer));
        }
    }

    /// The variables of a loop's part.
    pub(super) fn for_loop(&mut self, scope: usize, nodes: &Nodes, looped: &For, part: Part) {
        match part {
            Part::Body => {
                self.parameters(scope, &looped.target);
                self.statements(scope, nodes, &looped.body);
            }
            Part::Else => self.statements(scope, nodes, &looped.otherwise),
            Part::Test => {
                self.parameters(scope, &looped.target);
                looped.test.iter().for_each(|test| self.expression(scope, test));
            }
        }
    }

    /// The variables of a macro, or of the body of a call.
    pub(super) fn macro_body(&mut self, scope: usize, nodes: &Nodes, defined: &Macro) {
        defined.parameters.iter().for_each(|parameter| self.parameter(scope, &parameter.name));
        defined.parameters.iter().filter_map(|parameter| parameter.default.as_ref()).for_each(|default| self.expression(scope, default));
        self.statements(scope, nodes, &defined.body);
    }

    /// The variables of `with`.
    pub(super) fn with(&mut self, scope: usize, nodes: &Nodes, targets: &[Target], body: &[Statement]) {
        targets.iter().for_each(|target| self.parameters(scope, target));
        self.statements(scope, nodes, body);
    }
}
