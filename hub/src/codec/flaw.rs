//! What is wrong with bytes, in terms of their framing alone; whoever asked for them says whose fault that is.

use alloc::format;
use alloc::string::{String, ToString};

/// Why the bytes of an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// They end too early.
    Cut(&'static str),
    /// They are not what their format promises.
    Broken(String),
}

impl Unreadable {
    /// What was compressed is not as its coding says.
    pub(super) fn compressed(problem: &str) -> Self {
        Self::Broken(format!("The provider's compressed answer is broken: {problem}."))
    }

    /// What was compressed ends too early.
    pub(super) const CUT_COMPRESSED: Self = Self::Cut("The provider's compressed answer ended before it was complete.");
}

/// Why the body of a request cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// It is no JSON: where the first error is.
    Json {
        /// Byte offset.
        offset: usize,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What was expected.
        problem: &'static str,
    },
    /// A field of it, or `body`, is not what it should be.
    Field {
        /// The field's path.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl BadBody {
    /// `field` is not what it should be.
    pub(super) fn field(field: &str, problem: &str) -> Self {
        Self::Field { field: field.to_string(), problem: problem.to_string() }
    }
}
