//! Removes other models' reasoning from a relayed conversation that went on elsewhere for a while. That reasoning has a
//! wrapping that only Weir knows.

use alloc::vec::Vec;

use memchr::memmem;
use weir_hub::call::Call;
use weir_hub::codec::json::write::{array, object};
use weir_hub::codec::json::{Edit, Kind, Raw, patch};
use weir_hub::dialect::gemini::{WRAPPED, is_wrapped};

use crate::provider::{Body, To};

/// The caller's request without other models' thoughts.
pub(in crate::provider) fn own(call: &Call<'_>, to: &mut To<'_>) -> Body {
    let Some(contents) = call.scan.raw(call.body, "contents") else { return Body::AsIs };
    // Most conversations have no such wrapping and need not be read.
    if memmem::find(call.body, WRAPPED.as_bytes()).is_none()
        || !contents.items().any(|content| parts(content).any(is_anothers))
    {
        return Body::AsIs;
    }
    to.leaves_thoughts();
    let mut out = Vec::with_capacity(contents.text().len());
    let said = contents.items().filter(|content| parts(*content).count() == 0 || !parts(*content).all(is_anothers));
    array(&mut out, said, |out, content| {
        if !parts(content).any(is_anothers) {
            out.extend_from_slice(content.text().as_bytes());
            return;
        }
        object(out, |to| {
            for (name, value) in content.members() {
                if name == "parts" {
                    let own = parts(content).filter(|part| !is_anothers(*part));
                    to.array("parts", own, |out, part| out.extend_from_slice(part.text().as_bytes()));
                } else {
                    to.raw(&name, value.text());
                }
            }
        });
    });
    Body::Replaced(patch(call.body, call.scan, &[("contents", Edit::Set(&out))]))
}

fn parts(content: Raw<'_>) -> impl Iterator<Item = Raw<'_>> {
    let parts = content.get("parts").unwrap_or(Raw::NULL);
    let alone = (parts.kind() == Kind::Object).then_some(parts);
    alone.into_iter().chain(parts.items())
}

fn is_anothers(part: Raw<'_>) -> bool {
    let signature = part.get("thoughtSignature").or_else(|| part.get("thought_signature"));
    signature.and_then(Raw::string).is_some_and(|signature| is_wrapped(&signature))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use weir_hub::codec::json::scan;
    use weir_hub::endpoint::{Asked, Delivery, Endpoint, UsageChunk};

    use super::*;
    use crate::exchange::trial::upstream;
    use crate::provider::gemini::Gemini;

    #[test]
    fn only_what_other_models_thought_is_left_out() {
        let check = |contents: &str, expect: Option<&str>| {
            let body = format!(r#"{{"contents":{contents}}}"#);
            let scan = scan(body.as_bytes()).unwrap();
            let (endpoint, delivery) = (Endpoint::GenerateContent, Delivery::Whole);
            let (usage, body) = (UsageChunk::Unwanted, body.as_bytes());
            let call = Call { asked: Asked { endpoint, delivery, usage }, model: "m", betas: "", body, scan: &scan };
            let upstream = upstream("gemini");
            let mut to = To::new(&Gemini, &upstream, "m", &call);
            let left = own(&call, &mut to);
            assert_eq!(to.notes.dropped.len(), usize::from(expect.is_some()));
            let left = match left {
                Body::AsIs => None,
                Body::Replaced(left) => Some(String::from_utf8(left).unwrap()),
            };
            assert_eq!(left, expect.map(|contents| format!(r#"{{"contents":{contents}}}"#)), "{contents}");
        };
        let (hi, own) = (r#"{"parts":[{"text":"weird"}]}"#, r#"{"text":"a","thoughtSignature":"CiQB"}"#);
        // "sEqoB\n" and "sEqoB\nHm."
        let thought = r#"{"text":"","thought":true,"thoughtSignature":"weirc0Vxb0IK"}"#;
        let snake = r#"{"text":"","thought":true,"thought_signature":"weirc0Vxb0IKSG0u"}"#;
        check(&format!("[{hi}]"), None);
        check(&format!(r#"[{hi},{{"role":"model","parts":[{own}]}}]"#), None);
        check(r#"[{"parts":[{"text":"a","thoughtSignature":"weirdo"}]}]"#, None);
        check(
            &format!(r#"[{hi},{{"role":"model","parts":[{thought}, {own}]}},{{"role":"model","parts":[{snake}]}}]"#),
            Some(&format!(r#"[{hi},{{"role":"model","parts":[{own}]}}]"#)),
        );
    }
}
