//! Every target as one program: `WEIR_FUZZ` names the one that runs.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use weir_fuzz::{Run, all};

static RUN: OnceLock<Run> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("WEIR_FUZZ").unwrap_or_default();
        let names: Vec<String> = all().into_iter().map(|target| target.name).collect();
        let target = all().into_iter().find(|target| target.name == name);
        let target = target.unwrap_or_else(|| panic!("WEIR_FUZZ is `{name}`, which is none of {}", names.join(", ")));
        let _ = RUN.set(target.run);
    },
    |input: &[u8]| if let Some(run) = RUN.get() { run(input) }
);
