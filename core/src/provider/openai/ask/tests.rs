use alloc::format;
use alloc::string::{String, ToString};
use std::path::Path;
use std::{fs, vec};

use weir_hub::call::Call;
use weir_hub::codec::json::scan;
use weir_hub::dialect;
use weir_hub::endpoint::{Asked, Endpoint, UsageChunk};

use super::*;
use crate::exchange::trial::{self, chat};
use crate::provider::Notes;
use crate::provider::openai::OpenAi;
use crate::upstream::{Quirks, Upstream};

/// A body in a caller's dialect, written through the hub.
fn through(body: &str, model: &str, quirks: &Quirks, delivery: Delivery) -> Result<(String, Notes), Reject> {
    let scan = scan(body.as_bytes())?;
    let (endpoint, usage, body) = (Endpoint::Chat, UsageChunk::Unwanted, body.as_bytes());
    let call = Call { asked: Asked { endpoint, delivery, usage }, model: "asked", betas: "", body, scan: &scan };
    let upstream = Upstream { dialect: "openai".into(), quirks: quirks.clone(), ..Upstream::default() };
    let mut to = To::new(&OpenAi, &upstream, model, &call);
    let chat = dialect::of(endpoint).unwrap().read(&call)?;
    let body = write(&chat, &PLAIN, &mut to);
    let body = to.refuse_unsupported(body)?;
    Ok((String::from_utf8(body).unwrap(), to.notes))
}

fn asked(messages: &str) -> String {
    through(&format!("{{\"messages\":[{messages}]}}"), "m", &Quirks::default(), Delivery::Whole).unwrap().0
}

fn with(member: &str) -> Result<String, Reject> {
    through(&chat(member), "m", &Quirks::default(), Delivery::Whole).map(|(body, _)| body)
}

/// Callers of other dialects set sampling fields without thinking of models that reason, and OpenAI refuses them for
/// such models.
#[test]
fn what_a_model_that_reasons_does_not_take_is_refused_by_name() {
    let asked =
        |member: &str, model| through(&chat(member), model, &Quirks::default(), Delivery::Whole).map(|(body, _)| body);
    let check = |member: &str, field: &str| {
        for (model, refuses) in [("gpt-5-mini", true), ("gpt-4o", false)] {
            let param = asked(member, model).err().and_then(|reject| reject.problem().param);
            assert_eq!(param.as_deref(), refuses.then_some(field), "{member} {model}");
        }
    };
    check(r#""temperature":0.2"#, "temperature");
    check(r#""top_p":0.9"#, "top_p");
    check(r#""logprobs":true,"top_logprobs":2"#, "logprobs");
    check(r#""presence_penalty":0.5"#, "presence_penalty");
    check(r#""stop":"END""#, "stop");
    assert_eq!(asked(r#""temperature":1.0,"top_p":1"#, "gpt-5-mini"), asked(r#""n":1"#, "gpt-5-mini"));
}

/// Chat completions refused every request of an agent that has tools and asks for an effort. The header names what is
/// left out.
#[test]
fn newer_models_do_not_reason_beside_tools() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let check = |member: &str, effort: Option<&str>, dropped: &[&str]| {
        let (body, notes) = through(&chat(member), "gpt-5.6-luna", &Quirks::default(), Delivery::Whole).unwrap();
        let effort = effort.map(|effort| format!(r#""reasoning_effort":"{effort}""#));
        assert_eq!(body.contains("reasoning_effort"), effort.is_some(), "{member}: {body}");
        assert!(effort.is_none_or(|effort| body.contains(&effort)), "{member}: {body}");
        assert_eq!(notes.dropped, dropped, "{member}");
    };
    check(r#""reasoning_effort":"high""#, Some("high"), &[]);
    check(&format!(r#""reasoning_effort":"high",{tools}"#), Some("none"), &["reasoning_effort"]);
    check(&format!(r#""reasoning_effort":"none",{tools}"#), Some("none"), &[]);
    check(tools, Some("none"), &["reasoning_effort"]);
}

/// Gemini's callers send text files inline, and OpenAI's chat completions accept only PDFs as files.
#[test]
fn a_file_that_is_text_is_said() {
    let file = |kind: &str| {
        let file = format!(r#"{{"filename":"n","file_data":"data:{kind};base64,YSxi"}}"#);
        asked(&format!(r#"{{"role":"user","content":[{{"type":"file","file":{file}}},{{"type":"text","text":"c"}}]}}"#))
    };
    assert!(file("text/csv").contains(r#"[{"type":"text","text":"n:\na,b"},{"type":"text","text":"c"}]"#));
    assert!(file("application/pdf").contains(r#""file_data":"data:application/pdf;base64,YSxi""#));
}

/// The Responses API accepts items in any order, and agents insert what the user says meanwhile.
#[test]
fn results_come_before_what_a_person_says_in_between() {
    let body = asked(
        r#"{"role":"user","content":"x"},{"role":"assistant","tool_calls":[
            {"id":"a","type":"function","function":{"name":"f","arguments":"{}"}},
            {"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"a","content":"1"},{"role":"user","content":"hm"},
            {"role":"tool","tool_call_id":"b","content":"2"}"#,
    );
    let end = r#"{"role":"tool","tool_call_id":"a","content":"1"},{"role":"tool","tool_call_id":"b","content":"2"},{"role":"user","content":"hm"}]}"#;
    assert!(body.ends_with(end), "{body}");
}

/// Accepts everything that any host accepts.
fn generous() -> Quirks {
    let takes = ["top_k", "unknown_field", "thinking", "reasoning_format", "grammar"].map(ToString::to_string).to_vec();
    Quirks { takes, cache_marks: true, reasoning: Some(ReasoningField::ReasoningDetails), ..Quirks::default() }
}

#[test]
fn what_is_written_reads_as_the_same_chat() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    let mut count = 0;
    for provider in ["openai", "anthropic"] {
        for case in fs::read_dir(root.join(provider)).unwrap() {
            let folder = case.unwrap().path();
            let meta = fs::read_to_string(folder.join("meta.json")).unwrap();
            let body = fs::read_to_string(folder.join("1-caller.json")).unwrap();
            // Images in tool results are moved, by a rule of their own.
            if meta.contains("\"endpoint\"") || folder.ends_with("tool-results") {
                continue;
            }
            let read = |body: &str| {
                let scan = scan(body.as_bytes()).unwrap();
                let (endpoint, delivery, usage) = (Endpoint::Chat, Delivery::Whole, UsageChunk::Unwanted);
                let call = Call {
                    asked: Asked { endpoint, delivery, usage },
                    model: "",
                    betas: "",
                    body: body.as_bytes(),
                    scan: &scan,
                };
                let mut chat = dialect::of(endpoint).unwrap().read(&call).unwrap();
                // How closely to look at an image is not sent, and is noted.
                chat.hints.clear();
                // Neither is a schema that OpenAI cannot be held to.
                chat.tools.iter_mut().for_each(|tool| tool.strict = None);
                if let Format::Schema { strict, .. } = &mut chat.format {
                    *strict = None;
                }
                format!("{chat:#?}")
            };
            let (written, _) = through(&body, "m", &generous(), Delivery::Whole).unwrap();
            let same = read(&written).replace("\\n", "\n") == read(&body).replace("\\n", "\n");
            assert!(same, "{}\n{body}\n{written}", folder.display());
            count += 1;
        }
    }
    assert!(count > 60, "{count} cases");
}

#[test]
fn only_what_can_be_strict_is() {
    let asked = |schema: &str, endpoint: Endpoint, member: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"max_tokens":9,{member}}}"#);
        let upstream = Upstream { dialect: "openai".into(), ..Upstream::default() };
        let ask =
            crate::exchange::trial::sent(&upstream, endpoint, Delivery::Whole, &body.replace('@', schema), "gpt-4o");
        let (notes, body) = ask.map(|ask| (ask.notes.clone(), crate::exchange::trial::written(ask))).unwrap();
        (body.contains(r#""strict":true"#), notes.dropped)
    };
    let tool = r#""tools":[{"name":"f","strict":true,"input_schema":@}]"#;
    let format = r#""output_config":{"format":{"type":"json_schema","schema":@}}"#;
    let schema = |required: &str| {
        let properties = r#"{"a":{"type":"string"},"b":{"type":"string"}}"#;
        format!(r#"{{"type":"object","properties":{properties},"required":[{required}],"additionalProperties":false}}"#)
    };
    for (member, field) in [(tool, "tools.0.strict"), (format, "output_config.format")] {
        assert_eq!(asked(&schema(r#""a","b""#), Endpoint::Messages, member), (true, vec![]));
        let (strict, dropped) = asked(&schema(r#""a""#), Endpoint::Messages, member);
        assert!(!strict && dropped.len() == 1 && dropped[0].starts_with(field), "{dropped:?}");
    }
}

#[test]
fn results_come_first_and_hold_text_alone() {
    let image = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#;
    let body = format!(
        r#"{{"messages":[{{"role":"tool","tool_call_id":"c1","content":[{{"type":"text","text":"one"}},{image}]}},
            {{"role":"tool","tool_call_id":"c2","content":"two"}},{{"role":"user","content":"Well?"}}]}}"#
    );
    let (body, notes) = through(&body, "m", &Quirks::default(), Delivery::Whole).unwrap();
    let expect = [
        r#"{"role":"tool","tool_call_id":"c1","content":"one"},{"role":"tool","tool_call_id":"c2","content":"two"},"#,
        r#"{"role":"user","content":[{"type":"text","text":"Result of the tool call c1, besides its text:"},"#,
        image,
        r#"]},{"role":"user","content":"Well?"}]"#,
    ]
    .concat();
    assert!(body.contains(&expect), "{body}");
    assert_eq!(notes.emulated, vec!["messages[0].content".to_string()]);
}

#[test]
fn a_stream_tells_its_usage_if_the_host_can_be_asked() {
    let body = r#"{"messages":[{"role":"user","content":"a"}]}"#;
    let written = |quirks| through(body, "m", &quirks, Delivery::Streamed).unwrap().0;
    assert!(written(Quirks::default()).ends_with(r#","stream":true,"stream_options":{"include_usage":true}}"#));
    let unasked = Quirks { stream_usage: StreamUsage::Unasked, ..Quirks::default() };
    assert!(written(unasked).ends_with(r#"}],"stream":true}"#));
}

#[test]
fn a_host_has_other_names_and_lacks_some() {
    let body = r#"{"messages":[{"role":"user","content":"a"}],"max_tokens":5,"seed":1,"metadata":{"a":"b"}}"#;
    let renamed = [("max_completion_tokens".to_string(), "max_tokens".to_string())].into_iter().collect();
    let quirks = Quirks { renamed, unsupported: vec!["seed".into()], ..Quirks::default() };
    let refused = through(body, "m", &quirks, Delivery::Whole).unwrap_err().problem();
    assert_eq!((refused.code.as_str(), refused.param.as_deref()), ("unsupported_parameter", Some("seed")));
    let (body, _) = through(&body.replace("\"seed\":1,", ""), "m", &quirks, Delivery::Whole).unwrap();
    assert!(body.ends_with(r#","max_tokens":5,"metadata":{"a":"b"}}"#), "{body}");
}

#[test]
fn what_cannot_be_expressed_is_refused_by_name() {
    let check = |member: &str, field: &str| {
        let problem = with(member).unwrap_err().problem();
        assert_eq!((problem.code.as_str(), problem.param.as_deref()), ("unsupported_parameter", Some(field)));
    };
    check(r#""top_k":5"#, "top_k");
    check(r#""brand_new":1"#, "brand_new");
    assert_eq!(with(r#""tool_choice":"required""#).unwrap_err().problem().param.as_deref(), Some("tool_choice"));
    assert_eq!(with(r#""tool_choice":"auto""#), with(r#""parallel_tool_calls":true"#));
    assert!(with(r#""store":true,"verbosity":"low""#).unwrap().ends_with(r#","store":true,"verbosity":"low"}"#));
}

#[test]
fn reasoning_goes_back_only_to_those_who_take_it() {
    let messages = r#"{"role":"assistant","content":"b","reasoning_details":[
        {"type":"reasoning.text","text":"t","signature":"s","index":0},{"type":"reasoning.encrypted","data":"gemini~x","index":1}]}"#;
    assert!(asked(messages).ends_with(r#""messages":[{"role":"assistant","content":"b"}]}"#));
    let body = format!("{{\"messages\":[{messages}]}}");
    let check = |field, expect: &str| {
        let quirks = Quirks { reasoning: Some(field), ..Quirks::default() };
        let (body, _) = through(&body, "m", &quirks, Delivery::Whole).unwrap();
        assert!(body.contains(&format!("\"content\":\"b\",{expect}}}")), "{body}");
    };
    check(ReasoningField::ReasoningContent, r#""reasoning_content":"t""#);
    check(ReasoningField::Reasoning, r#""reasoning":"t""#);
    check(
        ReasoningField::ReasoningDetails,
        concat!(
            r#""reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0},"#,
            r#"{"type":"reasoning.encrypted","data":"x","format":"google-gemini-v1","index":1}]"#
        ),
    );
}

#[test]
fn an_effort_is_what_the_model_understands() {
    let effort = |level: &str, model: &str| {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"a"}}],"reasoning_effort":"{level}"}}"#);
        through(&body, model, &Quirks::default(), Delivery::Whole)
    };
    assert!(effort("xhigh", "gpt-5.1").unwrap().0.ends_with(r#""reasoning_effort":"high"}"#));
    assert!(!effort("none", "gpt-4o").unwrap().0.contains("effort"));
    assert_eq!(effort("low", "gpt-4o").unwrap_err().problem().param.as_deref(), Some("reasoning_effort"));
    let (body, notes) = effort("none", "o3").unwrap();
    assert!(body.ends_with(r#""reasoning_effort":"low"}"#));
    assert_eq!(notes.emulated, vec!["reasoning_effort".to_string()]);
}

/// <https://platform.openai.com/docs/api-reference/chat/create#chat-create-stop>
#[test]
fn no_more_than_four_sequences_stop_an_answer_of_openais_own() {
    let body = r#"{"max_tokens":9,"messages":[{"role":"user","content":"a"}],"stop_sequences":["a","b","c","d","e"]}"#;
    let sent = |upstream: &Upstream, model: &str| {
        let ask = trial::sent(upstream, Endpoint::Messages, Delivery::Whole, body, model)?;
        let notes = ask.notes.dropped.clone();
        Ok::<_, Reject>((trial::written(ask), notes))
    };
    let five = r#""stop":["a","b","c","d","e"]"#;
    for (provider, model) in [("openai", "gpt-4o"), ("openai", "gpt-5.2"), ("openai", "o3-mini"), ("azure", "my-own")] {
        let strict = trial::upstream(provider);
        let problem = sent(&strict, model).unwrap_err().problem();
        assert_eq!(problem.param.as_deref(), Some("stop_sequences"), "{provider} {model}");
        assert!(problem.message.contains('4'), "{}", problem.message);
        let lenient = Upstream { drop_unsupported: true, ..strict };
        let (written, dropped) = sent(&lenient, model).unwrap();
        assert!(written.contains(r#""stop":["a","b","c","d"]"#), "{provider} {model}: {written}");
        assert_eq!(dropped, ["stop_sequences"]);
    }
    for model in ["gpt-oss-20b", "deepseek-chat"] {
        assert!(sent(&trial::upstream("openai"), model).unwrap().0.contains(five), "{model}");
    }
    assert!(sent(&trial::upstream("mistral"), "mistral-large-latest").unwrap().0.contains(five));
}
