//! Text completions at a provider that only chats.

use alloc::format;

use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::Reject;

use crate::exchange::trial::{sent, upstream};
use crate::provider::Ask;
use crate::upstream::Upstream;

fn asked(member: &str, drop_unsupported: bool) -> Result<Ask, Reject> {
    let upstream = Upstream { drop_unsupported, ..upstream("anthropic") };
    sent(&upstream, Endpoint::Completions, Delivery::Whole, &format!("{{{member}}}"), "claude-sonnet-4-5")
}

#[test]
fn refusals_name_the_field() {
    let check = |member: &str, field: &str| {
        let Err(reject) = asked(member, false) else { panic!("{member} is accepted") };
        assert_eq!(reject.problem().param.as_deref(), Some(field), "{member}");
    };
    check(r#""user":"u""#, "prompt");
    check(r#""prompt":["a","b"]"#, "prompt");
    check(r#""prompt":[1,2]"#, "prompt");
    check(r#""prompt":[[1],[2]]"#, "prompt");
    check(r#""prompt":[]"#, "prompt");
    check(r#""prompt":" ""#, "prompt");
    let with = |member: &str, field: &str| check(&format!(r#""prompt":"a",{member}"#), field);
    with(r#""suffix":"b""#, "suffix");
    with(r#""suffix":1"#, "suffix");
    with(r#""echo":true"#, "echo");
    with(r#""best_of":3"#, "best_of");
    with(r#""logprobs":0"#, "logprobs");
    with(r#""n":2"#, "n");
    with(r#""max_tokens":0"#, "max_tokens");
    with(r#""guided_regex":"a""#, "guided_regex");
}

#[test]
fn values_that_change_nothing_ask_for_nothing() {
    let member = r#""prompt":["a"],"suffix":"","echo":false,"best_of":1,"n":1,"logprobs":null,"logit_bias":{}"#;
    assert_eq!(asked(member, false).unwrap().notes.emulated, ["prompt"]);
    let notes = asked(r#""prompt":"a","suffix":"b","echo":true"#, true).unwrap().notes;
    assert_eq!(notes.dropped, ["suffix", "echo"]);
}
