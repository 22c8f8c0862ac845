//! OpenAI's API, as callers speak it: requests are read, answers and errors written.
//!
//! <https://platform.openai.com/docs/api-reference/chat>

mod fault;

pub use fault::{error, error_event};
