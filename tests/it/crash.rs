//! The public crash test of gateways: sixteen ways in which a provider fails, streamed and whole.
//!
//! [`TABLE`] says for each what a caller sees who asks the provider directly, what a caller of the gateway sees, what the
//! provider was asked, and what the record says. Nothing may be worse through the gateway than directly ([`Worth`]).
//! A stream that has begun is not taken up again by another target: it ends with an error or a break, never as if it were whole.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use weir_sim::{Fault, Outcome, Seen};
use weir_tests::{Answer, Ask, Ended, Event, Gateway, Provider, Record, Upstream};

use crate::Shared;

/// The classes, a line for each way to meet one.
///
/// - `targets`: models of the simulator, best first, called `a` and `b` in what follows; their names say how they fail
///   (`docs/simulator.md`).
/// - `limit`: `first_token`, `gap` and `whole` of the model, where time decides.
/// - `how`: the delivery.
/// - `directly`: what the first target answers to a caller who asks it without a gateway.
/// - `caller`: what the caller of the gateway sees. Both as [`view`] writes it: `again` and `final` say whether an official
///   SDK would repeat the request.
/// - `provider's log`: who was asked, and the status of the answer; `-` where none was given.
/// - `record`: outcome, tries, and tokens (input + output; `~` where they are estimated).
const TABLE: &str = "
class              | targets                                  | limit | how      | directly                | caller                            | provider's log | record
as it should be                 | gpt-4o                                                |       | whole    | | | | 
as it should be                 | gpt-4o                                                |       | streamed | | | | 
429, short Retry-After          | fault-429-retry-1+times-1                             |       | whole    | | | | 
429, short Retry-After          | fault-429-retry-1+times-1                             |       | streamed | | | | 
429, short Retry-After          | fault-429-retry-1+times-1, gpt-4o                     |       | whole    | | | | 
429, short Retry-After          | fault-429-retry-1+times-1, gpt-4o                     |       | streamed | | | | 
429 for ever                    | fault-429-retry-1                                     |       | whole    | | | | 
429 for ever                    | fault-429-retry-1                                     |       | streamed | | | | 
429 for ever                    | fault-429-retry-1, gpt-4o                             |       | whole    | | | | 
429 for ever                    | fault-429-retry-1, gpt-4o                             |       | streamed | | | | 
429 for ever, both              | fault-429-retry-7, fault-429-retry-2                  |       | whole    | | | | 
429 for ever, both              | fault-429-retry-7, fault-429-retry-2                  |       | streamed | | | | 
500 once                        | fault-500+times-1                                     |       | whole    | | | | 
500 once                        | fault-500+times-1                                     |       | streamed | | | | 
500 once                        | fault-500+times-1, gpt-4o                             |       | whole    | | | | 
500 once                        | fault-500+times-1, gpt-4o                             |       | streamed | | | | 
503 for ever                    | fault-503                                             |       | whole    | | | | 
503 for ever                    | fault-503                                             |       | streamed | | | | 
503 for ever                    | fault-503, gpt-4o                                     |       | whole    | | | | 
503 for ever                    | fault-503, gpt-4o                                     |       | streamed | | | | 
503 for ever, both              | fault-503, fault-503+b                                |       | whole    | | | | 
503 for ever, both              | fault-503, fault-503+b                                |       | streamed | | | | 
reset once                      | fault-reset+times-1                                   |       | whole    | | | | 
reset once                      | fault-reset+times-1                                   |       | streamed | | | | 
reset for ever                  | fault-reset                                           |       | whole    | | | | 
reset for ever                  | fault-reset                                           |       | streamed | | | | 
reset for ever                  | fault-reset, gpt-4o                                   |       | whole    | | | | 
reset for ever                  | fault-reset, gpt-4o                                   |       | streamed | | | | 
silence                         | fault-hang                                            | 1s    | whole    | | | | 
silence                         | fault-hang                                            | 1s    | streamed | | | | 
silence                         | fault-hang, gpt-4o                                    | 1s    | whole    | | | | 
silence                         | fault-hang, gpt-4o                                    | 1s    | streamed | | | | 
first token late                | gpt-4o+first-300ms                                    | 1s    | whole    | | | | 
first token late                | gpt-4o+first-300ms                                    | 1s    | streamed | | | | 
first token late                | fault-slow-first-token-2000, gpt-4o                   | 1s    | whole    | | | | 
first token late                | fault-slow-first-token-2000, gpt-4o                   | 1s    | streamed | | | | 
cut after 40 tokens             | fault-cut+after-40+tokens-60                          |       | whole    | | | | 
cut after 40 tokens             | fault-cut+after-40+tokens-60                          |       | streamed | | | | 
cut after 40 tokens             | fault-cut+after-40+tokens-60, gpt-4o                  |       | whole    | | | | 
cut after 40 tokens             | fault-cut+after-40+tokens-60, gpt-4o                  |       | streamed | | | | 
reset after 40 tokens           | fault-break+after-40+tokens-60                        |       | whole    | | | | 
reset after 40 tokens           | fault-break+after-40+tokens-60                        |       | streamed | | | | 
reset after 40 tokens           | fault-break+after-40+tokens-60, gpt-4o                |       | whole    | | | | 
reset after 40 tokens           | fault-break+after-40+tokens-60, gpt-4o                |       | streamed | | | | 
stall after 20 tokens           | fault-stall+after-20+tokens-60                        | 1s    | whole    | | | | 
stall after 20 tokens           | fault-stall+after-20+tokens-60                        | 1s    | streamed | | | | 
stall after 20 tokens           | fault-stall+after-20+tokens-60, gpt-4o                | 1s    | whole    | | | | 
stall after 20 tokens           | fault-stall+after-20+tokens-60, gpt-4o                | 1s    | streamed | | | | 
malformed event                 | fault-malformed+after-20+tokens-60                    |       | whole    | | | | 
malformed event                 | fault-malformed+after-20+tokens-60                    |       | streamed | | | | 
malformed event                 | fault-malformed+after-20+tokens-60, gpt-4o            |       | whole    | | | | 
malformed event                 | fault-malformed+after-20+tokens-60, gpt-4o            |       | streamed | | | | 
no [DONE]                       | fault-no-done                                         |       | whole    | | | | 
no [DONE]                       | fault-no-done                                         |       | streamed | | | | 
no [DONE]                       | fault-no-done, gpt-4o                                 |       | whole    | | | | 
no [DONE]                       | fault-no-done, gpt-4o                                 |       | streamed | | | | 
context length                  | fault-context-length                                  |       | whole    | | | | 
context length                  | fault-context-length                                  |       | streamed | | | | 
context length                  | fault-context-length, gpt-4o                          |       | whole    | | | | 
context length                  | fault-context-length, gpt-4o                          |       | streamed | | | | 
content filter                  | fault-content-filter                                  |       | whole    | | | | 
content filter                  | fault-content-filter                                  |       | streamed | | | | 
content filter                  | fault-content-filter, gpt-4o                          |       | whole    | | | | 
content filter                  | fault-content-filter, gpt-4o                          |       | streamed | | | | 
content filter, at the end      | fault-finish-content-filter                           |       | whole    | | | | 
content filter, at the end      | fault-finish-content-filter                           |       | streamed | | | | 
prefill refused                 | claude:claude-sonnet-4-5+no-prefill                   |       | whole    | | | | 
prefill refused                 | claude:claude-sonnet-4-5+no-prefill                   |       | streamed | | | | 
prefill refused by the fallback | fault-503, claude:claude-sonnet-4-5+no-prefill        |       | whole    | | | | 
prefill refused by the fallback | fault-503, claude:claude-sonnet-4-5+no-prefill        |       | streamed | | | | 
prefill taken by the fallback   | fault-503, claude:claude-sonnet-4-5                   |       | whole    | | | | 
prefill taken by the fallback   | fault-503, claude:claude-sonnet-4-5                   |       | streamed | | | | 
";

/// One line of the table.
struct Row {
    number: usize,
    class: &'static str,
    targets: Vec<&'static str>,
    limit: &'static str,
    streamed: bool,
    expected: Seen4,
}

/// What is seen of one request, from four sides.
#[derive(Debug, PartialEq, Eq)]
struct Seen4 {
    directly: String,
    caller: String,
    log: String,
    record: String,
}

impl Row {
    fn all() -> Vec<Self> {
        let lines = TABLE.trim().lines().skip(1).enumerate();
        lines.map(|(number, line)| Self::read(number, line)).collect()
    }

    fn read(number: usize, line: &'static str) -> Self {
        let columns: Vec<&'static str> = line.split('|').map(str::trim).collect();
        let [class, targets, limit, how, directly, caller, log, record] = columns[..] else {
            panic!("not eight columns: {line}")
        };
        assert!(["whole", "streamed"].contains(&how), "{line}");
        let expected =
            Seen4 { directly: directly.into(), caller: caller.into(), log: log.into(), record: record.into() };
        Self { number, class, targets: targets.split(", ").collect(), limit, streamed: how == "streamed", expected }
    }

    /// The model that callers ask for.
    fn model(&self) -> String {
        format!("crash-{}", self.number)
    }

    /// The targets' own models. Each line has its own, since a target that rests would rest for other lines too.
    fn models(&self) -> Vec<String> {
        self.targets.iter().map(|target| self.own(target.trim_start_matches("claude:"))).collect()
    }

    fn own(&self, target: &str) -> String {
        format!("{target}+line{}", self.number)
    }

    fn configured(&self) -> Vec<String> {
        let provider = |target: &str| if target.starts_with("claude:") { "claude" } else { "sim" };
        self.targets.iter().zip(self.models()).map(|(target, model)| format!("{}/{model}", provider(target))).collect()
    }

    fn body(&self, model: &str) -> Value {
        let mut messages = json!([{ "role": "user", "content": "Hi" }]);
        if self.class.contains("prefill") {
            messages.as_array_mut().unwrap().push(json!({ "role": "assistant", "content": "You" }));
        }
        let mut body = json!({ "model": model, "messages": messages });
        if self.streamed {
            body["stream"] = json!(true);
            body["stream_options"] = json!({ "include_usage": true });
        }
        body
    }

    /// Asks, and looks from all sides.
    async fn look(&self, Shared { upstream, gateway }: &Shared) -> Seen4 {
        let directly = self.directly(upstream).await;
        let answer = gateway.post("/v1/chat/completions", self.body(&self.model())).await;
        let record = gateway.record(answer.id()).await;
        let models = self.models();
        let letters = |text: String| {
            let named = self.configured().into_iter().zip(["a", "b", "c"]);
            named.fold(text, |text, (target, letter)| text.replace(&target, letter))
        };
        Seen4 {
            directly,
            caller: view(&answer),
            log: log(&upstream.requests(), &models),
            record: letters(recorded(&record)),
        }
    }

    async fn directly(&self, upstream: &Upstream) -> String {
        // A name of its own, for faults that are counted.
        let model = format!("{}+directly", self.models()[0]);
        let ask = upstream.asked_directly("/v1/chat/completions").json(self.body(&model));
        let silent =
            |seen: &Seen| seen.json()["model"] == *model && matches!(seen.fault, Some(Fault::Hang | Fault::Stall));
        tokio::select! {
            answer = ask.try_open() => match answer {
                Err(_) => "reset".to_owned(),
                Ok(stream) => {
                    let silence = upstream.requests().iter().any(silent);
                    if silence { "silence".to_owned() } else { view(&stream.rest().await) }
                }
            },
            _ = upstream.until(|seen| seen.iter().any(silent)) => "silence".to_owned(),
        }
    }
}

/// What an answer is to its caller.
fn view(answer: &Answer) -> String {
    if answer.status() != 200 {
        let error = &answer.json()["error"];
        let code = error["code"].as_str().or(error["type"].as_str()).unwrap_or_default().to_owned();
        let again = match answer.header("x-should-retry") {
            "true" => true,
            "false" => false,
            _ => matches!(answer.status(), 408 | 409 | 429 | 500..),
        };
        let wait = match answer.header("retry-after") {
            "" => String::new(),
            wait => format!(" in {wait} s"),
        };
        return format!("{} {code}, {}{wait}", answer.status(), if again { "again" } else { "final" });
    }
    let events = answer.events();
    if events.is_empty() {
        let Ok(json) = serde_json::from_slice::<Value>(answer.body()) else { return "cut".to_owned() };
        return match json["choices"][0]["finish_reason"].as_str() {
            _ if answer.ended() == Ended::Broken => "cut".to_owned(),
            Some("stop") => "whole".to_owned(),
            other => format!("{}", other.unwrap_or("no finish")),
        };
    }
    let content =
        |event: &Event| event.json()["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned();
    let tokens = events.iter().filter(|event| !content(event).is_empty()).count();
    let finish =
        events.iter().find_map(|event| event.json()["choices"][0]["finish_reason"].as_str().map(str::to_owned));
    let nonsense = events.iter().any(|event| event.data != "[DONE]" && event.json().is_null());
    let error = events.iter().any(|event| !event.json()["error"].is_null());
    let end = match finish.as_deref() {
        _ if answer.ended() == Ended::Broken => "a break",
        _ if error => "an error",
        _ if nonsense => "nonsense",
        Some("stop") if answer.is_done() => return "whole".to_owned(),
        Some("stop") => return "whole, no [DONE]".to_owned(),
        Some(finish) if answer.is_done() => finish,
        _ => "a clean end",
    };
    format!("{tokens} tokens, {end}")
}

/// Who was asked, and what each answered, in the order of arrival.
fn log(seen: &[Seen], models: &[String]) -> String {
    let entry = |seen: &Seen| {
        let asked = seen.json();
        let place = models.iter().position(|model| asked["model"] == **model)?;
        let status = seen.status.map_or("-".to_owned(), |status| status.to_string());
        Some(format!("{} {status}", ["a", "b", "c"][place]))
    };
    seen.iter().filter_map(entry).collect::<Vec<_>>().join(", ")
}

fn recorded(record: &Record) -> String {
    let tokens = &record["tokens"];
    let about = if tokens["estimated"] == true { "~" } else { "" };
    let tokens = format!("{about}{}+{}", tokens["input"], tokens["output"]);
    format!("{}: {}; {tokens}", record["outcome"].as_str().unwrap_or_default(), record.tries().join(", "))
}

/// What a view is worth to the caller: the higher, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It never ends, or looks whole and is not.
    Harm,
    /// It tells that it failed.
    Failure,
    /// It tells that it failed before anything came, and that asking again can help.
    Again,
    /// It is what the model had to say.
    Answer,
}

fn worth(view: &str) -> Worth {
    match view {
        "whole" | "whole, no [DONE]" => Worth::Answer,
        "reset" => Worth::Again,
        "silence" | "no finish" => Worth::Harm,
        _ if view.ends_with("content_filter") => Worth::Answer,
        _ if view.ends_with("a clean end") => Worth::Harm,
        _ if view.contains(", again") => Worth::Again,
        _ => Worth::Failure,
    }
}

async fn shared() -> &'static Shared {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    let start = || async {
        let upstream = Upstream::sim().await;
        let claude = Provider::from(&upstream).called("claude").speaking("anthropic");
        let mut builder = Gateway::with(&upstream).and(claude);
        for row in Row::all() {
            builder = builder.model(&row.model(), row.configured().iter().map(String::as_str));
            if !row.limit.is_empty() {
                builder = builder.within(json!({ "first_token": row.limit, "gap": row.limit, "whole": row.limit }));
            }
        }
        let gateway = builder.start().await;
        Shared { upstream, gateway }
    };
    SHARED.get_or_init(start).await
}

#[tokio::test]
async fn each_class_ends_as_the_table_says_and_never_worse_than_without_a_gateway() {
    let shared = shared().await;
    let looks = Row::all().into_iter().map(|row| async move {
        let found = row.look(shared).await;
        let worse = worth(&found.caller) < worth(&found.directly);
        let how = if row.streamed { "streamed" } else { "whole" };
        let line = |seen: &Seen4| {
            format!("{} | {how} | {} | {} | {} | {}", row.class, seen.directly, seen.caller, seen.log, seen.record)
        };
        let (wanted, got) = (line(&row.expected), line(&found));
        (found != row.expected || worse)
            .then(|| format!("wanted {wanted}\nfound  {got}{}", if worse { "   WORSE" } else { "" }))
    });
    let wrong: Vec<String> = join_all(looks).await.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
