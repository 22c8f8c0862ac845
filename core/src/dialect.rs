//! What callers speak.

pub mod openai;
