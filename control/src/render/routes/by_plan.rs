//! The cluster of each try, looked up in the plan.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use weir_core::plan;

/// The cluster of a try whose plan names no provider. It does not exist.
const NOWHERE: &str = "weir-nowhere";

/// Picks one of `clusters` by the start of the plan's text.
pub(super) fn by_plan<'c>(clusters: impl Iterator<Item = &'c String>) -> Value {
    let map: BTreeMap<String, Value> = clusters.map(|cluster| (plan::cluster_prefix(cluster), to(cluster))).collect();
    let mut matcher = json!({ "on_no_match": to(NOWHERE) });
    if !map.is_empty()
        && let Some(matcher) = matcher.as_object_mut()
    {
        let input = json!({
            "name": "plan",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.FilterStateInput",
                "key": plan::KEY,
            },
        });
        matcher.insert("matcher_tree".to_owned(), json!({ "input": input, "prefix_match_map": { "map": map } }));
    }
    json!({
        "name": "plan",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.MatcherClusterSpecifier",
            "cluster_matcher": matcher,
        },
    })
}

fn to(cluster: &str) -> Value {
    json!({
        "action": {
            "name": cluster,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.router.cluster_specifiers.matcher.v3.ClusterAction",
                "cluster": cluster,
            },
        },
    })
}
