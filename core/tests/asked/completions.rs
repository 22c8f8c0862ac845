//! What can be asked for in the words of OpenAI's legacy completions.

use serde_json::json;
use weir_hub::endpoint::Endpoint;

use super::of;
use crate::Feature;

pub(crate) fn completions() -> Vec<Feature> {
    of(
        Endpoint::Completions,
        [
            ("max_tokens", json!({"max_tokens": 2345}), &["2345"][..]),
            ("temperature", json!({"temperature": 0.625}), &["0.625"]),
            ("top_p", json!({"top_p": 0.875}), &["0.875"]),
            ("presence_penalty", json!({"presence_penalty": 0.375}), &["0.375"]),
            ("frequency_penalty", json!({"frequency_penalty": 0.375}), &["0.375"]),
            ("seed", json!({"seed": 4321}), &["4321"]),
            ("logit_bias", json!({"logit_bias": {"54321": -7}}), &["54321"]),
            ("n", json!({"n": 3}), &["\"n\":3", "\"candidateCount\":3"]),
            ("best_of", json!({"best_of": 3}), &["best_of"]),
            ("echo", json!({"echo": true}), &["echo"]),
            ("suffix", json!({"suffix": "suffixZ"}), &["suffixZ"]),
            ("logprobs", json!({"logprobs": 3}), &["logprobs"]),
            ("stop", json!({"stop": "stopZ"}), &["stopZ"]),
            ("user", json!({"user": "userZ"}), &["userZ"]),
            ("unknown_field", json!({"unknown_field": "valueZ"}), &["valueZ"]),
        ],
    )
}
