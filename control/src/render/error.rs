//! Why a configuration without errors cannot be rendered.

/// Why a configuration without errors cannot be rendered for a node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// There is no CA bundle to verify an https provider against.
    #[error(
        "provider {0}: no CA bundle was found to verify it against; \
         install the system's ca-certificates, set SSL_CERT_FILE, or name one with `ca`"
    )]
    NoCaBundle(String),
    /// There is no CA bundle to verify control against.
    #[error(
        "control: no CA bundle was found to verify it against; install the system's ca-certificates, or name one with --control-ca"
    )]
    NoCaForControl,
    /// Weir's routes do not fit into the operator's.
    #[error("the routes that lead to the cluster \"weir\": {0}")]
    OwnRoutes(String),
}
