//! Joins the fragments of tool calls.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use weir_hub::buffer::malformed;
use weir_hub::codec::json::{Collected, Kind, Raw, Str};
use weir_hub::endpoint::Delivery;
use weir_hub::fault::UpstreamFault;
use weir_hub::piece::Piece;
use weir_hub::reply::Pieces;

/// The calls of one choice.
#[derive(Default)]
pub(super) struct Calls {
    all: Vec<Call>,
    /// The latest call with each of the host's numbers: an answer may have very many calls.
    by_index: BTreeMap<u64, usize>,
    /// The latest call with each id.
    by_id: BTreeMap<String, usize>,
    begun: u32,
    /// How many bytes of names and arguments are kept.
    kept: usize,
}

#[derive(Default)]
struct Call {
    id: Collected,
    name: Collected,
    /// Arguments that came before the call could begin.
    held: Collected,
    phase: Phase,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Its name or its id has not come.
    #[default]
    Awaited,
    /// Its number among the calls that have begun.
    Begun(u32, Arguments),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Arguments {
    Missing,
    Given,
}

impl Calls {
    /// How many bytes are kept for all calls.
    pub(super) fn kept(&self) -> usize {
        self.kept + self.all.len() * size_of::<Call>()
    }

    /// Whether there are any calls.
    pub(super) fn any(&self) -> bool {
        !self.all.is_empty()
    }

    /// Reads a fragment of a call, or a whole call; `answer` is used for the ids of calls without one.
    pub(super) fn fragment(
        &mut self,
        call: Raw<'_>,
        function: Raw<'_>,
        answer: &str,
        delivery: Delivery,
        pieces: &mut Pieces<'_>,
    ) {
        let index = call.get("index").and_then(Raw::integer);
        let (id, name) = (given(call, "id"), given(function, "name"));
        let arguments = function.get("arguments").and_then(|arguments| match arguments.kind() {
            Kind::String => arguments.str().filter(|json| !json.is_empty()),
            // Some hosts send the object itself instead of a string.
            Kind::Object => Some(Str::Plain(arguments.text())),
            _ => None,
        });
        let known = if delivery == Delivery::Whole { None } else { self.known(index, id, name) };
        let at = known.unwrap_or_else(|| {
            let at = self.all.len();
            self.all.push(Call::default());
            if let Some(index) = index {
                self.by_index.insert(index, at);
            }
            at
        });
        let Some(call) = self.all.get_mut(at) else { return };
        if call.phase == Phase::Awaited {
            let texts = [id, name, arguments].into_iter().flatten();
            self.kept += texts.map(|text| text.written().len()).sum::<usize>();
            if let Some(id) = id {
                call.id = id.into();
                if delivery == Delivery::Streamed {
                    let latest = self.by_id.entry(id.text().into_owned()).or_insert(at);
                    *latest = at.max(*latest);
                }
            }
            if let Some(name) = name {
                call.name = name.into();
            }
            let all = !call.id.is_empty() || arguments.is_some() || delivery == Delivery::Whole;
            if !call.name.is_empty() && all {
                call.begin(&mut self.begun, answer, pieces);
            }
        }
        if let Some(json) = arguments {
            call.say(json, pieces);
        }
    }

    /// The call that a fragment belongs to; `None` if it begins one.
    fn known(&self, index: Option<u64>, id: Option<Str<'_>>, name: Option<Str<'_>>) -> Option<usize> {
        match (index, id) {
            (Some(index), id) => {
                let at = *self.by_index.get(&index)?;
                // Some hosts give all calls the same number. Others give each fragment of a call a new id, but no name.
                let other =
                    |call: &Call| name.is_some() && id.is_some_and(|id| !call.id.is_empty() && call.id.get() != id);
                if self.all.get(at).is_some_and(other) { None } else { Some(at) }
            }
            (None, Some(id)) => {
                let at = *self.by_id.get(&*id.text())?;
                self.all.get(at).filter(|call| call.id.get() == id).map(|_| at)
            }
            // Without number and id, a name begins a call.
            (None, None) if name.is_some() => None,
            (None, None) => self.all.len().checked_sub(1),
        }
    }

    /// The choice is complete, and so are its calls.
    pub(super) fn close(&mut self, answer: &str, pieces: &mut Pieces<'_>) -> Result<(), UpstreamFault> {
        for call in &mut self.all {
            if call.phase == Phase::Awaited {
                if call.name.is_empty() {
                    return Err(malformed("The provider's answer calls a tool without a name."));
                }
                call.begin(&mut self.begun, answer, pieces);
            }
            // Callers parse arguments, so they must be JSON.
            if matches!(call.phase, Phase::Begun(_, Arguments::Missing)) {
                call.say("{}".into(), pieces);
            }
        }
        Ok(())
    }
}

impl Call {
    fn begin(&mut self, begun: &mut u32, answer: &str, pieces: &mut Pieces<'_>) {
        let index = *begun;
        *begun += 1;
        if self.id.is_empty() {
            let id: String = format!("call_{answer}_{index}");
            self.id.push(Str::Plain(&id));
        }
        self.phase = Phase::Begun(index, Arguments::Missing);
        pieces(Piece::Call { index, id: self.id.get(), name: self.name.get() });
        let held = core::mem::take(&mut self.held);
        if !held.is_empty() {
            self.say(held.get(), pieces);
        }
    }

    fn say(&mut self, json: Str<'_>, pieces: &mut Pieces<'_>) {
        match self.phase {
            Phase::Awaited => self.held.push(json),
            Phase::Begun(index, _) => {
                self.phase = Phase::Begun(index, Arguments::Given);
                pieces(Piece::Arguments { index, json });
            }
        }
    }
}

fn given<'a>(value: Raw<'a>, name: &str) -> Option<Str<'a>> {
    value.get(name).and_then(Raw::str).filter(|text| !text.is_empty())
}
