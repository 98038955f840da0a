use formers_converters::protobuf::write_float;

use super::*;

/// A model of some nodes: what each is, what it reads and makes.
#[derive(Clone, Default)]
struct Model {
    nodes: Vec<Vec<u8>>,
    outputs: Vec<&'static str>,
}

impl Model {
    /// Lists of names are split at spaces; `_` is an input or output that is left out.
    fn node(mut self, op: &str, inputs: &str, outputs: &str) -> Self {
        let mut node = Vec::new();
        let names = |list: &str| list.split(' ').map(|name| name.replace('_', "")).collect::<Vec<_>>();
        names(inputs).iter().for_each(|name| write(&mut node, onnx::NODE_INPUT, name.as_bytes()));
        names(outputs).iter().for_each(|name| write(&mut node, onnx::NODE_OUTPUT, name.as_bytes()));
        let (domain, op) = op.rsplit_once('.').unwrap_or(("", op));
        write(&mut node, onnx::NODE_TYPE, op.as_bytes());
        write(&mut node, onnx::NODE_DOMAIN, domain.as_bytes());
        if op == "MatMulNBits" {
            for (name, value) in [("K", 64), ("N", 16), ("block_size", 32), ("accuracy_level", 4)] {
                let mut attribute = Vec::new();
                write(&mut attribute, onnx::ATTRIBUTE_NAME, name.as_bytes());
                write_integer(&mut attribute, onnx::ATTRIBUTE_INTEGER, value);
                write(&mut node, onnx::NODE_ATTRIBUTE, &attribute);
            }
        }
        self.nodes.push(node);
        self
    }

    /// Its last node gets a graph inside.
    fn with_inside(mut self, inside: &Self) -> Self {
        let mut attribute = Vec::new();
        write(&mut attribute, onnx::ATTRIBUTE_NAME, b"then_branch");
        write(&mut attribute, onnx::ATTRIBUTE_GRAPH, &inside.graph());
        if let Some(node) = self.nodes.last_mut() {
            write(node, onnx::NODE_ATTRIBUTE, &attribute);
        }
        self
    }

    fn output(mut self, name: &'static str) -> Self {
        self.outputs.push(name);
        self
    }

    fn graph(&self) -> Vec<u8> {
        let mut graph = Vec::new();
        self.nodes.iter().for_each(|node| write(&mut graph, onnx::GRAPH_NODE, node));
        for (name, dtype) in [("w", onnx::UINT8), ("s", onnx::FLOAT), ("scale", onnx::FLOAT)] {
            let mut tensor = Vec::new();
            write(&mut tensor, onnx::TENSOR_NAME, name.as_bytes());
            write_integer(&mut tensor, onnx::TENSOR_TYPE, dtype);
            write(&mut graph, onnx::GRAPH_INITIALIZER, &tensor);
        }
        for name in &self.outputs {
            let mut value = Vec::new();
            write(&mut value, onnx::VALUE_NAME, name.as_bytes());
            write(&mut graph, onnx::GRAPH_OUTPUT, &value);
        }
        graph
    }

    /// Its nodes after the rewrite: what they are, read and make.
    fn rewritten(&self) -> Vec<String> {
        let graph = rewrite_graph(&self.graph(), &|location| Some(location.to_owned())).unwrap_or_default();
        let nodes = Fields(&graph).flatten().filter(|field| field.number == onnx::GRAPH_NODE).map(|field| field.bytes.unwrap());
        let node = |node: &[u8]| {
            let texts = |number| {
                let fields = Fields(node).flatten().filter(|field| field.number == number);
                fields.map(|field| String::from_utf8(field.bytes.unwrap().to_vec()).unwrap()).collect::<Vec<_>>().join(" ")
            };
            let (inputs, outputs) = (texts(onnx::NODE_INPUT), texts(onnx::NODE_OUTPUT));
            format!("{}({inputs}) -> {outputs}", texts(onnx::NODE_TYPE))
        };
        nodes.map(node).collect()
    }
}

const PRODUCT: &str = "com.microsoft.MatMulNBits";
const NORM: &str = "com.microsoft.SkipSimplifiedLayerNormalization";

fn gated() -> Model {
    let model = Model::default().node(PRODUCT, "x w s", "gate").node(PRODUCT, "x w s", "up");
    model.node("Sigmoid", "gate", "sigmoid").node("Mul", "gate sigmoid", "silu").node("Mul", "silu up", "y").output("y")
}

#[test]
fn gates_and_what_they_scale_become_one() {
    let one = ["GatedMatMulNBits(x w s    w s   ) -> y"];
    assert_eq!(gated().rewritten(), one);
    let products = || Model::default().node(PRODUCT, "x w s", "up").node(PRODUCT, "x w s", "gate");
    let others = [
        products().node("Sigmoid", "gate", "sigmoid").node("Mul", "sigmoid gate", "silu").node("Mul", "up silu", "y"),
        products().node("com.microsoft.QuickGelu", "gate", "silu").node("Mul", "silu up", "y"),
        products().node("com.microsoft.FastGelu", "gate", "gelu").node("Mul", "gelu up", "y"),
    ];
    for model in others {
        assert_eq!(model.output("y").rewritten(), one);
    }
}

#[test]
fn what_is_read_elsewhere_stays() {
    for value in ["gate", "up", "sigmoid", "silu"] {
        let elsewhere = [
            gated().output(value),
            gated().node("Relu", value, "z"),
            gated().node("If", "condition", "z").with_inside(&Model::default().node("Relu", value, "inner")),
            gated().node("If", "condition", "z").with_inside(&Model::default().output(value)),
            gated()
                .node("If", "condition", "z")
                .with_inside(&Model::default().node("If", "other", "inner").with_inside(&Model::default().node("Relu", value, "most"))),
        ];
        for model in elsewhere {
            let nodes = model.rewritten();
            assert!(nodes.len() >= 5 && nodes.iter().all(|node| !node.contains("Gated")), "{value}: {nodes:?}");
        }
    }
    // Of other activations, with an activation that is none, with a second output, and with itself.
    let products = |x: &str| Model::default().node(PRODUCT, "x w s", "gate").node(PRODUCT, &format!("{x} w s"), "up");
    for model in [
        products("z").node("com.microsoft.QuickGelu", "gate", "silu").node("Mul", "silu up", "y"),
        products("x").node("Relu", "gate", "silu").node("Mul", "silu up", "y"),
        products("x").node("Gelu", "gate", "gelu").node("Mul", "gelu up", "y"),
        products("x").node("other.QuickGelu", "gate", "silu").node("Mul", "silu up", "y"),
        products("x").node("com.microsoft.FastGelu", "gate bias", "gelu").node("Mul", "gelu up", "y"),
        products("x").node("com.microsoft.QuickGelu", "gate", "silu").node("Mul", "silu silu", "y"),
        products("x").node("com.microsoft.QuickGelu", "gate", "silu").node("Mul", "silu gate", "y"),
        products("x").node("com.microsoft.QuickGelu", "gate", "silu").node("Mul", "silu up", "y").output("gate"),
    ] {
        let nodes = model.output("y").rewritten();
        assert!(nodes.len() == 4 && nodes.iter().all(|node| !node.contains("Gated")), "{nodes:?}");
    }
}

#[test]
fn norms_go_into_the_only_product_that_reads_them() {
    let model = |norm: &str| Model::default().node(NORM, "a b scale", norm).node(PRODUCT, "n w s", "y").output("y");
    assert_eq!(model("n").rewritten(), ["NormMatMulNBits(a b scale w s   ) -> y"]);
    assert_eq!(model("n _ _ sum").node("Relu", "sum", "z").rewritten()[0], "NormMatMulNBits(a b scale w s   ) -> y sum");
    assert_eq!(model("n _ _ sum").output("sum").rewritten().len(), 1);
    let mut both = gated();
    both.nodes.splice(0..0, Model::default().node(NORM, "a b scale", "x _ _ sum").nodes);
    assert_eq!(both.rewritten(), ["NormGatedMatMulNBits(a b scale w s    w s   ) -> y sum"]);

    for model in [
        // Others read the norm, or what only training wants; a bias; a scale that is computed.
        model("n").node("Relu", "n", "z"),
        model("n").output("n"),
        model("n mean").output("mean"),
        Model::default().node(NORM, "a b scale bias", "n").node(PRODUCT, "n w s", "y").output("y"),
        Model::default().node(NORM, "a b c", "n").node(PRODUCT, "n w s", "y").output("y"),
        // The sum is read before the product.
        Model::default().node(NORM, "a b scale", "n _ _ sum").node("Relu", "sum", "z").node(PRODUCT, "n w s", "y").output("y"),
    ] {
        let nodes = model.rewritten();
        assert!(!nodes.is_empty() && nodes.iter().all(|node| !node.contains("NormMat")), "{nodes:?}");
    }
}

#[test]
fn two_values_of_one_name_are_left_to_onnx_runtime() {
    assert!(gated().node("Relu", "x", "gate").rewritten().is_empty());
}

#[test]
fn numbers_of_attributes_are_read_as_they_are_written() {
    let mut attribute = Vec::new();
    write(&mut attribute, onnx::ATTRIBUTE_NAME, b"epsilon");
    write_float(&mut attribute, onnx::ATTRIBUTE_FLOAT, 1e-6);
    let mut node = Vec::new();
    write(&mut node, onnx::NODE_TYPE, b"Norm");
    write(&mut node, onnx::NODE_ATTRIBUTE, &attribute);
    let mut graph = Vec::new();
    write(&mut graph, onnx::GRAPH_NODE, &node);
    let graph = Graph::read(&graph).unwrap();
    assert_eq!((graph.nodes[0].float("epsilon"), graph.nodes[0].float("alpha")), (Some(1e-6), None));
}
