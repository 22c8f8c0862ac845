//! `POST /v1/embeddings`. [`ask`] reads the request, [`write`](mod@write) makes the answer, and [`Embeddings`] is what happens
//! between them.

use std::sync::Arc;

use weir_hub::embed::Encoding;

use super::{Known, Operation, Reject, Reply, Request};
use crate::Sidecar;
use crate::embed::{Busy, Normalize, Rows, normalize};
use crate::models::{Lease, Model, State};

pub mod ask;
pub mod write;

use ask::{Ask, Input};
use write::{Pieces, longest};

/// Longer bodies are read and tokenized away from the threads that serve all streams. For shorter ones, moving the work would cost
/// more than doing it.
const INLINE_BYTES: usize = 8 * 1024;

/// The operation.
pub struct Embeddings;

#[tonic::async_trait]
impl Operation for Embeddings {
    fn name(&self) -> &'static str {
        "embeddings"
    }

    async fn answer(&self, sidecar: &Arc<Sidecar>, request: Request<'_>) -> Result<Reply, Reject> {
        answer(sidecar, request).await
    }
}

async fn answer(sidecar: &Arc<Sidecar>, request: Request<'_>) -> Result<Reply, Reject> {
    let Request { body, held, known, span } = request;
    let Prepared { name, model, rows, encoding, dimensions } = if body.len() <= INLINE_BYTES {
        prepare(sidecar, &body, known)?
    } else {
        let shared = Arc::clone(sidecar);
        let work = move || {
            let mut known = Known::default();
            (prepare(&shared, &body, &mut known), known)
        };
        let (prepared, read) = sidecar.aside.run(held, work).await.map_err(|_| Reject::Failed)?;
        *known = read;
        prepared?
    };
    let (inputs, tokens) = (rows.len(), rows.tokens());
    known.tokens = tokens;
    let bytes = longest(encoding, inputs, dimensions);
    if bytes > sidecar.limits.max_answer_bytes {
        return Err(Reject::AnswerTooLarge { limit: sidecar.limits.max_answer_bytes });
    }
    if !held.grow(bytes) {
        return Err(Reject::Overloaded);
    }
    let outputs = model.pool.submit(rows, span.clone()).map_err(full)?;
    let values = outputs.only().await.map_err(|_| Reject::Failed)?;
    let values = shorten(values, &model, dimensions);
    // JSON has no way to write these, and no caller could use them.
    if values.iter().any(|value| !value.is_finite()) {
        tracing::error!(model = name, "the model gave a value that is not a number");
        return Err(Reject::Failed);
    }
    Ok(Reply::json(200, Pieces::new(values, dimensions, encoding, &name, tokens)))
}

struct Prepared {
    name: String,
    model: Lease,
    rows: Rows,
    encoding: Encoding,
    dimensions: usize,
}

/// Everything before the queue: reading, finding the model, tokens.
fn prepare(sidecar: &Sidecar, body: &[u8], known: &mut Known) -> Result<Prepared, Reject> {
    let Ask { model: name, input, encoding, dimensions } = Ask::read(body, sidecar.limits.max_inputs)?;
    let Some(entry) = sidecar.models.find(&name) else {
        return Err(Reject::ModelNotFound { name: name.chars().take(64).collect() });
    };
    known.model = Some(name.clone());
    let model = match &entry.state {
        State::Ready(model) => model.clone(),
        State::Loading => return Err(Reject::Loading),
        State::Failed(failure) => return Err(Reject::Unavailable { reason: failure.told() }),
    };
    let own = model.description.dimensions;
    let dimensions = match dimensions {
        None => own,
        Some(wanted) => usize::try_from(wanted).ok().filter(|wanted| (1..=own).contains(wanted)).ok_or_else(|| {
            Reject::Invalid { param: "dimensions".to_owned(), problem: format!("must be between 1 and {own}") }
        })?,
    };
    // Making tokens is most of the work, and wasted if the queue is full.
    model.pool.room(input.len()).map_err(full)?;
    let rows = match input {
        Input::Texts(texts) => filled(model.tokens.rows(&texts).map_err(|_| Reject::Failed)?)?,
        Input::Tokens(rows) => check(rows, &model)?,
    };
    Ok(Prepared { name, model, rows, encoding, dimensions })
}

fn full(busy: Busy) -> Reject {
    Reject::QueueFull { retry_after: busy.retry_after }
}

/// Refuses inputs without tokens, which a model cannot read. A text of spaces is one if the tokenizer adds no special tokens.
fn filled(rows: Rows) -> Result<Rows, Reject> {
    let Some(index) = rows.iter().position(<[u32]>::is_empty) else { return Ok(rows) };
    let problem = "holds nothing but what the model's tokenizer leaves out".to_owned();
    Err(Reject::Invalid { param: place(&rows, index), problem })
}

/// The name of the input at `index`, for callers.
fn place(rows: &Rows, index: usize) -> String {
    if rows.len() == 1 { "input".to_owned() } else { format!("input[{index}]") }
}

/// Checks token ids that a caller has made, special tokens included. They are used unchanged, or refused.
fn check(rows: Rows, model: &Model) -> Result<Rows, Reject> {
    let (limit, vocabulary) = (model.tokens.max_tokens(), model.vocabulary);
    for (index, row) in rows.iter().enumerate() {
        if row.len() > limit {
            return Err(Reject::ContextLength { param: place(&rows, index), given: row.len(), limit });
        }
        if let Some(at) = row.iter().position(|id| usize::try_from(*id).is_ok_and(|id| id >= vocabulary)) {
            let problem = format!("is not a token id of this model: ids are less than {vocabulary}");
            return Err(Reject::Invalid { param: format!("{}[{at}]", place(&rows, index)), problem });
        }
    }
    Ok(rows)
}

/// Keeps the first `dimensions` of every embedding, as Matryoshka models are meant to be used.
fn shorten(mut values: Vec<f32>, model: &Model, dimensions: usize) -> Vec<f32> {
    let own = model.description.dimensions;
    if dimensions < own {
        values = values.chunks_exact(own).flat_map(|embedding| embedding.iter().take(dimensions)).copied().collect();
        if model.normalize == Normalize::Unit {
            values.chunks_exact_mut(dimensions).for_each(normalize);
        }
    }
    values
}
