//! The simulator over real connections, asked by a plain hyper client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod anthropic;
mod audio;
mod azure;
mod bedrock;
mod bill;
mod caps;
mod client;
mod cohere;
mod completions;
mod connections;
mod dialects;
mod faults;
mod gemini;
mod images;
mod mistral;
mod moderations;
mod oneinfer;
mod openai;
mod others;
mod outside;
mod rerank;
mod responses;
mod seen;
mod vertex;
