//! The API of `OpenAI`, as callers speak it: requests are read, answers and errors written.
//!
//! <https://platform.openai.com/docs/api-reference/chat>

mod fault;
mod read;
mod write;

pub use fault::{error, error_event};
pub use read::read;
pub use write::Answer;
