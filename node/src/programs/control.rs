//! The process that keeps limits and fills the ledger: how it is started.

use std::ffi::OsString;
use std::path::Path;

use weir_control::ledger;
use weir_control::state::listen::Address;
use weir_control::state::store;

use crate::child::{Program, Spec};
use crate::folders::Folders;
use crate::programs::own;

/// Control as a child, for the Envoy called `node` with this configuration. Leases and the ledger are kept in the folder `state`.
pub(crate) fn spec(file: &Path, folders: &Folders, state: &Path, node: &str) -> Spec {
    let listen = Address::Socket(folders.control()).to_string();
    let mut store = OsString::from("sqlite:");
    store.push(state.join(store::FILE));
    let flags: [OsString; 15] = [
        "control".into(),
        "--config".into(),
        file.into(),
        "--listen".into(),
        listen.into(),
        "--store".into(),
        store,
        "--ledger".into(),
        state.join(ledger::FILE).into(),
        "--follow-log".into(),
        folders.access_log().into(),
        "--node".into(),
        node.into(),
        "--admin".into(),
        folders.admin().into(),
    ];
    own(Program::Control, folders, flags)
}
