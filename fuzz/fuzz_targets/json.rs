//! What a scan passes, serde_json reads the same, and the other way around.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use weir_core::codec::json::{Edit, patch, scan};

fuzz_target!(|body: &[u8]| {
    let theirs = serde_json::from_slice::<Value>(body);
    match scan(body) {
        Ok(scan) => {
            let patched = patch(body, &scan, &[("model", Edit::Set(b"1")), ("stream", Edit::Remove)]);
            match theirs {
                Ok(Value::Object(mut members)) => {
                    for (name, value) in scan.members(body) {
                        assert_eq!(serde_json::from_slice::<Value>(value).ok().as_ref(), members.get(&*name));
                    }
                    assert_eq!(scan.members(body).count(), members.len());
                    members.insert("model".into(), 1.into());
                    members.remove("stream");
                    assert_eq!(serde_json::from_slice::<Value>(&patched).unwrap(), Value::Object(members));
                }
                Ok(other) => panic!("passed {other}"),
                Err(error) => assert!(error.to_string().contains("out of range"), "{error}"),
            }
        }
        Err(weir_core::fault::Reject::InvalidJson { .. }) => assert!(theirs.is_err()),
        Err(_) => {}
    }
});
