//! The models that are served. [`store`] holds them by name, and loads and unloads them while requests run; [`load`](mod@load)
//! reads one from its folder, by its [`recipe`] and with its [`tokens`]. Start at [`Models`].

pub mod load;
pub mod model;
pub mod recipe;
pub mod store;
pub mod tokens;

pub use load::Wanted;
pub use model::{Lease, Model};
pub use store::{Entry, Failure, Models, NotLoaded, Origin, State};
