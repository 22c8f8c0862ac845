//! `weir prices`.

use std::fs;
use std::path::Path;

use weir_control::load::prices::{import, page, read, shipped, table};
use weir_node::problem::at;
use weir_node::{Outcome, Problem, say};

use crate::args::{Prices, PricesCommand};

/// Lists, shows or imports prices.
pub(crate) fn run(args: Prices) -> Outcome {
    let mut list = shipped().clone();
    match args.command {
        PricesCommand::Import { json, out, source } => make(&json, out.as_deref(), source),
        PricesCommand::List { model } => {
            args.file.as_deref().map(read).transpose()?.into_iter().for_each(|own| list.overlay(own));
            say::result(table(&list, model.as_deref()).trim_end())
        }
        PricesCommand::Show { model } => {
            args.file.as_deref().map(read).transpose()?.into_iter().for_each(|own| list.overlay(own));
            say::result(page(&list, &model)?.trim_end())
        }
    }
}

fn make(json: &Path, out: Option<&Path>, source: Option<String>) -> Outcome {
    let text = fs::read_to_string(json).map_err(at(json))?;
    let name = || json.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let made = import(&text, &source.unwrap_or_else(name))
        .map_err(|problem| Problem::Failed(format!("{}: {problem}", json.display())))?;
    match out {
        Some(out) => fs::write(out, &made.text).map_err(at(out))?,
        None => say::result(made.text.trim_end())?,
    }
    say::line(&format!("{} models have a price; {} have none that Weir knows", made.priced, made.left_out));
    Ok(())
}
