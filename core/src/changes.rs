//! What has to be written so that some headers become others, where each write has its price.

use alloc::vec;
use alloc::vec::Vec;

/// By what headers differ from those that they replace.
pub struct Changes {
    /// The names that are there no more: copies, for what Envoy shows is not there any more once a header is changed.
    pub gone: Names,
    /// What to do with each of the new headers.
    pub writes: Vec<Write>,
}

/// What to do with a new header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Nothing: it is there.
    Not,
    /// Add it to those that have its name, if there are any.
    Add,
    /// Put it in the place of all that have its name.
    Set,
}

impl Changes {
    /// From the headers that are there, and those that are to be.
    pub fn of(before: &[(&[u8], &[u8])], after: &[(&[u8], &[u8])]) -> Self {
        let mut gone = Names::with_room(before.len(), before.iter().map(|(name, _)| name.len()).sum());
        let mut changed = Vec::new();
        let mut writes = vec![Write::Add; after.len()];
        // Most of what goes has a length that nothing else has.
        let lengths = after.iter().fold(0, |lengths, (name, _)| lengths | bit(name.len()));
        for (name, value) in before {
            if lengths & bit(name.len()) == 0 {
                gone.add(name);
                continue;
            }
            let named = after.iter().zip(&mut writes).filter(|((other, _), _)| other == name);
            let mut meant = Meant::Gone;
            for ((_, other), write) in named {
                meant = Meant::Changed;
                if *write == Write::Add {
                    // Values of one name have an order: it is the next one or none.
                    if other == value {
                        *write = Write::Not;
                        meant = Meant::Same;
                    }
                    break;
                }
            }
            match meant {
                Meant::Gone => gone.add(name),
                Meant::Changed => changed.push(*name),
                Meant::Same => {}
            }
        }
        // Of what has other values than before, the first takes the place of all.
        for changed in changed {
            let mut first = true;
            for (write, _) in writes.iter_mut().zip(after).filter(|(_, (name, _))| *name == changed) {
                *write = if core::mem::take(&mut first) { Write::Set } else { Write::Add };
            }
        }
        Self { gone, writes }
    }
}

/// What becomes of a header that is there.
enum Meant {
    Gone,
    Changed,
    Same,
}

/// A length as one bit of many.
const fn bit(length: usize) -> u64 {
    1 << (length % 64)
}

/// Names, each once.
pub struct Names {
    lengths: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    fn with_room(names: usize, bytes: usize) -> Self {
        Self { lengths: 0, text: Vec::with_capacity(bytes), ends: Vec::with_capacity(names) }
    }

    fn add(&mut self, name: &[u8]) {
        if self.lengths & bit(name.len()) == 0 || !self.iter().any(|other| other == name) {
            self.lengths |= bit(name.len());
            self.text.extend_from_slice(name);
            self.ends.push(self.text.len());
        }
    }

    /// In the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    /// What is removed, set and added to come from `before` to `after`.
    fn check(before: &[(&str, &str)], after: &[(&str, &str)], expect: &[&str]) {
        fn bytes<'h>(headers: &[(&'h str, &'h str)]) -> Vec<(&'h [u8], &'h [u8])> {
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
        }
        let Changes { gone, writes } = Changes::of(&bytes(before), &bytes(after));
        let gone = gone.iter().map(|name| format!("-{}", String::from_utf8_lossy(name)));
        let written = after.iter().zip(writes).filter_map(|((name, value), write)| match write {
            Write::Not => None,
            Write::Add => Some(format!("{name}+={value}")),
            Write::Set => Some(format!("{name}={value}")),
        });
        assert_eq!(gone.chain(written).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn only_what_differs_is_written() {
        let before = [(":status", "200"), ("a", "1"), ("b", "2"), ("b", "3"), ("c", "4")];
        check(&before, &before, &[]);
        check(&before, &[], &["-:status", "-a", "-b", "-c"]);
        check(&before, &[(":status", "200"), ("c", "4")], &["-a", "-b"]);
        check(&before, &[(":status", "200"), ("n", "0"), ("a", "1"), ("c", "5")], &["-b", "n+=0", "c=5"]);
        check(&before, &[(":status", "200"), ("a", "1"), ("b", "2"), ("c", "4")], &["b=2"]);
        check(&before[..3], &[(":status", "200"), ("a", "1"), ("a", "2"), ("b", "2"), ("b", "3")], &["a+=2", "b+=3"]);
        check(&[("b", "2"), ("a", "1")], &[("a", "1"), ("b", "2")], &[]);
        check(&[("a", "1"), ("a", "2")], &[("a", "2"), ("a", "1")], &["a=2", "a+=1"]);
    }
}
