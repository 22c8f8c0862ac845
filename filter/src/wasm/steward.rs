//! The steward as a bootstrap service of Envoy's: one plugin configuration, on the main thread.
//!
//! A tick that fails ends the VM of the main thread, in which no request runs. The shared data stays, since the VMs of the workers
//! hold it; the counts then stand still, and so do the statistics. It makes no last call: Envoy has no cluster any more when it
//! tells a VM that it ends, and a call from there ends Envoy with a segmentation fault (seen in 1.40).

use std::cell::RefCell;

use weir_core::steward::{Answer, Call, Counter, Gauge, Input, Settings};
use weir_core::time::Instant;

use super::calls;
use super::cells::SharedData;
use super::host::{self, Level};
use crate::steward::{Hall, Keeper};

const OK: u32 = 0;
const BAD_ARGUMENT: u32 = 2;

/// Kinds of statistics.
const COUNTER: u32 = 0;
const GAUGE: u32 = 1;

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

/// The steward of this VM.
struct Office {
    /// The number of its plugin configuration's context.
    root: u32,
    keeper: Keeper,
    counters: [Option<u32>; Counter::ALL.len()],
    gauges: [Option<u32>; Gauge::ALL.len()],
}

thread_local! {
    /// Not there while one of its hooks runs.
    static OFFICE: RefCell<Option<Office>> = const { RefCell::new(None) };
}

/// The office during one hook.
struct Present {
    counters: [Option<u32>; Counter::ALL.len()],
    gauges: [Option<u32>; Gauge::ALL.len()],
}

impl Hall for Present {
    type Cells = SharedData;

    fn now(&self) -> Instant {
        host::now()
    }

    fn cells(&self) -> Self::Cells {
        SharedData
    }

    fn call(&mut self, call: &Call) -> Result<(), Answer<'static>> {
        match calls::begin(call) {
            Ok(_) => Ok(()),
            Err(BAD_ARGUMENT) => Err(Answer::NoCluster),
            Err(_) => Err(Answer::NotMade),
        }
    }

    fn add(&mut self, counter: Counter, by: u64) {
        let Some(id) = self.counters.get(counter as usize).copied().flatten() else { return };
        // SAFETY: numbers only.
        unsafe { proxy_increment_metric(id, i64::try_from(by).unwrap_or(i64::MAX)) };
    }

    fn set(&mut self, gauge: Gauge, value: u64) {
        let Some(id) = self.gauges.get(gauge as usize).copied().flatten() else { return };
        // SAFETY: numbers only.
        unsafe { proxy_record_metric(id, value) };
    }

    fn warn(&self, line: &str) {
        host::log(Level::Error, line);
    }

    /// Nobody waits for it.
    fn stopped(&mut self) {}
}

/// Begins, for the plugin configuration of this number.
pub(super) fn start(root: u32, settings: Settings) {
    let office = Office {
        root,
        keeper: Keeper::new(settings),
        counters: Counter::ALL.map(|counter| defined(COUNTER, counter.name())),
        gauges: Gauge::ALL.map(|gauge| defined(GAUGE, gauge.name())),
    };
    let period = office.keeper.period();
    OFFICE.set(Some(office));
    on(root, Input::Start);
    // SAFETY: a number only.
    unsafe { proxy_set_tick_period_milliseconds(u32::try_from(period).unwrap_or(u32::MAX)) };
}

fn defined(kind: u32, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the name outlives the call, and the host writes one number.
    let status = unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

/// Whether the context of this number is the steward's.
pub(super) fn is(root: u32) -> bool {
    OFFICE.with_borrow(|office| office.as_ref().is_some_and(|office| office.root == root))
}

/// Ticks.
pub(super) fn tick(root: u32) {
    on(root, Input::Tick);
}

/// Its call has ended; `headers` is how many the response has, none if there is none.
pub(super) fn answered(root: u32, headers: usize, size: usize) {
    if headers == 0 {
        return on(root, Input::Answer(Answer::Broken));
    }
    let (status, body) = calls::response(size);
    on(root, Input::Answer(Answer::Response { status, body: &body }));
}

fn on(root: u32, input: Input<'_>) {
    if !is(root) {
        return;
    }
    let Some(mut office) = OFFICE.take() else { return };
    let (counters, gauges) = (office.counters, office.gauges);
    office.keeper.on(&mut Present { counters, gauges }, input);
    OFFICE.set(Some(office));
}
