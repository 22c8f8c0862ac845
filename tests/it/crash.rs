//! The public crash test of gateways: the ways in which a provider fails, streamed and whole.
//!
//! For each, [`TABLE`] says what a caller sees who asks the provider directly, what a caller of the gateway sees, which requests
//! the provider got, and what the record says. Nothing may be worse through the gateway than directly ([`Worth`]).
//! No other target takes up a stream that has begun: it ends with an error or a break, never as if it were whole.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use weir_sim::{Fault, Outcome, Seen};
use weir_tests::{Answer, Ask, Ended, Event, Gateway, Provider, Record, Upstream};

use crate::Shared;

/// The classes, and a line for each way to meet one.
///
/// - targets: models of the simulator, best first, called `a` and `b` from there on. `ok` and `claude` answer; any other
///   name is a fault's (`docs/simulator.md` has them, and what follows a `+`). To those that are `alone:` there is no
///   connection yet.
/// - how: the delivery.
/// - directly: what the first target answers to a caller without a gateway.
/// - caller: what the caller of the gateway sees. [`view`] writes both; `again` and `final` say whether an official SDK
///   would repeat the request.
/// - provider's log: who was asked, and with which status the answer began; `-` where none did.
/// - record: the tries, and the tokens (input + output; `~` where the provider did not say).
const TABLE: &str = include_str!("crash/table.txt");

/// Every answer has this many tokens, with a short gap, so that a fault does not arrive in one piece with what follows it.
const ANSWER: &str = "+tokens-60+gap-5ms";

/// The beginnings of the classes that depend on time limits; their models have short ones.
const TIMED: [&str; 3] = ["Silence", "The first token", "Nothing more"];

/// The beginning of the class whose requests end with a message of the assistant.
const PREFILLED: &str = "A last message of the assistant";

/// One line of the table, in one delivery.
struct Row {
    number: usize,
    class: &'static str,
    targets: Vec<&'static str>,
    streamed: bool,
    expected: Sides,
}

/// One request, seen from each side.
#[derive(Debug, PartialEq, Eq)]
struct Sides {
    directly: String,
    caller: String,
    log: String,
    record: String,
}

impl Row {
    fn all() -> Vec<Self> {
        let (mut rows, mut class) = (Vec::new(), "");
        for line in TABLE.trim().lines().skip(1) {
            let columns: Vec<&str> = line.split('|').map(str::trim).collect();
            match columns[..] {
                [""] => {}
                [title] => class = title,
                [targets, how, directly, caller, log, record] => {
                    let ways: &[bool] = match how {
                        "whole" => &[false],
                        "streamed" => &[true],
                        "both" => &[false, true],
                        _ => panic!("no delivery: {line}"),
                    };
                    for &streamed in ways {
                        let [directly, caller, log, record] = [directly, caller, log, record].map(str::to_owned);
                        let expected = Sides { directly, caller, log, record };
                        let (number, targets) = (rows.len(), targets.split(", ").collect());
                        rows.push(Self { number, class, targets, streamed, expected });
                    }
                }
                _ => panic!("not six columns: {line}"),
            }
        }
        rows
    }

    /// The model that callers of the gateway ask for.
    fn model(&self) -> String {
        format!("line-{}", self.number)
    }

    /// The targets as the configuration has them. Each line has targets of its own: one that rests would rest for other lines too.
    fn configured(&self) -> Vec<String> {
        let target = |target: &&str| {
            let (name, more) = target.split_once('+').unwrap_or((target, ""));
            let model = match name {
                "ok" => "sim/gpt-4o".to_owned(),
                "claude" => "claude/claude-sonnet-4-5".to_owned(),
                fault => match fault.strip_prefix("alone:") {
                    Some(fault) => format!("alone/fault-{fault}"),
                    None => format!("sim/fault-{fault}"),
                },
            };
            format!("{model}{ANSWER}+line-{}+{more}", self.number)
        };
        self.targets.iter().map(target).collect()
    }

    /// The targets' own models.
    fn models(&self) -> Vec<String> {
        let model = |target: String| target.split_once('/').map(|(_, model)| model.to_owned());
        self.configured().into_iter().filter_map(model).collect()
    }

    fn body(&self, model: &str) -> Value {
        let mut messages = vec![json!({ "role": "user", "content": "Hi" })];
        if self.class.starts_with(PREFILLED) {
            messages.push(json!({ "role": "assistant", "content": "You" }));
        }
        let mut body = json!({ "model": model, "max_tokens": 1000, "messages": messages });
        if self.streamed {
            body["stream"] = json!(true);
        }
        body
    }

    /// Asks, directly and through the gateway, and looks from all sides.
    async fn look(&self, Shared { upstream, gateway }: &Shared) -> Sides {
        let directly = self.directly(upstream).await;
        let answer = gateway.post("/v1/chat/completions", self.body(&self.model())).await;
        let caller = view(&answer);
        let record = gateway.record(answer.id()).await;
        let (targets, models) = (self.configured(), self.models());
        let place = |names: &[String], name: &str| Some(LETTERS[names.iter().position(|known| known == name)?]);
        let asked = upstream.requests().into_iter().filter_map(|seen| {
            let letter = place(&models, seen.json()["model"].as_str()?)?;
            Some(format!("{letter} {}", seen.status.map_or("-".to_owned(), |status| status.to_string())))
        });
        let tries: Vec<String> = record
            .tries()
            .iter()
            .filter_map(|one| one.split_once(' '))
            .map(|(target, outcome)| format!("{} {outcome}", place(&targets, target).unwrap_or(target)))
            .collect();
        assert_eq!(record["outcome"], outcome(&caller, &record), "{}: {}", self.class, *record);
        let log = asked.collect::<Vec<_>>().join(", ");
        Sides { directly, caller, log, record: format!("{}; {}", tries.join(", "), tokens(&record)) }
    }

    /// What a caller sees who asks the first target without a gateway. The test does not wait for silence to end: the simulator
    /// says which fault it is.
    async fn directly(&self, upstream: &Upstream) -> String {
        // A name of its own, for the faults that are counted.
        let model = format!("{}+directly", self.models()[0]);
        let path = if model.starts_with("claude") { "/v1/messages" } else { "/v1/chat/completions" };
        let ask = upstream.asked_directly(path).header("anthropic-version", "2023-06-01").json(self.body(&model));
        let silent = |seen: &Seen| {
            let is_this = seen.json()["model"] == *model && seen.outcome == Outcome::Open;
            is_this && matches!(seen.fault, Some(Fault::Hang | Fault::Stall))
        };
        tokio::select! {
            view = directly(ask) => view,
            _ = upstream.until(|seen| seen.iter().any(silent)) => "silence".to_owned(),
        }
    }
}

/// What the targets of a line are called.
const LETTERS: [&str; 2] = ["a", "b"];

async fn directly(ask: Ask) -> String {
    match ask.try_open().await {
        Ok(stream) => without_code(&view(&stream.rest().await)),
        Err(_) => "reset".to_owned(),
    }
}

/// An answer as its caller sees it.
fn view(answer: &Answer) -> String {
    if answer.status() != 200 {
        return refusal(answer);
    }
    let events = answer.events();
    if events.is_empty() {
        let json: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        return match json["choices"][0]["finish_reason"].as_str() {
            _ if answer.ended() == Ended::Broken => "a break".to_owned(),
            None => "no JSON".to_owned(),
            Some("stop") => "whole".to_owned(),
            Some(finish) => finish.to_owned(),
        };
    }
    let choice = |event: &Event, field: &str| event.json()["choices"][0].pointer(field).cloned().unwrap_or_default();
    let said = |event: &&Event| choice(event, "/delta/content").as_str().is_some_and(|said| !said.is_empty());
    let tokens = events.iter().filter(said).count();
    let finish = events.iter().find_map(|event| choice(event, "/finish_reason").as_str().map(str::to_owned));
    let end = match finish.as_deref() {
        // After an error event, a wasm filter breaks the stream unless the provider ends it.
        _ if events.iter().any(|event| !event.json()["error"].is_null()) => "an error",
        _ if answer.ended() == Ended::Broken => "a break",
        _ if events.iter().any(|event| event.data != "[DONE]" && event.json().is_null()) => "nonsense",
        Some("stop") if answer.is_done() => return "whole".to_owned(),
        Some("stop") => return "whole, no [DONE]".to_owned(),
        Some(finish) if answer.is_done() => finish,
        _ => "a clean end",
    };
    format!("{tokens} tokens, {end}")
}

/// An error in place of an answer.
fn refusal(answer: &Answer) -> String {
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    let mut view = format!("{} {code}", answer.status());
    view.push_str(match answer.header("x-should-retry") {
        "true" => ", again",
        "" if matches!(answer.status(), 408 | 409 | 429 | 500..) => ", again",
        _ => ", final",
    });
    if !answer.header("retry-after").is_empty() {
        view.extend([" in ", answer.header("retry-after"), " s"]);
    }
    view
}

/// A view without the error's code, which is the provider's own.
fn without_code(view: &str) -> String {
    match view.split_once(' ') {
        Some((status, rest)) if status.parse::<u16>().is_ok_and(|status| status >= 400) => {
            let (_, again) = rest.split_once(", ").unwrap_or_default();
            format!("{status}, {again}")
        }
        _ => view.to_owned(),
    }
}

/// The outcome that the record must have if its caller sees this: the code of an error, otherwise the outcome of the last try.
fn outcome<'r>(view: &'r str, record: &'r Record) -> &'r str {
    let code = view.split_once(", ").and_then(|(error, _)| error.split_once(' ')).map(|(_, code)| code);
    let tries = record["tries"].as_array().and_then(|tries| tries.last()).map(|last| &last["outcome"]);
    match code {
        Some(code) if code != "tokens" => code,
        _ if view.ends_with("an error") || view.ends_with("a break") => "stream_incomplete",
        _ => tries.and_then(Value::as_str).unwrap_or_default(),
    }
}

fn tokens(record: &Record) -> String {
    let tokens = &record["tokens"];
    let about = if tokens["estimated"] == true { "~" } else { "" };
    // A stream that breaks off has not said how long the request was.
    let input = tokens["input"].as_u64().map_or("?".to_owned(), |input| input.to_string());
    format!("{about}{input}+{}", tokens["output"])
}

/// What a view is worth to its caller: the higher, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It never ends, or looks whole and is not.
    Harm,
    /// It is seen to have failed.
    Failure,
    /// It is seen to have failed before anything came, and asking again can help.
    Again,
    /// It is what the model had to say.
    Answer,
}

impl Worth {
    fn of(view: &str) -> Self {
        match view {
            "silence" => Self::Harm,
            "reset" => Self::Again,
            _ if view.ends_with("a clean end") => Self::Harm,
            _ if view.starts_with("whole") || view.ends_with("content_filter") => Self::Answer,
            _ if view.contains(", again") => Self::Again,
            _ => Self::Failure,
        }
    }
}

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let claude = Provider::from(&upstream).called("claude").speaking("anthropic");
        let alone = Provider::from(&upstream).called("alone");
        let mut builder = Gateway::with(&upstream).and(claude).and(alone);
        for row in Row::all() {
            builder = builder.model(&row.model(), row.configured().iter().map(String::as_str));
            if TIMED.iter().any(|class| row.class.starts_with(class)) {
                builder = builder.within(json!({ "first_token": "2s", "gap": "2s", "whole": "2s" }));
            }
        }
        let gateway = builder
            .model("limited+short", ["sim/fault-429-retry-1+times-1+short"])
            .model("limited+longer", ["sim/fault-429-retry-3+times-1+longer"])
            .model("flapping", ["sim/fault-flap-2+flapping", "sim/gpt-4o+flapping"])
            .model("flapping in a stream", ["sim/fault-flap-2+stream", "sim/gpt-4o+stream"])
            .model("counted", ["sim/fault-flap-3+counted", "sim/gpt-4o+counted"])
            .model(
                "counted too",
                ["sim/fault-error-event+counted", "sim/fault-cut-before+counted", "sim/gpt-4o+counted"],
            )
            .start()
            .await;
        Shared { upstream, gateway }
    };
    SHARED.get_or_init(start).await
}

#[tokio::test]
async fn each_class_ends_as_the_table_says_and_none_worse_than_without_a_gateway() {
    let shared = shared().await;
    let looks = Row::all().into_iter().map(|row| async move {
        let found = row.look(shared).await;
        let worse = Worth::of(&found.caller) < Worth::of(&found.directly);
        let line = |Sides { directly, caller, log, record }: &Sides| {
            let how = if row.streamed { "streamed" } else { "whole" };
            format!("{} | {how} | {directly} | {caller} | {log} | {record}", row.targets.join(", "))
        };
        let note = if worse { " (worse than directly)" } else { "" };
        let (expected, got) = (line(&row.expected), line(&found));
        // A connection that was open before is asked once more; whether there is one depends on the other rows.
        let twice = |of: &str| [of, ", ", of].concat();
        let kept = row.class.starts_with("A reset before the headers")
            && found.log == row.expected.log.replace("a -", &twice("a -"))
            && found.record == row.expected.record.replace("a reset", &twice("a reset"));
        (worse || found != row.expected && !kept).then(|| format!("{}\n  {expected}\nis{note}\n  {got}", row.class))
    });
    let wrong: Vec<String> = join_all(looks).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The requests for a model whose name ends in this, as the provider saw them.
fn asked(upstream: &Upstream, ending: &str) -> Vec<Seen> {
    let mut seen = upstream.requests();
    seen.retain(|seen| seen.json()["model"].as_str().is_some_and(|model| model.ends_with(ending)));
    seen
}

/// A target that asked for a pause gets no request until the pause ends, however many callers come.
#[tokio::test]
async fn a_retry_after_is_heeded_to_the_end_and_no_longer() {
    let Shared { upstream, gateway } = shared().await;
    for (seconds, ending) in [(1, "+short"), (3, "+longer")] {
        let answer = loop {
            let answer = gateway.chat(&format!("limited{ending}"), "Hi").await;
            if answer.status() == 200 {
                break answer;
            }
            assert!(refusal(&answer).starts_with("429 rate_limited, again in "), "{}", answer.text());
        };
        assert_eq!(view(&answer), "whole");
        let asked = asked(upstream, ending);
        let [limited, answered] = &asked[..] else { panic!("asked {} times", asked.len()) };
        assert_eq!((limited.status, answered.status), (Some(429), Some(200)));
        assert!(answered.at >= limited.at + Duration::from_secs(seconds), "asked again too early");
    }
}

/// A primary that fails every second time: every caller gets the whole answer, and the primary goes on being asked.
#[tokio::test]
async fn a_flapping_primary_costs_no_answer() {
    let Shared { upstream, gateway } = shared().await;
    for (model, ending) in [("flapping", "+flapping"), ("flapping in a stream", "+stream")] {
        for round in 1..=6 {
            let ask = gateway.chat(model, "Hi");
            let answer = if ending == "+stream" { ask.streamed().await } else { ask.await };
            assert_eq!(view(&answer), "whole", "{model}, round {round}");
            let (primary, fallback) = (format!("sim/fault-flap-2{ending}"), format!("sim/gpt-4o{ending}"));
            let expected = match round % 2 {
                1 => vec![format!("{primary} ok")],
                _ => vec![format!("{primary} unavailable"), format!("{fallback} ok")],
            };
            assert_eq!(gateway.record(answer.id()).await.tries(), expected, "{model}, round {round}");
        }
        assert_eq!(asked(upstream, ending).len(), 6 + 3, "{model}");
    }
}

/// Every try in a record is a request in the provider's log, and every token is one that the provider counted.
#[tokio::test]
async fn the_records_add_up_to_what_the_provider_served() {
    let Shared { upstream, gateway } = shared().await;
    let asks = (0..24).map(|number| {
        let ask = gateway.chat(["counted", "counted too"][number % 2], "Hi");
        if number % 3 == 0 { ask.streamed() } else { ask }
    });
    let mut tried = 0;
    for answer in join_all(asks.map(IntoFuture::into_future)).await {
        let record = gateway.record(answer.id()).await;
        assert_eq!((view(&answer).as_str(), &record["outcome"]), ("whole", &json!("ok")), "{}", *record);
        assert_eq!(tokens(&record), "7+9", "{}", *record);
        tried += record.tries().len();
    }
    assert_eq!(tried, asked(upstream, "+counted").len());
}
