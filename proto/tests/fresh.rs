//! The checked-in code is what the sources give.

use std::path::Path;

#[allow(dead_code, reason = "only a part of it is used here")]
#[path = "../examples/generate/build.rs"]
mod build;

#[test]
fn the_generated_code_is_fresh() {
    assert_eq!(build::check(Path::new(env!("CARGO_MANIFEST_DIR"))), Ok(()));
}
