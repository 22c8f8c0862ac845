//! What happens on Weir's routes, told from what happens on an operator's.

use serde_json::Value;

use crate::render::message::cel;
use crate::render::names::MARK;

/// A filter of access logs and local replies: what is on a route of Weir's.
pub(super) fn on_a_route_of_ours() -> Value {
    cel(&format!("xds.route_name.startsWith('{MARK}')"))
}
