//! The filters that a request passes: Weir's own in its roles, and those of a provider's upstream chain.

mod roles;
mod upstream;

pub(super) use roles::{edge, edge_slot, steward};
pub(super) use upstream::{control_chain, upstream_chain};
