//! The cluster of requests without a plan.

use serde_json::{Value, json};

use crate::render::names::NO_PLAN;

/// The cluster of requests without a plan.
pub(crate) fn no_plan() -> Value {
    json!({ "name": NO_PLAN, "type": "STATIC", "connect_timeout": "1s" })
}
