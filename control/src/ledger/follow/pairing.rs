//! Which file that is there is which file that is known.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use super::identity::{Content, TELLING, bytes, compare, may_be_copy};
use super::listing::Present;
use crate::ledger::store::Position;

/// A file that is there, and where to go on in it.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) present: Present,
    pub(super) file: File,
    /// What is known of it. `None` if it is new.
    pub(super) known: Option<Position>,
}

/// Pairs the files that are there with those that are known. Copies of what is there anyway are in no pair.
pub(super) fn pair(
    present: Vec<Present>,
    known: &[Position],
    held: &HashMap<(u64, u64), File>,
) -> io::Result<Vec<Pair>> {
    let mut pairs: Vec<Pair> = Vec::new();
    let mut strange = Vec::new();
    for present in present {
        let same_number = known.iter().filter(|one| one.device == present.device && one.inode == present.inode);
        let Some(file) = open(&present, held.get(&(present.device, present.inode)))? else {
            continue;
        };
        let mut best: Option<&Position> = None;
        for one in same_number {
            let same = compare(&file, one)? == Content::Same;
            if same && best.is_none_or(|best| best.offset < one.offset) {
                best = Some(one);
            }
        }
        match best {
            Some(one) => pairs.push(Pair { present, file, known: Some(one.clone()) }),
            None if present.size > 0 => strange.push((present, file)),
            None => {}
        }
    }
    for (present, file) in strange {
        if let Some(pair) = meet(present, file, known, &mut pairs)? {
            pairs.push(pair);
        }
    }
    pairs.sort_by_key(|pair| pair.present.current);
    Ok(pairs)
}

/// A file of an unknown number: a copy of what is known, or new.
fn meet(present: Present, file: File, known: &[Position], pairs: &mut Vec<Pair>) -> io::Result<Option<Pair>> {
    let mut copied = None;
    let head = bytes(&file, 0, TELLING)?;
    for one in known.iter().filter(|one| may_be_copy(&head, one)) {
        match compare(&file, one)? {
            Content::Other => {}
            // Somebody is copying, or this is an older copy. It is looked at again.
            Content::Beginning => return Ok(None),
            Content::Same => copied = Some(one),
        }
    }
    let Some(one) = copied else { return Ok(Some(Pair { present, file, known: None })) };
    let holder = pairs.iter().position(|pair| pair.known.as_ref().is_some_and(|known| known.file == one.file));
    // Of several files with the same content, the longest tells most.
    if let Some(holder) = holder {
        if pairs.get(holder).is_some_and(|pair| pair.present.size >= present.size) {
            return Ok(None);
        }
        pairs.remove(holder);
    }
    Ok(Some(Pair { present, file, known: Some(one.clone()) }))
}

/// Opens a file that was listed, or takes the one that is held. `None` if it is gone, or if another one has its name.
fn open(present: &Present, held: Option<&File>) -> io::Result<Option<File>> {
    if let Some(held) = held {
        return held.try_clone().map(Some);
    }
    let file = match File::open(&present.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let found = Present::of(present.path.clone(), &file.metadata()?, present.current);
    // A log that was rotated since it was listed is met again by its new name.
    let same = found.device == present.device && found.inode == present.inode;
    Ok(same.then_some(file))
}
