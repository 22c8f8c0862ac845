//! From a caller's dialect to a provider and back.

mod completions;
mod generate_content;
mod messages;
mod responses;
