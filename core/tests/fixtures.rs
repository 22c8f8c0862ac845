//! The corpus is what the providers' code does: every case, both ways. `BLESS=1` writes the files that are derived.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;

use fixture::{Fixture, all};
use serde_json::Value;
use weir_core::exchange;
use weir_hub::dialect;
use weir_hub::endpoint::{Delivery, Endpoint};
use weir_hub::fault::{FaultKind, Whose};

#[test]
fn requests_go_up_as_recorded() {
    for case in all() {
        case.check("2-upstream.json", &case.asked());
    }
}

#[test]
fn answers_come_back_as_recorded() {
    for case in all().into_iter().filter(|case| case.status == 200) {
        let received = case.received([&case.answer[..]]);
        assert_eq!(received.end.as_ref().err().map(|fault| fault.kind.name()), case.fault.as_deref(), "{}", case.name);
        assert_eq!(received.end.is_ok(), received.done, "{}", case.name);
        if received.end.is_ok() {
            assert!(received.begun, "{}", case.name);
        }
        if let Some(counts) = case.counts {
            let used = received.usage;
            assert_eq!([used.input, used.output, used.cached_read, used.reasoning], counts, "{}", case.name);
            assert!(!used.estimated, "{}", case.name);
        }
        if case.endpoint == Endpoint::Responses
            && case.delivery == Delivery::Streamed
            && received.begun
            && !received.done
        {
            // The event that says that the stream broke off has the number after those that the caller has.
            let text = String::from_utf8_lossy(&received.bytes);
            let last = text.rsplit_once("\"sequence_number\":").unwrap().1.split([',', '}']).next().unwrap();
            assert_eq!(received.next_number, last.trim().parse::<u64>().unwrap() + 1, "{}", case.name);
        }
        case.check(extension(&case), &received.bytes);
    }
}

#[test]
fn binary_answers_are_what_is_written_beside_them() {
    for case in all().into_iter().filter(|case| case.folder.join("3-answer.events.jsonl").exists()) {
        case.check("3-answer.bin", &case.answer);
    }
}

#[test]
fn failures_are_read_as_recorded() {
    for case in all().into_iter().filter(|case| case.status != 200) {
        let fault = case.provider.fault(case.status, &case.answer);
        assert_eq!(Some(fault.kind.name()), case.fault.as_deref(), "{}: {fault:?}", case.name);
        assert!(!fault.message.contains("sk-"), "{}: {fault:?}", case.name);
        if fault.kind.whose() == Whose::Caller {
            case.check(
                "4-caller.json",
                &dialect::error(
                    case.endpoint.family(),
                    &exchange::fault_for_caller(&fault, case.provider, &case.upstream, &case.model, case.endpoint),
                ),
            );
        }
    }
}

#[test]
fn every_caller_is_told_of_a_failure_within_a_stream() {
    let streamed = |case: &Fixture| case.endpoint.is_chat() && case.delivery == Delivery::Streamed;
    let mut count = 0;
    for mut case in all().into_iter().filter(|case| case.status == 200 && case.fault.is_some() && streamed(case)) {
        for endpoint in Endpoint::ALL.into_iter().filter(|endpoint| endpoint.is_chat()) {
            // Those that pass as they come are in the dialect of their own callers.
            let passes = case.relays();
            let own = case.endpoint;
            case.endpoint = endpoint;
            if passes || case.relays() {
                case.endpoint = own;
                continue;
            }
            let fault = case.received([&case.answer[..]]).end.unwrap_err();
            case.endpoint = own;
            assert_eq!(Some(fault.kind.name()), case.fault.as_deref(), "{} as {endpoint:?}", case.name);
            let problem = fault.broken_off();
            let event = String::from_utf8(dialect::error_event(endpoint, &problem, 0)).unwrap();
            let data = event.split("data: ").nth(1).unwrap_or_else(|| panic!("{event}")).trim_end();
            let data: Value = serde_json::from_str(data).unwrap();
            let message = if endpoint == Endpoint::Responses { &data["message"] } else { &data["error"]["message"] };
            assert_eq!(message.as_str(), Some(&*problem.message), "{}: {event}", case.name);
            assert!(!fault.message.is_empty(), "{}", case.name);
            count += 1;
        }
    }
    assert!(count > 20, "{count} failures");
}

#[test]
fn every_kind_of_failure_has_a_case() {
    let seen: Vec<_> = all().into_iter().filter_map(|case| case.fault).collect();
    // No answer tells of these two.
    let told = |kind: &FaultKind| !matches!(kind, FaultKind::Unreachable | FaultKind::Reset);
    for kind in FaultKind::ALL.into_iter().filter(told) {
        assert!(seen.iter().any(|seen| seen == kind.name()), "{kind:?}");
    }
}

fn extension(case: &Fixture) -> &'static str {
    match case.extension {
        "bin" if case.endpoint == Endpoint::Speech => "4-caller.bin",
        "sse" | "bin" => "4-caller.sse",
        _ => "4-caller.json",
    }
}
