//! The table that `make bench` prints, and the ratios that the design sets limits for.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use crate::embeddings::{Cores, Embeddings};
use crate::load::median;
use crate::quota::Quota;

/// The setups, in the table's order. Without "wasm", Weir's filter is native, as `weir up` runs it.
const SETUPS: [&str; 9] =
    ["direct", "bare", "noop", "relay", "relay, wasm", "limits", "limits, wasm", "translate", "translate, wasm"];

/// What one setup did with one kind of request in one round.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    /// Answers a second with many callers.
    pub(crate) rate: f64,
    /// Median latency with one caller.
    pub p50_us: f64,
    /// Median time to the first token with one caller.
    pub(crate) first_token_us: f64,
    /// Processor time of Envoy for each answer.
    pub(crate) cpu_us: f64,
}

/// Medians over the rounds.
pub(crate) struct Table {
    cells: BTreeMap<(String, String), Cell>,
    event_us: f64,
    embeddings: Embeddings,
    quota: Quota,
}

impl Table {
    /// Takes the median of each figure.
    pub(crate) fn new(
        rounds: BTreeMap<(String, String), Vec<Cell>>,
        event_us: f64,
        embeddings: Embeddings,
        quota: Quota,
    ) -> Self {
        let middle = |cells: &[Cell], figure: fn(&Cell) -> f64| median(cells.iter().map(figure).collect());
        let cells = rounds.into_iter().map(|(key, cells)| {
            let cell = Cell {
                rate: middle(&cells, |cell| cell.rate),
                p50_us: middle(&cells, |cell| cell.p50_us),
                first_token_us: middle(&cells, |cell| cell.first_token_us),
                cpu_us: middle(&cells, |cell| cell.cpu_us),
            };
            (key, cell)
        });
        Self { cells: cells.collect(), event_us, embeddings, quota }
    }

    fn cell(&self, kind: &str, setup: &str) -> Cell {
        let nothing = Cell { rate: f64::NAN, p50_us: f64::NAN, first_token_us: f64::NAN, cpu_us: f64::NAN };
        self.cells.get(&(kind.to_owned(), setup.to_owned())).copied().unwrap_or(nothing)
    }

    /// The ratios by name.
    pub(crate) fn summary(&self) -> Value {
        let [relay, wasm, noop, bare] =
            ["relay", "relay, wasm", "noop", "bare"].map(|setup| self.cell("whole, 1 KB", setup));
        let [limits, limits_wasm] = ["limits", "limits, wasm"].map(|setup| self.cell("whole, 1 KB", setup));
        let first = |setup: &str| self.cell("streamed, 1 KB", setup).first_token_us;
        json!({
            "relay_vs_noop_throughput": relay.rate / noop.rate,
            "relay_vs_bare_throughput": relay.rate / bare.rate,
            "relay_vs_noop_added_p50_us": relay.p50_us - noop.p50_us,
            "relay_vs_bare_added_p50_us": relay.p50_us - bare.p50_us,
            "stream_added_ttft_p50_us": first("translate") - first("bare"),
            "wasm_relay_vs_noop_throughput": wasm.rate / noop.rate,
            "wasm_relay_vs_bare_throughput": wasm.rate / bare.rate,
            "wasm_relay_vs_noop_added_p50_us": wasm.p50_us - noop.p50_us,
            "wasm_relay_vs_bare_added_p50_us": wasm.p50_us - bare.p50_us,
            "wasm_stream_added_ttft_p50_us": first("translate, wasm") - first("bare"),
            "quota_added_p50_us": limits.p50_us - relay.p50_us,
            "quota_added_p50_us_wasm": limits_wasm.p50_us - wasm.p50_us,
            "quota_overshoot_tokens": self.quota.overshoot,
            "quota_exchanges_per_1000": self.quota.exchanges,
            "event_us": self.event_us,
            "embeddings_ratio": self.embeddings.ratio(Cores::Shared),
            "embeddings_ratio_own_core": self.embeddings.ratio(Cores::Own),
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| request | setup | answers/s | of bare | p50 µs | added | first token µs | Envoy CPU µs/answer |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for kind in ["whole, 1 KB", "whole, 32 KB", "streamed, 1 KB", "streamed, 32 KB"] {
            let bare = self.cell(kind, "bare");
            for setup in SETUPS {
                let cell = self.cell(kind, setup);
                writeln!(
                    f,
                    "| {kind} | {setup} | {:.0} | {:.2} | {:.0} | {:+.0} | {:.0} | {:.1} |",
                    cell.rate,
                    cell.rate / bare.rate,
                    cell.p50_us,
                    cell.p50_us - bare.p50_us,
                    cell.first_token_us,
                    cell.cpu_us
                )?;
            }
        }
        writeln!(f, "\n{}", self.embeddings.table())?;
        writeln!(f, "| callers, 4 workers | throughput under six limits, of that without | in wasm |\n|---|---|---|")?;
        for (callers, native, wasm) in &self.quota.crowds {
            writeln!(f, "| {callers} | {native:.2} | {wasm:.2} |")?;
        }
        writeln!(f)?;
        let summary = self.summary();
        for (name, value) in summary.as_object().into_iter().flatten() {
            writeln!(f, "{name}: {:.3}", value.as_f64().unwrap_or(f64::NAN))?;
        }
        Ok(())
    }
}
