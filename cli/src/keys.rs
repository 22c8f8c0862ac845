//! `weir keys`.

use std::path::PathBuf;

use weir_node::keys::{self, Entry, moment};
use weir_node::{Outcome, say};

use crate::args::{Changes, Edit, Keys};

/// Makes, lists and changes callers' keys.
pub(crate) fn run(file: Option<PathBuf>, command: Keys) -> Outcome {
    let path = file.map_or_else(keys::usual, Ok)?;
    match command {
        Keys::New { name, team, models, endpoints, networks, expires } => {
            let expires = expires.map(moment::after);
            let entry = Entry { name: name.clone(), team, models, endpoints, networks, expires, ..Entry::default() };
            let key = keys::new(&path, entry)?;
            say::line(&format!("key of {name}; it is not kept, so store it now:"));
            // A key that could not be shown must not be valid.
            say::result(&key).inspect_err(|_| drop(keys::remove(&path, &name)))
        }
        Keys::Rotate { name, overlap } => {
            let (key, before) = keys::rotate(&path, &name, overlap)?;
            say::line(&format!("another key of {name}; it is not kept, so store it now:"));
            // A key that could not be shown must not be valid, nor replace the old one.
            say::result(&key).inspect_err(|_| drop(keys::restore(&path, &before)))
        }
        Keys::Edit(Edit { name, changes }) => {
            keys::edit(&path, &name, |entry| apply(&changes, entry))?;
            say::line(&format!("{name}'s key has changed"));
            Ok(())
        }
        Keys::List => keys::list(&path)?.iter().try_for_each(|entry| say::result(&shown(entry))),
        Keys::Disable { name } => {
            keys::edit(&path, &name, |entry| entry.disabled = true)?;
            say::line(&format!("{name}'s key is disabled"));
            Ok(())
        }
        Keys::Enable { name } => {
            keys::edit(&path, &name, |entry| entry.disabled = false)?;
            say::line(&format!("{name}'s key is enabled"));
            Ok(())
        }
        Keys::Remove { name } => {
            keys::remove(&path, &name)?;
            say::line(&format!("{name}'s key is removed"));
            Ok(())
        }
    }
}

fn apply(changes: &Changes, entry: &mut Entry) {
    let lists = [
        (&mut entry.models, &changes.models, changes.all_models),
        (&mut entry.endpoints, &changes.endpoints, changes.all_endpoints),
        (&mut entry.networks, &changes.networks, changes.all_networks),
    ];
    for (list, to, all) in lists {
        if to.is_some() || all {
            list.clone_from(to);
        }
    }
    if changes.team.is_some() || changes.no_team {
        entry.team.clone_from(&changes.team);
    }
    if changes.expires.is_some() || changes.never_expires {
        entry.expires = changes.expires.map(moment::after);
    }
}

/// A key as one line: name, hash, team, what it may use, and whether it is valid.
fn shown(entry: &Entry) -> String {
    let hash = entry.sha256.get(..8).unwrap_or_default();
    let team = entry.team.as_deref().unwrap_or("no team");
    let mut may = entry.models.as_ref().map_or("all models".to_owned(), |models| models.join(", "));
    if let Some(endpoints) = &entry.endpoints {
        may = format!("{may}; {} only", endpoints.join(", "));
    }
    if let Some(networks) = &entry.networks {
        may = format!("{may}; from {}", networks.join(", "));
    }
    let state = match &entry.expires {
        Some(at) if moment::is_over(at) => format!("expired {at}"),
        _ if entry.disabled => "disabled".to_owned(),
        Some(at) => format!("until {at}"),
        None => "valid".to_owned(),
    };
    format!("{}\t{hash}…\t{team}\t{may}\t{state}", entry.name)
}
