//! The steward as a bootstrap extension of Envoy's, in the same library as the filters.
//!
//! Envoy calls all hooks on its main thread. A hook never lets a panic out: what fails is the steward alone, and another one
//! takes its place.

use core::ffi::c_void;
use core::ptr::null;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use weir_core::config::Role as Configured;
use weir_core::steward::{Answer, Call, Counter, Gauge, Input};
use weir_core::time::Instant;

use super::abi::{self, Bytes, Header, unused};
use super::callout;
use super::cells::{self, Shared};
use super::host;
use crate::steward::{Hall, Keeper};

/// The steward in this process.
struct Office {
    /// Envoy's part of it, which lives longer.
    config: *mut c_void,
    timer: *mut c_void,
    /// From one tick to the next, in milliseconds.
    period: u64,
    /// Not there while one of its hooks runs: Envoy may call another from within.
    keeper: Cell<Option<Keeper>>,
    /// Answers that came while a hook ran.
    late: RefCell<Vec<Answered>>,
    counters: [Option<usize>; Counter::ALL.len()],
    gauges: [Option<usize>; Gauge::ALL.len()],
    /// What Envoy waits for before it ends.
    completion: Cell<Option<Completion>>,
}

/// What tells Envoy that it may end.
type Completion = (unsafe extern "C" fn(*mut c_void), *mut c_void);

/// How a call ended: a status and a body, if there was a response.
type Answered = Option<(u16, Vec<u8>)>;

/// The office during one hook.
struct Present<'o>(&'o Office);

impl Hall for Present<'_> {
    type Cells = Shared;

    fn now(&self) -> Instant {
        host::now()
    }

    fn cells(&self) -> Self::Cells {
        cells::shared()
    }

    fn call(&mut self, call: &Call) -> Result<(), Answer<'static>> {
        let begun = callout::begin(call, |id, cluster, headers, body, timeout| {
            // SAFETY: Envoy's part lives longer than the office, and copies what the pointers show before it returns.
            unsafe {
                abi::bootstrap_callout(self.0.config, id, cluster, headers.as_ptr(), headers.len(), body, timeout)
            }
        });
        match begun {
            Ok(_) => Ok(()),
            Err(abi::callout::NO_CLUSTER) => Err(Answer::NoCluster),
            // Envoy may have answered it already.
            Err(_) if !self.0.late.borrow().is_empty() => Ok(()),
            Err(_) => Err(Answer::NotMade),
        }
    }

    fn add(&mut self, counter: Counter, by: u64) {
        let Some(id) = self.0.counters.get(counter as usize).copied().flatten() else { return };
        // SAFETY: Envoy's part lives longer than the office, and gave the number.
        unsafe { abi::add_to_counter(self.0.config, id, null(), 0, by) };
    }

    fn set(&mut self, gauge: Gauge, value: u64) {
        let Some(id) = self.0.gauges.get(gauge as usize).copied().flatten() else { return };
        // SAFETY: as above.
        unsafe { abi::set_gauge(self.0.config, id, null(), 0, value) };
    }

    fn warn(&self, line: &str) {
        host::log(line);
    }

    fn stopped(&mut self) {
        self.0.complete();
    }
}

impl Office {
    /// Tells the steward, then what was to be told it meanwhile.
    fn on(&self, input: Input<'_>) {
        let Some(mut keeper) = self.keeper.take() else { return };
        let told = catch_unwind(AssertUnwindSafe(|| {
            keeper.on(&mut Present(self), input);
            // One at a time: the steward may call out again, and be answered at once.
            while let Some(answered) = self.next() {
                keeper.on(&mut Present(self), Input::Answer(answer(&answered)));
            }
        }));
        if told.is_err() {
            // Envoy must not wait for one that is not there any more.
            self.complete();
            keeper = keeper.anew();
            // It must know what has been counted already. If this fails too, the next tick tells.
            let _ = catch_unwind(AssertUnwindSafe(|| keeper.on(&mut Present(self), Input::Start)));
        }
        self.keeper.set(Some(keeper));
    }

    fn next(&self) -> Option<Answered> {
        self.late.borrow_mut().pop()
    }

    fn complete(&self) {
        if let Some((complete, context)) = self.completion.take() {
            // SAFETY: Envoy gave both for one call, which this is: they were taken.
            unsafe { complete(context) };
        }
    }
}

fn answer(answered: &Answered) -> Answer<'_> {
    match answered {
        Some((status, body)) => Answer::Response { status: *status, body },
        None => Answer::Broken,
    }
}

#[unsafe(export_name = "envoy_dynamic_module_on_bootstrap_extension_config_new")]
unsafe extern "C" fn config_new(config: *mut c_void, _name: Bytes, settings: Bytes) -> *const Office {
    // SAFETY: Envoy's bytes live as long as the call.
    let settings = unsafe { host::seen(settings) };
    let settings = catch_unwind(|| serde_json::from_slice(settings));
    let settings = match settings {
        Ok(Ok(Configured::Steward(settings))) => settings,
        Ok(Ok(Configured::Edge(_) | Configured::Attempt(_)) | Err(_)) | Err(_) => {
            host::log("weir: the steward's configuration cannot be read");
            return null();
        }
    };
    // SAFETY: Envoy's part of it is there, and this is its main thread. (So for the calls below.)
    let timer = unsafe { abi::timer_new(config) };
    let keeper = Keeper::new(settings);
    let office = Office {
        config,
        timer,
        period: keeper.period(),
        keeper: Cell::new(Some(keeper)),
        late: RefCell::default(),
        counters: Counter::ALL.map(|counter| defined(config, counter.name(), abi::define_counter)),
        gauges: Gauge::ALL.map(|gauge| defined(config, gauge.name(), abi::define_gauge)),
        completion: Cell::new(None),
    };
    office.on(Input::Start);
    // SAFETY: as above.
    unsafe {
        abi::timer_enable(timer, office.period);
        // Envoy opens no listener before.
        abi::signal_init_complete(config);
    }
    Box::into_raw(Box::new(office))
}

/// A statistic of Envoy's by this name, if it can be had.
fn defined(config: *mut c_void, name: &str, define: abi::Define) -> Option<usize> {
    let mut id = 0;
    // SAFETY: Envoy's part is there, and Envoy copies the name before it returns.
    let defined = unsafe { define(config, Bytes::of(name.as_bytes()), null(), 0, &raw mut id) };
    (defined == abi::METRIC_DEFINED).then_some(id)
}

#[unsafe(export_name = "envoy_dynamic_module_on_bootstrap_extension_config_destroy")]
unsafe extern "C" fn config_destroy(office: *mut Office) {
    // SAFETY: `config_new` made it, and Envoy gives it back once.
    let office = unsafe { Box::from_raw(office) };
    // SAFETY: `timer_new` made it, and it is given back once.
    unsafe { abi::timer_delete(office.timer) };
}

/// What Envoy knows as the extension is what it knows as its configuration.
#[unsafe(export_name = "envoy_dynamic_module_on_bootstrap_extension_new")]
extern "C" fn new(office: *const Office, _: *mut c_void) -> *const Office {
    office
}

#[unsafe(export_name = "envoy_dynamic_module_on_bootstrap_extension_timer_fired")]
unsafe extern "C" fn timer_fired(_: *mut c_void, office: *const Office, timer: *mut c_void) {
    // SAFETY: `config_new` made it, and it is not destroyed.
    let Some(office) = (unsafe { office.as_ref() }) else { return };
    // First, so that a tick that fails is not the last one.
    // SAFETY: this timer's hook runs.
    unsafe { abi::timer_enable(timer, office.period) };
    office.on(Input::Tick);
}

#[unsafe(export_name = "envoy_dynamic_module_on_bootstrap_extension_http_callout_done")]
unsafe extern "C" fn callout_done(
    _: *mut c_void,
    office: *const Office,
    _id: u64,
    result: u32,
    headers: *const Header,
    headers_len: usize,
    chunks: *const Bytes,
    chunks_len: usize,
) {
    // SAFETY: `config_new` made it, and it is not destroyed.
    let Some(office) = (unsafe { office.as_ref() }) else { return };
    // SAFETY: Envoy's headers and bytes live as long as the call.
    let answered = unsafe { callout::response(result, (headers, headers_len), (chunks, chunks_len)) };
    match office.keeper.take() {
        Some(keeper) => {
            office.keeper.set(Some(keeper));
            office.on(Input::Answer(answer(&answered)));
        }
        None => office.late.borrow_mut().push(answered),
    }
}

/// Envoy is about to end, and waits until it is told that it may.
#[unsafe(export_name = "envoy_dynamic_module_on_bootstrap_extension_shutdown")]
unsafe extern "C" fn shutdown(
    _: *mut c_void,
    office: *const Office,
    complete: unsafe extern "C" fn(*mut c_void),
    context: *mut c_void,
) {
    // SAFETY: `config_new` made it, and it is not destroyed.
    match unsafe { office.as_ref() } {
        Some(office) => {
            office.completion.set(Some((complete, context)));
            office.on(Input::Stop);
        }
        // SAFETY: Envoy gave both for one call.
        None => unsafe { complete(context) },
    }
}

unused! {
    server_initialized = "envoy_dynamic_module_on_bootstrap_extension_server_initialized",
    worker_thread_initialized = "envoy_dynamic_module_on_bootstrap_extension_worker_thread_initialized",
    drain_started = "envoy_dynamic_module_on_bootstrap_extension_drain_started",
    destroy = "envoy_dynamic_module_on_bootstrap_extension_destroy",
    scheduled = "envoy_dynamic_module_on_bootstrap_extension_config_scheduled",
    file_changed = "envoy_dynamic_module_on_bootstrap_extension_file_changed",
    admin_request = "envoy_dynamic_module_on_bootstrap_extension_admin_request",
    cluster_changed = "envoy_dynamic_module_on_bootstrap_extension_cluster_add_or_update",
    cluster_removed = "envoy_dynamic_module_on_bootstrap_extension_cluster_removal",
    listener_changed = "envoy_dynamic_module_on_bootstrap_extension_listener_add_or_update",
    listener_removed = "envoy_dynamic_module_on_bootstrap_extension_listener_removal",
}
