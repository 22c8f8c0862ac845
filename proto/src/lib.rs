//! Weir's own protobuf services: the sources are under `weir/`, the generated code is checked in beside this file.
//! `cargo run -p weir-proto --example generate` writes it again; with `--check` it only says whether it is fresh.
#![cfg_attr(not(feature = "services"), no_std)]

/// What stewards and control exchange.
pub mod control {
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
        include!("weir.control.v1.rs");
    }
}

/// Services of the sidecar.
#[cfg(feature = "services")]
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
