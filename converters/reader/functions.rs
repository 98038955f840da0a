//! A model's own functions, whose operators take the place of their calls: two calls in each of forty functions are a million million operators.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    protobuf::{Fields, first_bytes},
};

/// A model has no more operators, those of its functions counted once for each call.
const MOST: u64 = 1 << 20;
/// Functions that call functions, deeper than which nothing is.
const DEEPEST: usize = 128;

// Fields of onnx.proto3.
const MODEL_GRAPH: u32 = 7;
const MODEL_FUNCTION: u32 = 25;
const FUNCTION_NAME: u32 = 1;
const FUNCTION_NODE: u32 = 7;
const FUNCTION_DOMAIN: u32 = 10;
const GRAPH_NODE: u32 = 1;
const NODE_OP: u32 = 4;
const NODE_ATTRIBUTE: u32 = 5;
const NODE_DOMAIN: u32 = 7;
const ATTRIBUTE_GRAPH: u32 = 6;
const ATTRIBUTE_GRAPHS: u32 = 11;

/// The domain and the name of an operator or a function.
type Name<'a> = (&'a [u8], &'a [u8]);

/// An error for a model whose functions make it endlessly large. Its graphs nest no deeper than was checked before.
pub(super) fn check(model: &[u8]) -> Result<()> {
    let mut bodies: BTreeMap<Name<'_>, &[u8]> = BTreeMap::new();
    for function in fields(model, MODEL_FUNCTION) {
        let [name, domain] = [FUNCTION_NAME, FUNCTION_DOMAIN].map(|number| first_bytes(function, number).unwrap_or_default());
        bodies.insert((domain, name), function);
    }
    if bodies.is_empty() {
        return Ok(());
    }
    let mut functions = Functions { bodies, sizes: BTreeMap::new() };
    let mut size = 0_u64;
    for graph in fields(model, MODEL_GRAPH) {
        size = size.saturating_add(functions.of(graph, GRAPH_NODE, 0)?.operators);
    }
    if size > MOST {
        return Err(Error::checkpoint(format!("with the operators of its functions in the place of their calls it has more than {MOST}")));
    }
    Ok(())
}

struct Functions<'a> {
    bodies: BTreeMap<Name<'a>, &'a [u8]>,
    /// Of those that were counted, and nothing of those that are being counted: ONNX Runtime says that these call themselves.
    sizes: BTreeMap<Name<'a>, Size>,
}

/// How many operators there are, and how deep functions call functions.
#[derive(Clone, Copy, Default)]
struct Size {
    operators: u64,
    depth: usize,
}

impl<'a> Functions<'a> {
    /// What there is in a graph or a function, which so many calls lead to.
    fn of(&mut self, around: &'a [u8], number: u32, calls: usize) -> Result<Size> {
        let mut size = Size::default();
        let mut add =
            |more: Size| size = Size { operators: size.operators.saturating_add(more.operators), depth: size.depth.max(more.depth) };
        for node in fields(around, number) {
            let [op, domain] = [NODE_OP, NODE_DOMAIN].map(|number| first_bytes(node, number).unwrap_or_default());
            add(self.call((domain, op), calls)?);
            for attribute in fields(node, NODE_ATTRIBUTE) {
                for graph in fields(attribute, ATTRIBUTE_GRAPH).chain(fields(attribute, ATTRIBUTE_GRAPHS)) {
                    add(self.of(graph, GRAPH_NODE, calls)?);
                }
            }
        }
        Ok(size)
    }

    /// What takes the place of a call.
    fn call(&mut self, name: Name<'a>, calls: usize) -> Result<Size> {
        let Some(function) = self.bodies.get(&name).copied() else { return Ok(Size { operators: 1, depth: 0 }) };
        let size = match self.sizes.get(&name) {
            Some(size) => *size,
            None if calls == DEEPEST => return Err(too_deep()),
            None => {
                self.sizes.insert(name, Size::default());
                let inside = self.of(function, FUNCTION_NODE, calls + 1)?;
                let size = Size { operators: inside.operators.max(1), depth: inside.depth + 1 };
                self.sizes.insert(name, size);
                size
            }
        };
        if size.depth > DEEPEST { Err(too_deep()) } else { Ok(size) }
    }
}

fn too_deep() -> Error {
    Error::checkpoint(format!("functions call functions more than {DEEPEST} deep"))
}

/// All fields of this number that are messages.
fn fields(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields(message).flatten().filter(move |field| field.number == number).filter_map(|field| field.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::write;

    fn call(name: &str) -> Vec<u8> {
        let mut node = Vec::new();
        write(&mut node, NODE_OP, name.as_bytes());
        write(&mut node, NODE_DOMAIN, b"own");
        node
    }

    /// A model that calls the first of so many functions, each of which calls the next so many times; the last has an operator.
    fn model(depth: usize, calls: usize) -> Vec<u8> {
        let mut model = Vec::new();
        let mut graph = Vec::new();
        write(&mut graph, GRAPH_NODE, &call("f0"));
        write(&mut model, MODEL_GRAPH, &graph);
        for number in 0..depth {
            let mut function = Vec::new();
            write(&mut function, FUNCTION_NAME, format!("f{number}").as_bytes());
            write(&mut function, FUNCTION_DOMAIN, b"own");
            (0..calls).for_each(|_| write(&mut function, FUNCTION_NODE, &call(&format!("f{}", number + 1))));
            write(&mut model, MODEL_FUNCTION, &function);
        }
        model
    }

    #[test]
    fn functions_are_counted_once_for_each_call() {
        for (depth, calls, problem) in [
            (0, 2, None),
            (1, 1, None),
            (20, 2, None),
            (21, 2, Some("more than 1048576")),
            (63, 2, Some("more than 1048576")),
            (100, 100, Some("more than 1048576")),
            (128, 1, None),
            (129, 1, Some("128 deep")),
            (100_000, 1, Some("128 deep")),
        ] {
            match (check(&model(depth, calls)), problem) {
                (Ok(()), None) => {}
                (Err(error), Some(problem)) => assert!(error.to_string().contains(problem), "{depth}, {calls}: {error}"),
                (checked, _) => panic!("{depth}, {calls}: {checked:?}"),
            }
        }
        // As deep where the last are called first.
        let mut backwards = Vec::new();
        let mut graph = Vec::new();
        (0..200).rev().for_each(|number| write(&mut graph, GRAPH_NODE, &call(&format!("f{number}"))));
        write(&mut backwards, MODEL_GRAPH, &graph);
        backwards.extend(model(200, 1));
        assert!(check(&backwards).unwrap_err().to_string().contains("128 deep"));
        // What calls itself is ONNX Runtime's to tell.
        let mut around = model(1, 1);
        let mut function = Vec::new();
        write(&mut function, FUNCTION_NAME, b"f1");
        write(&mut function, FUNCTION_DOMAIN, b"own");
        write(&mut function, FUNCTION_NODE, &call("f0"));
        write(&mut around, MODEL_FUNCTION, &function);
        assert!(check(&around).is_ok());
    }
}
