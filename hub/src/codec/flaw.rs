//! Errors in the format of bytes. Whoever asked for the bytes says whose fault that is.

use alloc::format;
use alloc::string::{String, ToString};

/// Why the bytes of an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The bytes end too early.
    Cut(&'static str),
    /// The bytes break the rules of their format.
    Broken(String),
}

impl Unreadable {
    /// Compressed bytes that break the rules of their coding.
    pub(super) fn compressed(problem: &str) -> Self {
        Self::Broken(format!("The provider's compressed answer is broken: {problem}."))
    }

    /// Compressed bytes that end too early.
    pub(super) const CUT_COMPRESSED: Self = Self::Cut("The provider's compressed answer ended before it was complete.");
}

/// Why the body of a request cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadBody {
    /// It is not JSON: where the first error is.
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
    /// A field of the body, or the body as a whole (`body`), is not valid.
    Field {
        /// The field's path.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl BadBody {
    pub(super) fn field(field: &str, problem: &str) -> Self {
        Self::Field { field: field.to_string(), problem: problem.to_string() }
    }
}
