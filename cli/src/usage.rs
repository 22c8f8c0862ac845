//! `weir usage`.

use weir_control::ledger::{Dimension, Question, question, usage};
use weir_node::ledger::now_ms;
use weir_node::{Outcome, Problem, say};

use crate::args::{self, Format};
use crate::ledger;

/// Sums requests, tokens and cost.
pub(crate) fn run(args: args::Usage) -> Outcome {
    let now_ms = now_ms();
    let instant = |text: &str| question::instant(text, now_ms).map_err(Problem::Usage);
    let (since_ms, until_ms) = (instant(&args.since)?, instant(&args.until)?);
    if since_ms > until_ms {
        return Err(Problem::Usage("--since is later than --until".to_owned()));
    }
    let only = [
        (Dimension::Team, args.team),
        (Dimension::Key, args.key),
        (Dimension::User, args.user),
        (Dimension::Application, args.application),
        (Dimension::Model, args.model),
        (Dimension::Provider, args.provider),
        (Dimension::Outcome, args.outcome),
    ];
    let only = only.into_iter().filter(|(_, names)| !names.is_empty()).collect();
    let asked = Question { by: args.by, since_ms, until_ms, only };
    let mut store = ledger::open_to_read(args.store)?;
    let usage = usage::ask(&mut store, asked).map_err(|error| ledger::failed(&error))?;
    say::result(&match args.format {
        Format::Table => usage.table(),
        Format::Csv => usage.csv(),
        Format::Json => format!("{:#}", usage.json()),
    })
}
