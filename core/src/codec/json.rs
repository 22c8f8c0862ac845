//! JSON bodies without a full parse: one pass that checks them and finds their top-level members.
/// x
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan;
