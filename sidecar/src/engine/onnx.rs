//! The engine for ONNX Runtime, which is loaded at run time from its own library. On a CPU it is several times faster than candle.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{TensorElementType, TensorRef, ValueType};

use super::pooling::{self, Pooling};
use super::{Batch, Description, Engine, EngineError, Parallel, Weights};

/// An ONNX graph. Each of its engines holds a session of its own, because `ort` does not let a session run twice at once.
pub struct Graph {
    path: PathBuf,
    environment: Environment,
    plan: Plan,
    description: Description,
}

/// How the graph is called.
#[derive(Clone, Debug)]
struct Plan {
    inputs: Vec<Input>,
    output: String,
    pooling: Pooling,
}

/// An input that the graph declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Ids,
    Mask,
    Types,
}

impl Input {
    fn name(self) -> &'static str {
        match self {
            Self::Ids => "input_ids",
            Self::Mask => "attention_mask",
            Self::Types => "token_type_ids",
        }
    }
}

impl Graph {
    /// Loads the graph and runs it once, so that a broken graph fails now.
    pub fn load(path: &Path, pooling: Pooling, library: Option<&Path>) -> Result<Self, EngineError> {
        let environment = environment(library)?;
        let unusable = |error: String| EngineError::Unusable { path: path.into(), error };
        let session = session(&environment, path, 1)?;
        let plan = Plan::of(&session, pooling).map_err(unusable)?;
        let mut runner = Runner { session, plan: plan.clone(), ids: Vec::new(), mask: Vec::new(), types: Vec::new() };
        let mut probe = Vec::new();
        // Two rows, one of them padded: some graphs run one row but not two.
        let rows: [&[u32]; 2] = [&[0, 0], &[0]];
        runner.embed(Batch { rows: &rows, width: 2 }, &mut probe).map_err(|error| unusable(error.to_string()))?;
        let description = Description {
            engine: "onnx",
            device: "cpu".to_owned(),
            dimensions: probe.len() / rows.len(),
            parallel: Parallel::Batches,
        };
        Ok(Self { path: path.into(), environment, plan, description })
    }
}

impl Weights for Graph {
    fn description(&self) -> &Description {
        &self.description
    }

    fn engine(&self, threads: usize) -> Result<Box<dyn Engine>, EngineError> {
        let session = session(&self.environment, &self.path, threads)?;
        let plan = self.plan.clone();
        Ok(Box::new(Runner { session, plan, ids: Vec::new(), mask: Vec::new(), types: Vec::new() }))
    }
}

impl Plan {
    fn of(session: &Session, pooling: Pooling) -> Result<Self, String> {
        let mut inputs = Vec::new();
        for declared in session.inputs() {
            let known =
                [Input::Ids, Input::Mask, Input::Types].into_iter().find(|input| input.name() == declared.name());
            let Some(input) = known else {
                let wanted = "export it with input_ids, attention_mask and token_type_ids at most";
                return Err(format!("the graph wants an input \"{}\", which is not known; {wanted}", declared.name()));
            };
            match declared.dtype() {
                // A size that is not fixed is negative.
                ValueType::Tensor { ty: TensorElementType::Int64, shape, .. } if shape.iter().all(|size| *size < 0) => {
                    inputs.push(input);
                }
                other => {
                    let wanted = "export it with int64 inputs, both of whose sizes are dynamic";
                    return Err(format!("its input \"{}\" is {other}; {wanted}", input.name()));
                }
            }
        }
        let outputs = session.outputs();
        // A pooled output is preferred; "last_hidden_state" and "token_embeddings" are what exporters call the others.
        let preferred = ["sentence_embedding", "last_hidden_state", "token_embeddings"];
        let named = preferred.iter().find_map(|name| outputs.iter().find(|output| output.name() == *name));
        let output = named.or(outputs.first()).ok_or("the graph has no output")?;
        if output.name() == "logits" {
            let wanted = "take a model for embeddings, or export it with --task feature-extraction";
            return Err(format!("it gives scores (\"logits\") and no embeddings; {wanted}"));
        }
        match output.dtype() {
            ValueType::Tensor { ty: TensorElementType::Float32, .. } => {}
            other => {
                return Err(format!("its output \"{}\" is {other}; export it with float32 outputs", output.name()));
            }
        }
        Ok(Self { inputs, output: output.name().to_owned(), pooling })
    }
}

struct Runner {
    session: Session,
    plan: Plan,
    // Kept between batches, so that nothing is allocated after they have grown.
    ids: Vec<i64>,
    mask: Vec<i64>,
    types: Vec<i64>,
}

impl Engine for Runner {
    fn embed(&mut self, batch: Batch<'_>, out: &mut Vec<f32>) -> Result<(), EngineError> {
        self.fill(batch);
        let shape = [batch.rows.len(), batch.width];
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(self.plan.inputs.len());
        for input in &self.plan.inputs {
            let values = match input {
                Input::Ids => &self.ids,
                Input::Mask => &self.mask,
                Input::Types => &self.types,
            };
            let tensor = TensorRef::from_array_view((shape, values.as_slice())).map_err(run)?;
            inputs.push((input.name().into(), tensor.into()));
        }
        let outputs = self.session.run(inputs).map_err(run)?;
        let value = outputs.get(&self.plan.output).ok_or_else(|| run("the graph gave no output"))?;
        let (shape, values) = value.try_extract_tensor::<f32>().map_err(run)?;
        let width = |axis: usize| shape.get(axis).and_then(|size| usize::try_from(*size).ok()).unwrap_or_default();
        match shape.len() {
            2 if width(0) == batch.rows.len() => out.extend_from_slice(values),
            3 if width(0) == batch.rows.len() && width(1) == batch.width => {
                let dimensions = width(2);
                for (row, hidden) in batch.rows.iter().zip(values.chunks_exact((batch.width * dimensions).max(1))) {
                    pooling::pool(self.plan.pooling, hidden, dimensions, row.len(), out);
                }
            }
            _ => return Err(run(format!("the graph's output has the shape {shape:?}"))),
        }
        Ok(())
    }
}

impl Runner {
    fn fill(&mut self, batch: Batch<'_>) {
        self.ids.clear();
        self.mask.clear();
        for row in batch.rows {
            let end = self.ids.len() + batch.width;
            self.ids.extend(row.iter().map(|id| i64::from(*id)));
            self.mask.resize(self.ids.len(), 1);
            self.ids.resize(end, 0);
            self.mask.resize(end, 0);
        }
        self.types.resize(self.ids.len(), 0);
    }
}

fn run(error: impl Display) -> EngineError {
    EngineError::Run(format!("{error}"))
}

fn session(environment: &Environment, path: &Path, threads: usize) -> Result<Session, EngineError> {
    let unusable = |error: String| EngineError::Unusable { path: path.into(), error };
    // Spinning threads would take the cores from Envoy and from the other workers.
    Session::builder(environment)
        .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::All)?))
        .and_then(|builder| Ok(builder.with_intra_threads(threads)?))
        .and_then(|builder| Ok(builder.with_inter_threads(1)?))
        .and_then(|builder| Ok(builder.with_intra_op_spinning(false)?))
        .and_then(|mut builder| builder.commit_from_file(path))
        .map_err(|error| unusable(error.to_string()))
}

/// The variable that keeps ONNX Runtime from sending telemetry. While it is being loaded, before any call can stop it, it writes a
/// device id below the home folder and looks up a host. Only this variable with this value prevents that.
pub const QUIET: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");

/// Whether this process was started with [`QUIET`]. It cannot set the variable itself, because other threads may read the
/// environment meanwhile.
pub fn is_quiet() -> bool {
    let (name, value) = QUIET;
    std::env::var_os(name).is_some_and(|set| set == value)
}

/// The ONNX Runtime of the process. The first call chooses the library; later calls get the same.
fn environment(library: Option<&Path>) -> Result<Environment, EngineError> {
    static LOADED: OnceLock<Result<Environment, String>> = OnceLock::new();
    if !is_quiet() {
        let (name, value) = QUIET;
        let problem = "it is not loaded, because it would send telemetry";
        return Err(EngineError::Runtime(format!(
            "{problem}: start this process with {name}={value} in its environment"
        )));
    }
    let loaded = LOADED.get_or_init(|| {
        let named = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
        let library = library.map(Path::to_path_buf).or(named);
        let library = library.unwrap_or_else(|| PathBuf::from("libonnxruntime.so"));
        // `ort` panics on some libraries that are not ONNX Runtime.
        std::panic::catch_unwind(|| {
            let builder = ort::environment::init_from(&library).map_err(|error| error.to_string())?;
            builder.with_name("weir").with_telemetry(false).build().map_err(|error| error.to_string())
        })
        .unwrap_or_else(|_| Err(format!("{} cannot be used", library.display())))
    });
    loaded.clone().map_err(EngineError::Runtime)
}
