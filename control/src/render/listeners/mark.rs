//! Tells Weir's routes from an operator's.

use serde_json::Value;

use crate::render::message::cel;
use crate::render::names::MARK;

/// A filter of access logs and local replies: requests on one of Weir's routes.
pub(super) fn on_a_route_of_ours() -> Value {
    cel(&format!("xds.route_name.startsWith('{MARK}')"))
}
