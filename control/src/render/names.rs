//! Names by which one resource refers to another.

/// The name of Envoy's node, service and server.
pub(super) const NODE: &str = "weir";

/// The edge role, as a filter and as the resource that ECDS delivers.
pub(super) const EDGE_FILTER: &str = "weir-edge";

/// The listener at a port, and the prefix of its statistics.
pub(super) const EDGE_LISTENER: &str = "edge";

/// The internal listener to which an operator's routes lead, and the cluster in between.
pub(super) const DOOR: &str = "weir";

/// The internal listener before the sidecar.
pub(super) const LOCAL_LISTENER: &str = "weir-local";

/// The sidecar's cluster.
pub(super) const SIDECAR: &str = "weir-sidecar";

/// The cluster of the process that shares limits.
pub(super) const CONTROL: &str = "weir-control";

/// The collector's cluster.
pub(super) const COLLECTOR: &str = "weir-otlp";

/// The cluster of a request without a plan. It has no hosts, so that such a request reaches no provider and no key. It must exist,
/// because filters such as `ext_authz` and `ratelimit` let a request pass if the cluster of its route does not exist.
pub(super) const NO_PLAN: &str = "weir-no-plan";

/// The prefix of the names of Weir's routes, among an operator's.
pub(super) const MARK: &str = "weir-";
