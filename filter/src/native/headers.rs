//! What has to be written so that some headers become others, where each write has its price.

use std::borrow::Cow;
use std::mem::replace;
use std::ops::Range;

/// By what headers differ from those that they replace: copies, for what Envoy shows is not there any more once a header is
/// others.
#[derive(Default)]
pub(super) struct Changes {
    text: Vec<u8>,
    /// Names that are there no more, each once.
    gone: Vec<Range<usize>>,
    writes: Vec<(Write, Range<usize>, Range<usize>)>,
}

/// What to do with a new header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    /// Add it to those that have its name, if there are any.
    Add,
    /// Put it in the place of all that have its name.
    Set,
}

impl Changes {
    /// From the headers that are there, and those that are to be.
    pub(super) fn of(before: &[(&[u8], &[u8])], after: &[(&str, Cow<'_, str>)]) -> Self {
        let mut changes = Self {
            text: Vec::with_capacity(512),
            gone: Vec::with_capacity(before.len()),
            writes: Vec::with_capacity(after.len()),
        };
        let mut writes = vec![Some(Write::Add); after.len()];
        // Most names have a length that no other has: where in `after` the first of each length is.
        let mut firsts = [u8::MAX; 64];
        for (at, (name, _)) in after.iter().enumerate().rev() {
            if let Some(first) = firsts.get_mut(name.len() % 64) {
                *first = u8::try_from(at).unwrap_or(u8::MAX - 1);
            }
        }
        let mut lengths_gone = 0;
        let mut others = Vec::new();
        for (name, value) in before {
            let meant = match firsts.get(name.len() % 64) {
                Some(&first) if first < u8::MAX => meant(name, value, after, usize::from(first), &mut writes),
                _ => Meant::Gone,
            };
            match meant {
                Meant::Gone if lengths_gone & bit(name.len()) != 0 && changes.gone().any(|gone| gone == *name) => {}
                Meant::Gone => {
                    lengths_gone |= bit(name.len());
                    let name = changes.copy(name);
                    changes.gone.push(name);
                }
                Meant::Changed => others.push(*name),
                Meant::Same => {}
            }
        }
        // Of what has other values than before, the first takes the place of all.
        for other in others {
            let mut write = Write::Set;
            for (to, _) in writes.iter_mut().zip(after).filter(|(_, (name, _))| name.as_bytes() == other) {
                *to = Some(replace(&mut write, Write::Add));
            }
        }
        for (write, (name, value)) in writes.into_iter().zip(after) {
            if let Some(write) = write {
                let (name, value) = (changes.copy(name.as_bytes()), changes.copy(value.as_bytes()));
                changes.writes.push((write, name, value));
            }
        }
        changes
    }

    fn copy(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        start..self.text.len()
    }

    fn at(&self, place: &Range<usize>) -> &[u8] {
        self.text.get(place.clone()).unwrap_or_default()
    }

    /// The names that are there no more, to be removed first.
    pub(super) fn gone(&self) -> impl Iterator<Item = &[u8]> {
        self.gone.iter().map(|place| self.at(place))
    }

    /// What is to be written: how, and its name and value.
    pub(super) fn writes(&self) -> impl Iterator<Item = (Write, &[u8], &[u8])> {
        self.writes.iter().map(|(write, name, value)| (*write, self.at(name), self.at(value)))
    }
}

/// What becomes of a header that is there.
enum Meant {
    Gone,
    Changed,
    Same,
}

/// What becomes of a header whose name nothing before `first` has.
fn meant(
    name: &[u8],
    value: &[u8],
    after: &[(&str, Cow<'_, str>)],
    first: usize,
    writes: &mut [Option<Write>],
) -> Meant {
    let mut meant = Meant::Gone;
    for ((other_name, other), write) in after.iter().zip(writes).skip(first) {
        if other_name.len() != name.len() || other_name.as_bytes() != name {
            continue;
        }
        meant = Meant::Changed;
        if *write == Some(Write::Add) {
            // Values of one name have an order: it is the next one or none.
            if other.as_bytes() == value {
                *write = None;
                meant = Meant::Same;
            }
            break;
        }
    }
    meant
}

/// A length as one bit of many.
const fn bit(length: usize) -> u64 {
    1 << (length % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is removed, set and added to come from `before` to `after`.
    fn check(before: &[(&str, &str)], after: &[(&str, &str)], expect: &[&str]) {
        let before: Vec<_> = before.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let after: Vec<_> = after.iter().map(|(name, value)| (*name, Cow::Borrowed(*value))).collect();
        let changes = Changes::of(&before, &after);
        let gone = changes.gone().map(|name| format!("-{}", String::from_utf8_lossy(name)));
        let written = changes.writes().map(|(write, name, value)| {
            let sign = if write == Write::Add { "+=" } else { "=" };
            format!("{}{sign}{}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
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
