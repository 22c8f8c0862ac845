//! The kinds of resources, and the file of each.

/// A kind of resources. Each has a file in the folder of its Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What Envoy starts with. It is read once.
    Bootstrap,
    /// SDS: where credentials are. Each has a file, because Envoy takes no file with two secrets.
    Secrets,
    /// CDS: one cluster for each provider.
    Clusters,
    /// RDS: one route for each delivery class.
    Routes,
    /// ECDS: the edge role with its configuration.
    Edge,
    /// LDS: the listener for callers, and the one before the sidecar.
    Listeners,
}

impl Kind {
    /// Every kind, in the order in which new resources are delivered: each comes after the kinds that it refers to.
    pub const ALL: [Self; 6] =
        [Self::Secrets, Self::Clusters, Self::Routes, Self::Edge, Self::Listeners, Self::Bootstrap];

    /// The name of its file in the folder. The names of the files of [`Secrets`](Self::Secrets) begin with it.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap.json",
            Self::Secrets => "sds-",
            Self::Clusters => "cds.json",
            Self::Routes => "rds.json",
            Self::Edge => "edge.json",
            Self::Listeners => "lds.json",
        }
    }
}
