//! JSON bodies without a full parse: one pass checks a body and finds its top-level members.
//!
//! Start at [`scan`], which reads every caller's body. [`patch`] changes members and leaves all other bytes alone.
//! [`Raw`] reads parts of a checked value without building a tree. The `write` functions append JSON to bytes.

mod check;
mod edit;
mod raw;
mod spans;
mod str;
pub mod write;

use alloc::borrow::Cow;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Range;

pub use check::{Checker, Flaw, MAX_DEPTH, Name, check, check_by, check_into};
pub use edit::{Edit, patch};
pub use raw::{Kind, Raw};
pub use spans::Spans;
pub use str::{Collected, Str};

use crate::codec::flaw::BadBody;
use check::Surrogates;

/// No API has more top-level members; the limit keeps the search for duplicates short.
const MAX_MEMBERS: usize = 256;

/// Where a body's top-level members are. Only [`scan`] makes one, and it is valid only for the body that was scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Offset after the opening brace.
    open: usize,
    members: Vec<Member>,
    spans: Spans,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: Name,
    value: Range<usize>,
}

impl Member {
    fn name<'a>(&self, body: &'a [u8]) -> Cow<'a, str> {
        let Name { place, escaped } = &self.name;
        let name = body.get(place.clone()).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or_default();
        if *escaped { raw::unescape(name) } else { Cow::Borrowed(name) }
    }

    fn is_named(&self, body: &[u8], name: &str) -> bool {
        let Name { place, escaped } = &self.name;
        if *escaped { self.name(body) == name } else { body.get(place.clone()) == Some(name.as_bytes()) }
    }
}

/// Checks the whole of `body` and finds its top-level members.
///
/// An accepted body is one JSON object and nothing else: valid UTF-8, no lone surrogates, at most [`MAX_DEPTH`] deep,
/// and no top-level name twice (two readers could disagree about which one counts).
pub fn scan(body: &[u8]) -> Result<Scan, BadBody> {
    let (valid, broken) = match core::str::from_utf8(body) {
        Ok(valid) => (valid, None),
        Err(error) => {
            let valid = body.get(..error.valid_up_to()).and_then(|valid| core::str::from_utf8(valid).ok());
            (valid.unwrap_or_default(), Some(Flaw { offset: error.valid_up_to(), problem: "invalid UTF-8" }))
        }
    };
    let mut checker = Checker::noting(valid, Surrogates::Paired, Spans::default());
    let scanned = object(&mut checker);
    let flaw = match (scanned, broken) {
        (Ok(scan), None) => return Ok(Scan { spans: checker.noted(), ..scan }),
        (Err(Stop::Refused(reject)), None) => return Err(reject),
        // The bytes before a broken character may be wrong, too; then that is the first error.
        (Err(Stop::Flaw(first)), Some(flaw)) if first.offset < flaw.offset => first,
        (_, Some(flaw)) | (Err(Stop::Flaw(flaw)), None) => flaw,
    };
    let (line, column) = flaw.place(body);
    Err(BadBody::Json { offset: flaw.offset, line, column, problem: flaw.problem })
}

enum Stop {
    Flaw(Flaw),
    Refused(BadBody),
}

impl From<Flaw> for Stop {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

fn object(checker: &mut Checker<'_>) -> Result<Scan, Stop> {
    checker.space();
    if checker.peek() != Some(b'{') {
        checker.value()?;
        checker.end()?;
        return Err(Stop::Refused(BadBody::Field {
            field: "body".to_string(),
            problem: "it must be a JSON object".to_string(),
        }));
    }
    let body = checker.text().as_bytes();
    let mut scan = Scan { open: checker.at() + 1, members: Vec::with_capacity(16), spans: Spans::default() };
    // Refused only after the rest was found valid, because a syntax error is the more useful message.
    let mut refused = None;
    checker.members(|checker, name| {
        let start = checker.at();
        checker.value()?;
        if scan.members.len() == MAX_MEMBERS {
            refused.get_or_insert_with(|| BadBody::Field {
                field: "body".to_string(),
                problem: "it has too many members".to_string(),
            });
            return Ok(());
        }
        let member = Member { name, value: start..checker.at() };
        let name = member.name(body);
        if scan.members.iter().any(|earlier| earlier.is_named(body, &name)) {
            refused.get_or_insert_with(|| BadBody::Field {
                field: name.to_string(),
                problem: "it is given more than once".to_string(),
            });
        }
        scan.members.push(member);
        Ok(())
    })?;
    checker.end()?;
    refused.map_or(Ok(scan), |reject| Err(Stop::Refused(reject)))
}

impl Scan {
    fn place(&self, body: &[u8], name: &str) -> Option<Range<usize>> {
        let member = self.members.iter().find(|member| member.is_named(body, name))?;
        Some(member.value.clone())
    }

    /// How many objects and arrays the members hold, at any depth.
    pub fn objects(&self) -> u64 {
        self.spans.opened()
    }

    /// The value of the member called `name`, as written.
    pub fn get<'a>(&self, body: &'a [u8], name: &str) -> Option<&'a [u8]> {
        body.get(self.place(body, name)?)
    }

    /// The value of the member called `name`, for reading its parts.
    pub fn raw<'a>(&'a self, body: &'a [u8], name: &str) -> Option<Raw<'a>> {
        let place = self.place(body, name)?;
        let value = core::str::from_utf8(body.get(place.clone())?).ok()?;
        Some(Raw::spanned(value, place.start, &self.spans))
    }

    /// The string called `name`, unescaped; `None` if it is absent or `null`.
    pub fn string<'a>(&'a self, body: &'a [u8], name: &str) -> Result<Option<Cow<'a, str>>, BadBody> {
        self.typed(body, name, Raw::string, "it must be a string")
    }

    /// The boolean called `name`; `None` if it is absent or `null`.
    pub fn boolean(&self, body: &[u8], name: &str) -> Result<Option<bool>, BadBody> {
        self.typed(body, name, Raw::boolean, "it must be true or false")
    }

    /// The whole number called `name`; `None` if it is absent or `null`.
    pub fn integer(&self, body: &[u8], name: &str) -> Result<Option<u64>, BadBody> {
        self.typed(body, name, Raw::integer, "it must be a whole number that is not negative")
    }

    fn typed<'a, T>(
        &'a self,
        body: &'a [u8],
        name: &str,
        read: impl Fn(Raw<'a>) -> Option<T>,
        problem: &str,
    ) -> Result<Option<T>, BadBody> {
        match self.raw(body, name) {
            None => Ok(None),
            Some(value) if value.kind() == Kind::Null => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| BadBody::Field { field: name.to_string(), problem: problem.to_string() }),
        }
    }

    /// The name of every member.
    pub fn names<'a>(&'a self, body: &'a [u8]) -> impl Iterator<Item = Cow<'a, str>> {
        self.members.iter().map(move |member| member.name(body))
    }

    /// Every member: its name, and its value.
    pub fn members<'a>(&'a self, body: &'a [u8]) -> impl Iterator<Item = (Cow<'a, str>, Raw<'a>)> {
        self.members.iter().filter_map(move |member| {
            let value = core::str::from_utf8(body.get(member.value.clone())?).ok()?;
            Some((member.name(body), Raw::spanned(value, member.value.start, &self.spans)))
        })
    }
}

#[cfg(test)]
mod tests;
