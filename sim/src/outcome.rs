//! How a request ended.

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is being answered, or left hanging.
    Open,
    /// Its answer was handed to the connection to the end.
    Finished,
    /// The peer hung up, or a fault broke the connection, before that.
    Aborted,
}
