//! Any body that scans can be asked of every provider or is refused; what goes up is JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_core::codec::json::scan;
use weir_core::config::Upstream;
use weir_core::endpoint::{Delivery, Endpoint, UsageChunk};
use weir_core::provider::{self, ALL, Body, Call};

fuzz_target!(|body: &[u8]| {
    let Ok(found) = scan(body) else { return };
    for provider in ALL {
        for endpoint in Endpoint::ALL {
            let (delivery, usage) = (Delivery::Streamed, UsageChunk::Unwanted);
            let call = Call { endpoint, delivery, usage, model: "m", betas: "", body, scan: &found };
            let upstream = Upstream { dialect: provider.name().into(), ..Upstream::default() };
            let _ = provider::accepts(&call, &upstream, "claude-haiku-4-5");
            if let Ok(ask) = provider::ask(&call, &upstream, "claude-opus-4-6")
                && let Body::Replaced(body) = ask.body
            {
                assert!(scan(&body).is_ok());
            }
        }
    }
});
