//! A graph as ONNX messages.

use prost::Message;

use crate::{
    graph::{Attribute, Body, Data, Dim, Node, Value, ValueId},
    onnx::{
        AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
        TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto, attribute_type,
    },
};

/// ONNX's operator set 21 came with IR version 10.
const IR_VERSION: i64 = 10;
const OPSET: i64 = 21;

/// Where the bytes of an initializer go.
pub(super) enum Place {
    /// Into the message itself.
    Inside(Vec<u8>),
    /// A part of another file.
    File { location: String, offset: u64, len: u64 },
}

/// The bytes of the model; `place` says where those of each initializer go.
pub(super) fn encode<E>(body: &Body, mut place: impl FnMut(ValueId, &Data) -> Result<Place, E>) -> Result<Vec<u8>, E> {
    let mut initializer = Vec::with_capacity(body.initializers.len());
    for (&id, data) in &body.initializers {
        initializer.push(tensor(body.value(id), place(id, data)?));
    }
    for (&id, (shape, bytes)) in &body.defaults {
        let value = body.value(id);
        let dims = shape.iter().map(|&size| size as i64).collect();
        let raw_data = Some(bytes.clone());
        initializer.push(TensorProto { dims, data_type: value.dtype.onnx(), name: value.name.clone(), raw_data, ..Default::default() });
    }
    let graph = GraphProto {
        node: body.nodes.iter().enumerate().map(|(i, n)| node(body, i, n)).collect(),
        name: body.name.clone(),
        initializer,
        input: body.inputs.iter().map(|&id| value_info(body.value(id))).collect(),
        output: body.outputs.iter().map(|&id| value_info(body.value(id))).collect(),
    };
    let opset = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: crate::PRODUCER.into(),
        graph: Some(graph),
        opset_import: vec![opset("", OPSET), opset("com.microsoft", 1)],
        metadata_props: Vec::new(),
    };
    Ok(model.encode_to_vec())
}

fn node(body: &Body, index: usize, node: &Node) -> NodeProto {
    let name = |id: &ValueId| body.value(*id).name.clone();
    NodeProto {
        input: node.inputs.iter().map(|id| id.as_ref().map(name).unwrap_or_default()).collect(),
        output: node.outputs.iter().map(name).collect(),
        name: format!("/{}_{index}", node.op),
        op_type: node.op.clone(),
        attribute: node.attributes.0.iter().map(|(name, value)| attribute(name, value)).collect(),
        domain: node.domain.clone(),
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.into(), ..Default::default() };
    match value {
        Attribute::Int(i) => (proto.i, proto.r#type) = (Some(*i), attribute_type::INT),
        Attribute::Float(f) => (proto.f, proto.r#type) = (Some(*f), attribute_type::FLOAT),
        Attribute::String(s) => (proto.s, proto.r#type) = (Some(s.clone().into_bytes()), attribute_type::STRING),
        Attribute::Ints(ints) => (proto.ints, proto.r#type) = (ints.clone(), attribute_type::INTS),
        Attribute::Floats(floats) => (proto.floats, proto.r#type) = (floats.clone(), attribute_type::FLOATS),
    }
    proto
}

fn tensor(value: &Value, place: Place) -> TensorProto {
    let dims = value.shape.iter().map(|d| d.fixed().unwrap_or_default() as i64).collect();
    let mut proto = TensorProto { dims, data_type: value.dtype.onnx(), name: value.name.clone(), ..Default::default() };
    match place {
        Place::Inside(bytes) => proto.raw_data = Some(bytes),
        Place::File { location, offset, len } => {
            let entry = |key: &str, value: String| StringStringEntryProto { key: key.into(), value };
            proto.external_data = vec![entry("location", location), entry("offset", offset.to_string()), entry("length", len.to_string())];
            proto.data_location = 1;
        }
    }
    proto
}

fn value_info(value: &Value) -> ValueInfoProto {
    let dim = value
        .shape
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(n) => DimensionProto { dim_value: Some(*n as i64), dim_param: None },
            Dim::Named(name) => DimensionProto { dim_value: None, dim_param: Some(name.to_string()) },
            Dim::Unknown => DimensionProto::default(),
        })
        .collect();
    let tensor = TensorTypeProto { elem_type: value.dtype.onnx(), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: value.name.clone(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
