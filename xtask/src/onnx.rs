//! An ONNX graph from a safetensors checkpoint, without Python or a training framework: no package carries this model
//! as ONNX, and both engines are to serve the same weights. Start with [`minilm`].

mod graph;
pub(crate) mod minilm;
mod safetensors;
mod wire;
