//! The files that Envoy watches, one a kind of resource.

/// A file of the folder that Envoy is started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// What Envoy starts with; read once.
    Bootstrap,
    /// SDS: where credentials are read from; one file each, because Envoy takes no file with two.
    Secrets,
    /// CDS: one cluster a provider.
    Clusters,
    /// RDS: one route a delivery class.
    Routes,
    /// ECDS: the edge role with its configuration.
    Edge,
    /// LDS: the door, and the way to the sidecar.
    Listeners,
}

impl Kind {
    /// Every file, in the order in which they are written: what is referred to comes first.
    pub const ALL: [Self; 6] =
        [Self::Secrets, Self::Clusters, Self::Routes, Self::Edge, Self::Listeners, Self::Bootstrap];

    /// Its name in the folder; of [`Secrets`](Self::Secrets), what each name begins with.
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
