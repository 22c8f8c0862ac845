//! Files that are generated and checked in: written anew, or compared.

use crate::run::{cargo, run};
use crate::say::{Outcome, step};

/// What to do about a stale file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Check,
}

impl Mode {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Write => &[],
            Self::Check => &["--check"],
        }
    }
}

/// `config/schema.json`.
pub(crate) fn schema(mode: Mode) -> Outcome {
    let command = ["run", "--quiet", "--package", "weir", "--", "schema", "--file", "config/schema.json"];
    run(cargo(&command).args(mode.flags()))
}

/// The code of `proto/`.
pub(crate) fn proto(mode: Mode) -> Outcome {
    run(cargo(&["run", "--quiet", "--package", "weir-proto", "--example", "generate", "--"]).args(mode.flags()))
}

/// Everything that is generated or expected, as it now is.
pub(crate) fn bless() -> Outcome {
    step("generated files", || {
        schema(Mode::Write)?;
        proto(Mode::Write)
    })?;
    // Golden tests write what they see where this is set.
    step("expected outputs", || run(cargo(&["test", "--no-fail-fast"]).env("BLESS", "1")))?;
    run(&mut cargo(&["fmt", "--all"]))
}
