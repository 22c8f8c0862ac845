//! `weir keys`.

use std::path::PathBuf;

use weir_node::keys::{self, moment};
use weir_node::{Outcome, Problem, say};

use crate::args::Keys;

/// Makes, lists and changes callers' keys.
pub(crate) fn run(file: Option<PathBuf>, command: Keys) -> Outcome {
    let path = file.map_or_else(keys::usual, Ok)?;
    match command {
        Keys::New { name, models, expires } => {
            let key = keys::new(&path, &name, models, expires)?;
            say::line(&format!("key of {name}; it is not kept, so store it now:"));
            // A key that could not be shown must not be valid.
            say::result(&key).inspect_err(|_| drop(keys::revoke(&path, &name)))
        }
        Keys::Rotate { name, overlap } => {
            let (key, before) = keys::rotate(&path, &name, overlap)?;
            say::line(&format!("another key of {name}; it is not kept, so store it now:"));
            // A key that could not be shown must not be valid, nor replace the old one.
            say::result(&key).inspect_err(|_| drop(keys::restore(&path, &before)))
        }
        Keys::Edit { name, models, all_models, expires, never_expires } => {
            if models.is_none() && expires.is_none() && !all_models && !never_expires {
                let flags = "name what changes: --models, --all-models, --expires or --never-expires";
                return Err(Problem::Usage(flags.to_owned()));
            }
            keys::edit(&path, &name, |entry| {
                if models.is_some() || all_models {
                    entry.models.clone_from(&models);
                }
                if expires.is_some() || never_expires {
                    entry.expires = expires.map(moment::after);
                }
            })?;
            say::line(&format!("{name}'s key has changed"));
            Ok(())
        }
        Keys::List => {
            for entry in keys::list(&path)? {
                let models = entry.models.as_ref().map_or("all models".to_owned(), |models| models.join(", "));
                let expires = entry.expires.as_ref().map_or_else(String::new, |at| {
                    format!("\t{} {at}", if moment::is_over(at) { "expired" } else { "until" })
                });
                let hash = entry.sha256.get(..8).unwrap_or_default();
                say::result(&format!("{}\t{hash}…\t{models}{expires}", entry.name))?;
            }
            Ok(())
        }
        Keys::Revoke { name } => {
            keys::revoke(&path, &name)?;
            say::line(&format!("{name}'s key is revoked"));
            Ok(())
        }
    }
}
