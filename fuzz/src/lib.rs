//! What fuzzing holds the core to: bytes from outside never bring it down, nothing depends on where they are cut, nothing
//! grows out of proportion, and what it writes is well formed.
//!
//! [`all`] names every target with its seeds, which are the corpus under `tests/fixtures`. `core/tests/fuzz.rs` tries what
//! is near the seeds; the program `fuzz_targets/any.rs` lets libFuzzer look further.

pub mod answer;
pub mod ask;
pub mod codec;
mod seeds;

use weir_core::provider::ALL;

/// What is done with an input.
pub type Run = Box<dyn Fn(&[u8]) + Send + Sync>;

/// Something that bytes are given to.
pub struct Target {
    /// What `WEIR_FUZZ` calls it.
    pub name: String,
    /// Fails where something is wrong.
    pub run: Run,
    /// Inputs to begin with.
    pub seeds: Vec<Vec<u8>>,
}

/// Every target.
pub fn all() -> Vec<Target> {
    type Codec = (&'static str, fn(&[u8]));
    const CODECS: [Codec; 6] = [
        ("json", codec::json),
        ("sse", codec::sse),
        ("gzip", codec::gzip),
        ("brotli", codec::brotli),
        ("eventstream", codec::eventstream),
        ("multipart", codec::multipart),
    ];
    let cases = seeds::cases();
    let codecs = CODECS.map(|(name, run)| Target {
        name: name.to_owned(),
        run: Box::new(run),
        seeds: seeds::of_codec(name, &cases),
    });
    let answers = ALL.map(|provider| Target {
        name: format!("answer_{}", provider.name()),
        run: Box::new(move |input| answer::check(provider.name(), input)),
        seeds: cases.iter().filter(|case| case.provider == provider.name()).flat_map(answer::seeds).collect(),
    });
    let callers = ask::CALLERS.map(|(name, endpoints)| Target {
        name: name.to_owned(),
        run: Box::new(move |input| ask::check(name, input)),
        seeds: cases.iter().filter(|case| endpoints.contains(&case.endpoint)).map(ask::seed).collect(),
    });
    codecs.into_iter().chain(answers).chain(callers).collect()
}
