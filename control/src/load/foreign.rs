//! Configurations of other gateways. One message about the whole file helps more than one about each field.

use super::tree::{Content, Tree};

/// Whose configuration a file is, at which field that shows, and how to write it for Weir.
pub(super) struct Foreign {
    pub(super) line: usize,
    pub(super) path: String,
    pub(super) problem: String,
    pub(super) hint: String,
}

/// Top-level fields of `LiteLLM`'s proxy. <https://docs.litellm.ai/docs/proxy/config_settings>
const LITELLM: [&str; 4] = ["model_list", "litellm_settings", "router_settings", "general_settings"];

/// What `root` is, if it is another gateway's configuration.
pub(super) fn foreign(root: &Tree) -> Option<Foreign> {
    let Content::Map(entries) = &root.content else { return None };
    if entries.iter().any(|entry| matches!(entry.key.as_str(), "providers" | "models")) {
        return None;
    }
    let found = entries.iter().find(|entry| LITELLM.contains(&entry.key.as_str()))?;
    Some(Foreign {
        line: found.line,
        path: found.key.clone(),
        problem: "this is a configuration of LiteLLM; `providers` and `models`, which Weir reads, are missing".to_owned(),
        hint: "write each host below `providers` and each `model_name` below `models`; docs/configure.md, \"From LiteLLM\", \
               shows how"
            .to_owned(),
    })
}
