//! `weir limits`.

use weir_control::state::client::{Client, Credit, Shown};
use weir_node::{Outcome, Problem, control, say};

use crate::args::{self, LimitsCommand};

/// Lists what is spent of each shared limit, or gives somebody more.
pub(crate) fn run(args: args::Limits) -> Outcome {
    let args::Limits { control: address, token_file, json, command } = args;
    let token = token_file.as_deref().map(control::token).transpose()?;
    let client = Client { address, token };
    let shown: Vec<Shown> = control::ask(client.limits())?;
    match command {
        None if json => say::result(&serde_json::to_string_pretty(&shown).unwrap_or_default()),
        None => {
            say::result("LIMIT\tSUBJECT\tUNIT\tAMOUNT\tSPENT\tRESERVED\tLEFT\tRESET")?;
            shown.iter().try_for_each(|one| say::result(&line(one)))
        }
        Some(LimitsCommand::Credit { name, subject, amount, why }) => {
            let is_cost = shown.iter().any(|one| one.limit == name && one.unit == "USD");
            let amount = if is_cost { picodollars(&amount) } else { amount.parse().ok() };
            let Some(amount) = amount else {
                return Err(Problem::Usage("the amount is a whole number, or US dollars such as 12.50".to_owned()));
            };
            let credit = Credit { limit: name, subject, amount: i128::to_string(&amount), why };
            control::ask(client.credit(&credit))?;
            say::line(&format!(
                "{}: {} are credited to {}",
                credit.limit,
                shown_as(is_cost, &credit.amount),
                credit.subject
            ));
            Ok(())
        }
    }
}

fn line(one: &Shown) -> String {
    let is_cost = one.unit == "USD";
    let [amount, spent, reserved, left] =
        [&one.amount, &one.spent, &one.reserved, &one.left].map(|amount| shown_as(is_cost, amount));
    let reset = if one.reset_ms == 0 { "never".to_owned() } else { format!("{}s", one.reset_ms.div_ceil(1000)) };
    let subject = if one.subject.is_empty() { "-" } else { &one.subject };
    format!("{}\t{subject}\t{}\t{amount}\t{spent}\t{reserved}\t{left}\t{reset}", one.limit, one.unit)
}

/// Digits after the point of a dollar.
const PLACES: usize = 12;

/// An amount for people: pico-dollars as dollars.
fn shown_as(is_cost: bool, amount: &str) -> String {
    if !is_cost {
        return amount.to_owned();
    }
    let (sign, digits) = amount.strip_prefix('-').map_or(("", amount), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = PLACES + 1);
    let (whole, part) = digits.split_at(digits.len() - PLACES);
    let part = part.trim_end_matches('0');
    if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// Dollars in pico-dollars. `None` if it is no such number.
fn picodollars(text: &str) -> Option<i128> {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > PLACES || !is_number(whole) || !is_number(part) {
        return None;
    }
    format!("{sign}{whole}{part:0<PLACES$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_shown_to_the_last_place() {
        for (text, amount) in [("12.5", 12_500_000_000_000_i128), ("0.000000000001", 1), ("-3", -3_000_000_000_000)] {
            assert_eq!(picodollars(text), Some(amount));
            assert_eq!(shown_as(true, &amount.to_string()), text);
        }
        for wrong in ["", ".5", "1e3", "1.0000000000001", "--1", "1,5"] {
            assert_eq!(picodollars(wrong), None, "{wrong}");
        }
        assert_eq!(shown_as(false, "123"), "123");
    }
}
