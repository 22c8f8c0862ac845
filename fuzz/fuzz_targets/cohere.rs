//! Any bytes, as an answer.
#![no_main]

#[path = "../reply.rs"]
mod reply;

libfuzzer_sys::fuzz_target!(|input: &[u8]| reply::check("cohere", input));
