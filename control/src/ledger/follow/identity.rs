//! Whether a file is the one that was read: by its content, because a file's number is given to another one once it is free, and
//! because a file can be emptied and filled again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use crate::ledger::store::Position;

/// How many bytes at the start of a file, and before the position, tell what file it is.
pub(super) const TELLING: usize = 1024;

/// With fewer bytes than this, nothing is taken for a copy of anything.
const FEW: usize = 32;

/// How the content of a file compares to what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// It begins with all that was read.
    Same,
    /// So far it begins as what was read, but it is shorter: somebody may be copying.
    Beginning,
    /// It is another file.
    Other,
}

/// A sum over bytes.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Compares a file to what was read of a file.
pub(super) fn compare(file: &File, known: &Position) -> io::Result<Content> {
    let size = file.metadata()?.len();
    let head = bytes(file, 0, known.head.len())?;
    if !known.head.starts_with(&head) {
        return Ok(Content::Other);
    }
    if size < known.offset || head.len() < known.head.len() {
        return Ok(if head.is_empty() { Content::Other } else { Content::Beginning });
    }
    let length = telling(known.offset);
    let tail = bytes(file, known.offset - length as u64, length)?;
    Ok(if sum(&tail) == known.tail { Content::Same } else { Content::Other })
}

/// How many bytes before a position tell what file it is.
pub(super) fn telling(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(TELLING).min(TELLING)
}

/// Whether a file that begins with these bytes may be a copy of what was read.
pub(super) fn may_be_copy(head: &[u8], known: &Position) -> bool {
    known.head.len() >= FEW && head.iter().zip(&known.head).all(|(one, other)| one == other)
}

/// Up to `length` bytes from `start` on; fewer at the end of the file.
pub(super) fn bytes(file: &File, start: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    let mut have = 0;
    while let Some(rest) = buffer.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, start + have as u64) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(have);
    Ok(buffer)
}
