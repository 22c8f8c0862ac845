//! One route for each delivery class. Each try looks up its cluster in the plan.

mod by_plan;
mod class;
mod control;
mod own;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use weir_core::config::{Gateway, Limits};
use weir_core::{attempt, plan};
use weir_hub::endpoint::Delivery;

use super::cors;
use super::error::RenderError;
use super::message::seconds;
use super::names::NO_PLAN;
use super::node::{Door, Node};
use by_plan::by_plan;
use class::Class;

/// The name of the route configuration, if all of it is Weir's.
const NAME: &str = "weir";
/// More tries than a plan can have: one for each target, the last target again, and one more to say that no target is left. The attempt
/// role ends a plan that is exhausted.
const MOST_RETRIES: u32 = 18;

/// The routes, by delivery class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Routes {
    classes: BTreeMap<String, Class>,
    clusters: BTreeSet<String>,
    /// How many bytes of a body Envoy holds.
    buffer: u64,
    /// The origins of the web pages that may call.
    pages: Vec<String>,
    /// Whether there is one to control.
    control: bool,
    /// The operator's routes, if Weir's take the place of some of them.
    own: Option<Value>,
}

impl Routes {
    /// The routes of `gateway`.
    pub(super) fn of(gateway: &Gateway) -> Self {
        let mut classes: BTreeMap<String, Class> = BTreeMap::new();
        let connect = gateway.providers().map(|entry| entry.connect_timeout).max().unwrap_or_default();
        for (limits, targets) in gateway.limits() {
            let Limits { first_token, gap, whole, total, keep_alive: _ } = *limits;
            let tries = u32::try_from(*targets).unwrap_or(u32::MAX).saturating_add(1);
            let whole = Class { limit: whole, gap: None, total, connect, tries };
            let streamed = Class { limit: first_token, gap: Some(gap), total, connect, tries };
            for (delivery, class) in [(Delivery::Whole, whole), (Delivery::Streamed, streamed)] {
                classes.entry(limits.class(delivery).name).or_insert(class).join(&class);
            }
        }
        Self {
            classes,
            clusters: gateway.providers().map(|entry| entry.name.clone()).collect(),
            buffer: gateway.routing().body.buffer(),
            pages: gateway.cors().to_vec(),
            control: false,
            own: None,
        }
    }

    /// These routes as they are at `node`: with one to its control, and within the operator's, if the operator's connection manager is
    /// the door.
    pub(super) fn at(self, node: &Node) -> Result<Self, RenderError> {
        let this = Self { control: node.control.is_some(), ..self };
        let Door::Chain(own) = &node.door else { return Ok(this) };
        own::check(own).map_err(RenderError::OwnRoutes)?;
        Ok(Self { own: Some(own.clone()), ..this })
    }

    /// The name by which Envoy asks for them.
    pub(super) fn name(&self) -> &str {
        self.own.as_ref().map_or(NAME, own::name)
    }

    /// Adds the classes and clusters of `older`.
    pub(super) fn join(&mut self, older: &Self) {
        for (name, class) in &older.classes {
            self.classes.entry(name.clone()).or_insert(*class).join(class);
        }
        self.clusters.extend(older.clusters.iter().cloned());
        self.buffer = self.buffer.max(older.buffer);
    }

    /// The longest time for which a plan can ask for clusters.
    pub(super) fn longest(&self) -> Duration {
        self.classes.values().map(Class::until_begun).max().unwrap_or_default()
    }

    /// As Envoy's route configuration.
    pub(super) fn value(&self) -> Value {
        let mut routes: Vec<Value> = self.classes.iter().map(|(name, class)| self.route(name, *class)).collect();
        routes.extend(self.control.then(control::control));
        // Every request starts here. When the edge has written a plan, Envoy picks the route again.
        let no_plan =
            json!({ "name": "no-plan", "match": { "prefix": "/" }, "route": { "cluster": NO_PLAN, "timeout": "0s" } });
        let no_plan = cors::allow(&self.pages, no_plan);
        if let Some(own) = &self.own {
            return own::expand(own, &routes, &no_plan, self.buffer);
        }
        routes.push(no_plan);
        json!({
            "name": NAME,
            "validate_clusters": false,
            "virtual_hosts": [{
                "name": NAME,
                "domains": ["*"],
                // It is on the virtual host, because the edge buffers before the route is known. It also bounds what the attempt
                // role may write: the role knows the limit as the `buffer` of its upstream.
                "request_body_buffer_limit": self.buffer,
                "routes": routes,
            }],
        })
    }

    fn route(&self, name: &str, class: Class) -> Value {
        let mut retry = json!({
            "retry_on": "5xx,reset,connect-failure,refused-stream,retriable-status-codes",
            "retriable_status_codes": [429],
            "num_retries": MOST_RETRIES,
            // Each try looks up its cluster again, in the plan that the attempt role has advanced.
            "refresh_cluster_on_retry": true,
            // The next try goes to another target, or needs only a new connection: there is nothing to wait for.
            "retry_back_off": { "base_interval": "0.001s", "max_interval": "0.001s" },
            // If the same target is asked again, the failed try's answer says how long to wait.
            "rate_limited_retry_back_off": {
                "reset_headers": [{ "name": attempt::PAUSE, "format": "SECONDS" }],
                "max_interval": "10s",
            },
        });
        // A try cannot have both limits of a stream. When `per_try_timeout` passes, Envoy deletes the try's idle timer, even if
        // the answer has begun (which it does with its first token) and the timeout itself is therefore ignored. If the two
        // limits are equal, one idle timer serves both. If not, the idle timer of the caller's stream limits the gap, and it
        // must leave time for all tries.
        let (timer, limit) = match class.gap {
            Some(gap) if gap == class.limit => ("per_try_idle_timeout", gap),
            _ => ("per_try_timeout", class.limit),
        };
        if let Some(retry) = retry.as_object_mut() {
            retry.insert(timer.to_owned(), seconds(limit));
        }
        let until = class.until_begun();
        // The limit of a whole answer's try covers the whole answer. Only a caller who reads slowly needs another limit.
        let (idle, flush) = match class.gap {
            Some(gap) => (until.max(gap), None),
            None => (Duration::ZERO, Some(until)),
        };
        // For a stream the idle timer limits all tries together, because the caller gets nothing before a try has answered. A whole
        // answer needs `timeout`, because Envoy drops the limits of a try once the provider has sent a 1xx.
        let mut action = json!({
            "timeout": seconds(if class.gap.is_none() { class.total } else { Duration::ZERO }),
            "idle_timeout": seconds(idle),
            "auto_host_rewrite": true,
            "inline_cluster_specifier_plugin": { "extension": by_plan(self.clusters.iter()) },
            "retry_policy": retry,
        });
        if let (Some(action), Some(flush)) = (action.as_object_mut(), flush) {
            action.insert("flush_timeout".to_owned(), seconds(flush));
        }
        let suffix = plan::class_suffix(name);
        json!({
            "name": name,
            "match": {
                "prefix": "/",
                "filter_state": [{ "key": plan::KEY, "string_match": { "suffix": suffix } }],
            },
            "route": action,
        })
    }
}

/// The name of the routes in the listener's request for them.
pub(super) fn name(door: &Door) -> &str {
    match door {
        Door::Chain(own) => own::name(own),
        Door::Port | Door::Internal => NAME,
    }
}
