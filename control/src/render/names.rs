//! Names that more than one resource says: one resource is called so, others refer to it.

/// What Envoy calls this process.
pub(super) const NODE: &str = "weir";

/// The edge role's name: as a filter, and as the resource that ECDS delivers.
pub(super) const EDGE_FILTER: &str = "weir-edge";

/// The name of the listener at a port, and its statistics' prefix.
pub(super) const EDGE_LISTENER: &str = "edge";

/// The name of the internal listener that an operator's routes lead to, and of the cluster that leads to it.
pub(super) const DOOR: &str = "weir";

/// The name of the internal listener before the sidecar.
pub(super) const LOCAL_LISTENER: &str = "weir-local";

/// The sidecar's cluster.
pub(super) const SIDECAR: &str = "weir-sidecar";

/// The collector's cluster.
pub(super) const COLLECTOR: &str = "weir-otlp";

/// The cluster of a request without a plan. It has no hosts, so that such a request finds no provider and no key. But it is
/// there: filters such as `ext_authz` and `ratelimit` let a request pass whose route leads to no cluster.
pub(super) const NO_PLAN: &str = "weir-no-plan";

/// What every route of ours is called in front, among the operator's.
pub(super) const MARK: &str = "weir-";
