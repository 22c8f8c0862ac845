//! `weir limits`.

use weir_control::state::client::{Client, Credit, Shown};
use weir_node::{Outcome, control, say};

use crate::args::{self, LimitsCommand};

/// Lists what is spent of each shared limit, or gives somebody more.
pub(crate) fn run(args: args::Limits) -> Outcome {
    let args::Limits { control: address, token_file, json, command } = args;
    let token = token_file.as_deref().map(control::token).transpose()?;
    let client = Client { address, token };
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

/// Stands for no subject.
const NOBODY: &str = "-";

fn line(one: &Shown) -> String {
    let [amount, spent, lost, reserved, left] =
        [&one.amount, &one.spent, &one.lost, &one.reserved, &one.left].map(|amount| one.for_people(amount));
    let reset = if one.reset_ms == 0 { "never".to_owned() } else { format!("{}s", one.reset_ms.div_ceil(1000)) };
    let subject = if one.subject.is_empty() { NOBODY } else { &one.subject };
    format!("{}\t{subject}\t{}\t{amount}\t{spent}\t{lost}\t{reserved}\t{left}\t{reset}", one.limit, one.unit)
}
