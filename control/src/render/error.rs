//! Why a configuration that holds cannot be rendered.

/// Why a configuration that holds cannot be rendered on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// An https provider without a bundle to verify it against.
    #[error(
        "provider {0}: no CA bundle was found to verify it against; \
         install the system's ca-certificates, set SSL_CERT_FILE, or name one with `ca`"
    )]
    NoCaBundle(String),
    /// The operator's routes cannot take Weir's in.
    #[error("the routes that lead to the cluster \"weir\": {0}")]
    OwnRoutes(String),
}
