//! `weir limits`.

use std::path::Path;

use weir_control::render::ControlAddress;
use weir_control::state::client::{Client, Credit, Shown};
use weir_node::folders::Folders;
use weir_node::{Outcome, control, say};

use crate::args::{self, LimitsCommand};

/// Lists what is spent of each shared limit, or gives somebody more.
pub(crate) fn run(args: args::Limits) -> Outcome {
    let args::Limits { control: address, config, run, token_file, ca, json, command } = args;
    let address = match address {
        Some(address) => address,
        None => usual(config.as_deref(), run.as_deref())?,
    };
    let token = token_file.as_deref().map(control::token).transpose()?;
    let client = Client { address, token, ca };
    match command {
        None if json => {
            let shown: Vec<Shown> = control::ask(client.limits())?;
            say::result(&serde_json::to_string_pretty(&shown).unwrap_or_default())
        }
        None => {
            let shown: Vec<Shown> = control::ask(client.limits())?;
            say::result("LIMIT\tSUBJECT\tUNIT\tAMOUNT\tSPENT\tLOST\tRESERVED\tLEFT\tRESET")?;
            shown.iter().try_for_each(|one| say::result(&line(one)))
        }
        Some(LimitsCommand::Credit { name, subject, amount, why }) => {
            // An account without a subject is listed so.
            let subject = if subject == NOBODY { String::new() } else { subject };
            let credit = Credit { limit: name, subject, amount, why };
            control::ask(client.credit(&credit))?;
            let whose = if credit.subject.is_empty() { NOBODY } else { &credit.subject };
            say::line(&format!("{}: {} are credited to {whose}", credit.limit, credit.amount));
            Ok(())
        }
    }
}

/// Where `weir up` has its control; where nothing of it is here and nothing is named, where `weir control` listens by itself.
fn usual(config: Option<&Path>, run: Option<&Path>) -> Outcome<ControlAddress> {
    let is_named = config.is_some() || run.is_some();
    match Folders::find(config, run) {
        Ok(folders) if is_named || folders.control().exists() => Ok(ControlAddress::Socket(folders.control())),
        Err(problem) if is_named => Err(problem),
        _ => Ok(ControlAddress::Host("127.0.0.1".to_owned(), USUAL)),
    }
}

/// The port on which `weir control` listens by itself.
const USUAL: u16 = 10004;

/// Stands for no subject.
const NOBODY: &str = "-";

fn line(one: &Shown) -> String {
    let [amount, spent, lost, reserved, left] =
        [&one.amount, &one.spent, &one.lost, &one.reserved, &one.left].map(|amount| one.for_people(amount));
    let reset = if one.reset_ms == 0 { "never".to_owned() } else { format!("{}s", one.reset_ms.div_ceil(1000)) };
    let subject = if one.subject.is_empty() { NOBODY } else { &one.subject };
    format!("{}\t{subject}\t{}\t{amount}\t{spent}\t{lost}\t{reserved}\t{left}\t{reset}", one.limit, one.unit)
}
