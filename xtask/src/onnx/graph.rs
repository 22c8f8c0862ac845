//! An ONNX graph under construction: constants and operators, each known by the name of its one output.

use super::safetensors::Tensor;
use super::wire::Message;

const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// The name of a value in the graph.
pub(super) type Name = String;

/// An operator's attribute.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attribute<'a> {
    Integer(&'a str, i64),
    Integers(&'a str, &'a [i64]),
    Float(&'a str, f32),
}

/// What the graph takes or gives: a name, its element type and its dimensions.
#[derive(Clone, Copy, Debug)]
pub(super) enum Port<'a> {
    Int64(&'a str, &'a [Dimension<'a>]),
    Float(&'a str, &'a [Dimension<'a>]),
}

/// A dimension that is known, or named.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dimension<'a> {
    Fixed(i64),
    Named(&'a str),
}

/// A graph under construction.
#[derive(Debug, Default)]
pub(super) struct Graph {
    message: Message,
    values: u32,
}

impl Graph {
    /// A constant from a checkpoint.
    pub(super) fn weight(&mut self, tensor: &Tensor) -> Name {
        self.constant(FLOAT, &tensor.shape, &tensor.bytes)
    }

    /// A single float.
    pub(super) fn float(&mut self, value: f32) -> Name {
        self.constant(FLOAT, &[], &value.to_le_bytes())
    }

    /// A single integer.
    pub(super) fn integer(&mut self, value: i64) -> Name {
        self.constant(INT64, &[], &value.to_le_bytes())
    }

    /// A vector of integers.
    pub(super) fn integers(&mut self, values: &[i64]) -> Name {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(INT64, &[values.len().cast_signed() as i64], &bytes)
    }

    /// An operator on values.
    pub(super) fn op(&mut self, kind: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> Name {
        let output = self.name();
        self.node(kind, inputs, &output, attributes);
        output
    }

    /// An operator whose result has a name of the caller's.
    pub(super) fn op_named(&mut self, kind: &str, inputs: &[&str], output: &str, attributes: &[Attribute<'_>]) {
        self.node(kind, inputs, output, attributes);
    }

    /// The finished file.
    pub(super) fn encoded(self, name: &str, inputs: &[Port<'_>], outputs: &[Port<'_>]) -> Vec<u8> {
        let mut graph = self.message.bytes(2, name);
        for input in inputs {
            graph = graph.message(11, &port(*input));
        }
        for output in outputs {
            graph = graph.message(12, &port(*output));
        }
        // Operator set 20 is the first with Gelu; file format 9 is the one that came with it.
        let operators = Message::default().bytes(1, "").integer(2, 20);
        Message::default().integer(1, 9).bytes(2, "weir").message(7, &graph).message(8, &operators).encoded()
    }

    fn constant(&mut self, kind: i64, shape: &[i64], bytes: &[u8]) -> Name {
        let name = self.name();
        let tensor = Message::default().integers(1, shape).integer(2, kind).bytes(8, &name).bytes(9, bytes);
        self.push(5, &tensor);
        name
    }

    fn node(&mut self, kind: &str, inputs: &[&str], output: &str, attributes: &[Attribute<'_>]) {
        let mut node = inputs.iter().fold(Message::default(), |node, input| node.bytes(1, input));
        node = node.bytes(2, output).bytes(3, output).bytes(4, kind);
        for attribute in attributes {
            node = node.message(5, &encode(*attribute));
        }
        self.push(1, &node);
    }

    fn push(&mut self, field: u32, part: &Message) {
        self.message = std::mem::take(&mut self.message).message(field, part);
    }

    fn name(&mut self) -> Name {
        self.values += 1;
        format!("v{}", self.values)
    }
}

fn encode(attribute: Attribute<'_>) -> Message {
    let message = Message::default();
    match attribute {
        Attribute::Float(name, value) => message.bytes(1, name).float(2, value).integer(20, 1),
        Attribute::Integer(name, value) => message.bytes(1, name).integer(3, value).integer(20, 2),
        Attribute::Integers(name, values) => message.bytes(1, name).integers(8, values).integer(20, 7),
    }
}

fn port(port: Port<'_>) -> Message {
    let (name, kind, dimensions) = match port {
        Port::Int64(name, dimensions) => (name, INT64, dimensions),
        Port::Float(name, dimensions) => (name, FLOAT, dimensions),
    };
    let shape = dimensions.iter().fold(Message::default(), |shape, dimension| {
        let dimension = match dimension {
            Dimension::Fixed(size) => Message::default().integer(1, *size),
            Dimension::Named(name) => Message::default().bytes(2, name),
        };
        shape.message(1, &dimension)
    });
    let tensor = Message::default().integer(1, kind).message(2, &shape);
    Message::default().bytes(1, name).message(2, &Message::default().message(1, &tensor))
}
