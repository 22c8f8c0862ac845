//! Weir's routes within an operator's: they take the place of each route that leads to the cluster `weir`.

use serde_json::{Map, Value, json};

use crate::render::names::{DOOR, EDGE_FILTER, MARK};

/// The fields of the operator's action that Weir keeps. Weir has its own limits in time, and the plan says where a request goes and how
/// often.
const KEPT: [&str; 2] = ["rate_limits", "include_vh_rate_limits"];
/// The fields that it may have too, because a route to the internal listener needs them. Weir writes its own.
const REPLACED: [&str; 3] = ["cluster", "timeout", "idle_timeout"];

/// Finds what is wrong with a route configuration of the operator's.
pub(super) fn check(own: &Value) -> Result<(), String> {
    if name(own).is_empty() {
        return Err("they have no `name`, by which Envoy asks for them; write a RouteConfiguration".to_owned());
    }
    let mut seen = false;
    for host in hosts(own) {
        for route in routes(host).filter(|route| is_ours(route)) {
            seen = true;
            let action = route.get("route").and_then(Value::as_object);
            let fields = action.into_iter().flat_map(Map::keys).map(String::as_str);
            if let Some(field) = fields.clone().find(|field| !KEPT.contains(field) && !REPLACED.contains(field)) {
                return Err(format!("`route.{field}` has no place in a route of Weir's; leave it out"));
            }
        }
    }
    if seen {
        return Ok(());
    }
    Err("there is none; add one, such as {match: {prefix: /v1/}, route: {cluster: weir}}, to a virtual host".to_owned())
}

/// The name of the route configuration. Empty if it has none.
pub(super) fn name(own: &Value) -> &str {
    own.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// The operator's configuration with Weir's routes in it: `classes`, and `no_plan` for requests that have no plan yet.
pub(super) fn expand(own: &Value, classes: &[Value], no_plan: &Value, buffer: u64) -> Value {
    let mut own = own.clone();
    for host in own.get_mut("virtual_hosts").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(routes) = host.get_mut("routes").and_then(Value::as_array_mut) else { continue };
        *routes = std::mem::take(routes)
            .into_iter()
            .flat_map(|route| {
                if is_ours(&route) {
                    let ours = classes.iter().chain([no_plan]);
                    ours.map(|ours| in_place(&route, ours, buffer)).collect()
                } else {
                    vec![route]
                }
            })
            .collect();
    }
    if let Some(own) = own.as_object_mut() {
        own.insert("validate_clusters".to_owned(), json!(false));
    }
    own
}

/// The route that takes the place of `route`: match and settings are the operator's, the action is that of `ours`.
fn in_place(route: &Value, ours: &Value, buffer: u64) -> Value {
    let mut route = route.clone();
    let Some(fields) = route.as_object_mut() else { return route };
    let name = ours.get("name").and_then(Value::as_str).unwrap_or_default();
    fields.insert("name".to_owned(), json!(format!("{}{name}", MARK)));
    fields.insert("request_body_buffer_limit".to_owned(), json!(buffer));
    let mut action = ours.get("route").and_then(Value::as_object).cloned().unwrap_or_default();
    let kept = fields.get("route").and_then(Value::as_object).into_iter().flatten();
    action.extend(kept.filter(|(field, _)| KEPT.contains(&field.as_str())).map(|(k, v)| (k.clone(), v.clone())));
    fields.insert("route".to_owned(), Value::Object(action));
    let wanted = ours.pointer("/match/filter_state").and_then(Value::as_array);
    if let (Some(wanted), Some(Value::Object(matches))) = (wanted, fields.get_mut("match")) {
        if let Value::Array(all) = matches.entry("filter_state").or_insert_with(|| json!([])) {
            all.extend(wanted.iter().cloned());
        }
    } else if let Value::Object(by_name) = fields.entry("typed_per_filter_config").or_insert_with(|| json!({})) {
        let settings = ours.get("typed_per_filter_config").and_then(Value::as_object);
        by_name.extend(settings.into_iter().flatten().map(|(name, set)| (name.clone(), set.clone())));
        // The request has no plan yet, so the edge role is turned on here.
        let on = json!({ "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {} });
        by_name.insert(EDGE_FILTER.to_owned(), on);
    }
    route
}

fn is_ours(route: &Value) -> bool {
    route.pointer("/route/cluster").and_then(Value::as_str) == Some(DOOR)
}

fn hosts(own: &Value) -> impl Iterator<Item = &Value> {
    own.get("virtual_hosts").and_then(Value::as_array).into_iter().flatten()
}

fn routes(host: &Value) -> impl Iterator<Item = &Value> {
    host.get("routes").and_then(Value::as_array).into_iter().flatten()
}
