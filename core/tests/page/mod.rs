//! What a provider's page is made of.

pub(crate) mod kind;
pub(crate) mod shown;
