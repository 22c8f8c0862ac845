//! The API of `weir limits`, as JSON. Amounts are texts of digits, because JSON's readers know numbers up to 53 bits.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use weir_core::quota::Meter;

use super::super::now;
use super::super::pools::{Listed, NotCredited, Pools};
use super::{Answer, problem, reply, unavailable};

/// One account, as `GET /v1/limits` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The limit's name.
    pub limit: String,
    /// Whose.
    pub subject: String,
    /// When the window begins, in milliseconds since the Unix epoch.
    pub window_ms: u64,
    /// What the limit counts: `requests`, `USD` (amounts are pico-dollars) and so on.
    pub unit: String,
    /// How much there is, with credits.
    pub amount: String,
    /// What is spent, with what is lost.
    pub spent: String,
    /// The part of it that Envoys held which ended without a word.
    pub lost: String,
    /// What requests under way have reserved.
    pub reserved: String,
    /// What Envoys hold besides.
    pub leased: String,
    /// What is left.
    pub left: String,
    /// By how much more was used than had been granted.
    pub debts: String,
    /// In how many milliseconds the limit is whole again; 0 if it never is.
    pub reset_ms: u64,
}

impl Shown {
    /// One of its amounts for people: pico-dollars as dollars.
    pub fn for_people(&self, amount: &str) -> String {
        let read = amount.parse().ok().filter(|_| self.unit == Meter::Cost.unit());
        read.map_or_else(|| amount.to_owned(), |amount| Meter::Cost.show(amount))
    }
}

/// What `POST /v1/limits/credit` takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// The limit's name.
    pub limit: String,
    /// Whose.
    pub subject: String,
    /// How much more there is, in the limit's unit: US dollars in decimal, else a whole number. With a minus: less.
    pub amount: String,
    /// Why, for the ledger.
    pub why: String,
}

pub(super) async fn list(pools: &Pools) -> Answer {
    match pools.list(now()).await {
        Ok(listed) => {
            let limits = pools.limits();
            let unit = |limit: &str| limits.get(limit).map_or("", |limit| limit.meter.unit()).to_owned();
            let shown: Vec<Shown> = listed.into_iter().map(|one| shown(unit(&one.account.limit), one)).collect();
            json(StatusCode::OK, &shown)
        }
        Err(away) => unavailable(&away),
    }
}

pub(super) async fn credit(pools: &Pools, body: &[u8]) -> Answer {
    let credit: Credit = match serde_json::from_slice(body) {
        Ok(credit) => credit,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("this is no credit: {error}")),
    };
    let Some(meter) = pools.limits().get(&credit.limit).map(|limit| limit.meter) else {
        return problem(StatusCode::BAD_REQUEST, &NotCredited::NoLimit(credit.limit).to_string());
    };
    let Some(amount) = meter.read(&credit.amount) else {
        let expected = if meter == Meter::Cost { "amount of dollars, such as 12.50" } else { "whole number" };
        return problem(StatusCode::BAD_REQUEST, &format!("\"{}\" is no {expected}", credit.amount));
    };
    if credit.why.trim().is_empty() {
        return problem(StatusCode::BAD_REQUEST, "say why");
    }
    match pools.credit(&credit.limit, &credit.subject, amount, &credit.why, now()).await {
        Ok(_) => json(StatusCode::OK, &credit),
        Err(NotCredited::Away(away)) => unavailable(&away),
        Err(why) => problem(StatusCode::BAD_REQUEST, &why.to_string()),
    }
}

fn shown(unit: String, Listed { account, standing, reset_ms }: Listed) -> Shown {
    Shown {
        limit: account.limit,
        subject: account.subject,
        window_ms: account.window_ms,
        unit,
        amount: standing.amount.to_string(),
        spent: standing.spent.to_string(),
        lost: standing.lost.to_string(),
        reserved: standing.reserved.to_string(),
        leased: standing.leased.to_string(),
        left: standing.left().to_string(),
        debts: standing.debts.to_string(),
        reset_ms,
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(bytes) => reply(status, "application/json", bytes.into()),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
