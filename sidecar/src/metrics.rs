//! Counters and measurements for Prometheus. The number of labels is bounded: all unknown models are called "unknown".

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Everything the sidecar measures.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    tokens: IntCounterVec,
    waiting: IntGaugeVec,
    running: IntGaugeVec,
    depth: IntGaugeVec,
    inputs: HistogramVec,
    padded: HistogramVec,
    seconds: HistogramVec,
    loads: IntCounterVec,
    in_flight: IntGauge,
}

/// How a load ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadOutcome {
    /// The model serves.
    Ready,
    /// It could not be loaded.
    Failed,
    /// Another load or an unload came before it had ended.
    Superseded,
}

impl LoadOutcome {
    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

/// The measurements of one pool. While a new model replaces an old one, two pools have the same name, and gauges show their sum.
#[derive(Debug)]
pub struct ModelMetrics {
    waiting: Share,
    running: Share,
    depth: Share,
    inputs: Histogram,
    padded: Histogram,
    seconds: Histogram,
}

/// What one pool adds to a gauge. Dropping it takes that away again.
#[derive(Debug)]
struct Share {
    gauge: IntGauge,
    added: AtomicI64,
}

impl Share {
    fn of(gauge: IntGauge) -> Self {
        Self { gauge, added: AtomicI64::new(0) }
    }

    fn set(&self, value: usize) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        self.gauge.add(value - self.added.swap(value, Ordering::Relaxed));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.gauge.sub(*self.added.get_mut());
    }
}

impl Metrics {
    /// Registers everything.
    pub fn new() -> Result<Self, prometheus::Error> {
        let powers = |start, count| prometheus::exponential_buckets(start, 2.0, count);
        let per_model = |name: &str, help: &str, buckets: Vec<f64>| {
            HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), &["model"])
        };
        let metrics = Self {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new("weir_sidecar_requests_total", "Requests by model and HTTP status"),
                &["model", "status"],
            )?,
            request_seconds: per_model(
                "weir_sidecar_request_seconds",
                "From a request's headers to the end of its answer",
                powers(0.001, 16)?,
            )?,
            tokens: IntCounterVec::new(
                Opts::new("weir_sidecar_input_tokens_total", "Tokens of answered requests"),
                &["model"],
            )?,
            // The names of vLLM, so that an inference picker of the Gateway API can use the sidecar as it uses vLLM.
            waiting: IntGaugeVec::new(Opts::new("vllm:num_requests_waiting", "Inputs that wait"), &["model_name"])?,
            running: IntGaugeVec::new(
                Opts::new("vllm:num_requests_running", "Inputs in running batches"),
                &["model_name"],
            )?,
            depth: IntGaugeVec::new(Opts::new("weir_sidecar_queue_depth", "Inputs that wait"), &["model"])?,
            inputs: per_model("weir_sidecar_batch_inputs", "Inputs per batch", powers(1.0, 12)?)?,
            padded: per_model(
                "weir_sidecar_batch_padded_tokens",
                "Tokens per batch, padding included",
                powers(8.0, 14)?,
            )?,
            seconds: per_model("weir_sidecar_inference_seconds", "Duration of a batch", powers(0.000_5, 16)?)?,
            loads: IntCounterVec::new(
                Opts::new("weir_sidecar_model_loads_total", "Loads of a model that have ended, by outcome"),
                &["model", "outcome"],
            )?,
            in_flight: IntGauge::new("weir_sidecar_bytes_in_flight", "Request bodies and answers held")?,
        };
        let collectors: [Box<dyn prometheus::core::Collector>; 11] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.request_seconds.clone()),
            Box::new(metrics.tokens.clone()),
            Box::new(metrics.waiting.clone()),
            Box::new(metrics.running.clone()),
            Box::new(metrics.depth.clone()),
            Box::new(metrics.inputs.clone()),
            Box::new(metrics.padded.clone()),
            Box::new(metrics.seconds.clone()),
            Box::new(metrics.loads.clone()),
            Box::new(metrics.in_flight.clone()),
        ];
        for collector in collectors {
            metrics.registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// The measurements of a pool that runs this model.
    pub fn model(&self, name: &str) -> ModelMetrics {
        ModelMetrics {
            waiting: Share::of(self.waiting.with_label_values(&[name])),
            running: Share::of(self.running.with_label_values(&[name])),
            depth: Share::of(self.depth.with_label_values(&[name])),
            inputs: self.inputs.with_label_values(&[name]),
            padded: self.padded.with_label_values(&[name]),
            seconds: self.seconds.with_label_values(&[name]),
        }
    }

    /// A load has ended.
    pub fn loaded(&self, model: &str, outcome: LoadOutcome) {
        self.loads.with_label_values(&[model, outcome.name()]).inc();
    }

    /// A request was answered.
    pub fn answered(&self, model: &str, status: u16, tokens: usize, took: Duration) {
        self.requests.with_label_values(&[model, &status.to_string()]).inc();
        self.request_seconds.with_label_values(&[model]).observe(took.as_secs_f64());
        self.tokens.with_label_values(&[model]).inc_by(tokens as u64);
    }

    /// Everything, in Prometheus' text format. `held` is how many bytes of bodies and answers are held now.
    pub fn text(&self, held: usize) -> Result<String, prometheus::Error> {
        self.in_flight.set(i64::try_from(held).unwrap_or(i64::MAX));
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

impl ModelMetrics {
    /// How many inputs wait, and how many run.
    pub fn load(&self, waiting: usize, running: usize) {
        self.waiting.set(waiting);
        self.depth.set(waiting);
        self.running.set(running);
    }

    /// A batch ended.
    pub fn batch(&self, inputs: usize, padded: usize, took: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "batches are far smaller than 2^52")]
        {
            self.inputs.observe(inputs as f64);
            self.padded.observe(padded as f64);
        }
        self.seconds.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_shows_what_all_pools_of_a_name_have_together() {
        let metrics = Metrics::new().unwrap();
        let shows = |waiting| {
            let text = metrics.text(0).unwrap();
            assert!(text.contains(&format!("vllm:num_requests_waiting{{model_name=\"m\"}} {waiting}\n")), "{text}");
        };
        let (old, new) = (metrics.model("m"), metrics.model("m"));
        old.load(3, 1);
        new.load(2, 0);
        shows(5);
        new.load(1, 0);
        shows(4);
        drop(old);
        shows(1);
    }
}
