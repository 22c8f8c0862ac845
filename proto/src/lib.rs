//! Weir's own protobuf services: the sources are under `weir/`, the generated code is checked in beside this file.
//! `cargo run -p weir-proto --example generate` writes it again; with `--check` it only says whether it is fresh.

/// Services of the sidecar.
pub mod sidecar {
    /// Version 1.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    pub mod v1 {
        include!("weir.sidecar.v1.rs");
    }
}
