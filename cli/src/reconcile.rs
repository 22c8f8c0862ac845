//! `weir reconcile`.

use std::fs;

use weir_control::ledger::reconcile;
use weir_node::problem::at;
use weir_node::{Outcome, Problem, say};

use crate::args::{self, Format};
use crate::ledger;

/// Compares the ledger with a provider's export.
pub(crate) fn run(args: args::Reconcile) -> Outcome {
    let text = fs::read_to_string(&args.file).map_err(at(&args.file))?;
    let export =
        reconcile::read(&text).map_err(|unknown| Problem::Failed(format!("{}: {unknown}", args.file.display())))?;
    let mut store = ledger::open_to_read(args.store)?;
    let compared = reconcile::compare(&mut store, &export, args.provider.as_deref());
    let comparison = compared.map_err(|error| Problem::Failed(error.to_string()))?;
    say::result(&match args.format {
        Format::Table => comparison.table(),
        Format::Csv => comparison.csv(),
        Format::Json => format!("{:#}", comparison.json()),
    })
}
