use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

use super::*;

fn dollars(text: &str) -> Picodollars {
    Picodollars::parse(text).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "as rates have it")]
fn some(text: &str) -> Option<Picodollars> {
    Some(dollars(text))
}

/// Noon of Friday, 2027-01-01.
const NOON: Instant = Instant::from_nanos(1_798_804_800_000_000_000);

fn cost(price: &Price, usage: Usage) -> Picodollars {
    price.cost(&usage, &Billed::default(), NOON).unwrap()
}

fn base(rates: &Rates) -> Price {
    Price { base: *rates, when: Vec::new() }
}

#[test]
fn a_token_costs_a_millionth_of_the_rate() {
    let price = base(&Rates { input: some("0.15"), output: some("0.6"), ..Rates::default() });
    let usage = Usage { input: 1, output: 2, ..Usage::default() };
    assert_eq!(cost(&price, usage), Picodollars::new(150_000 + 2 * 600_000));
}

#[test]
fn parts_of_a_picodollar_add_up_before_they_are_rounded_up() {
    let price = base(&Rates { input: some("0.0000002"), output: some("0.0000003"), ..Rates::default() });
    let of = |input, output| cost(&price, Usage { input, output, ..Usage::default() }).get();
    assert_eq!((of(0, 0), of(1, 0), of(1, 1), of(2, 2), of(3, 2)), (0, 1, 1, 1, 2));
}

#[test]
fn no_token_counts_twice() {
    let all = Rates {
        input: some("1"),
        output: some("10"),
        cached_read: some("0.1"),
        cache_write: some("1.25"),
        cache_write_1h: some("2"),
        reasoning: some("11"),
        audio_input: some("32"),
        audio_output: some("64"),
        ..Rates::default()
    };
    let usage = Usage {
        input: 1_000_000,
        cached_read: 100_000,
        cache_write: 300_000,
        cache_write_1h: 100_000,
        audio_input: 200_000,
        output: 1_000_000,
        reasoning: 500_000,
        audio_output: 250_000,
        estimated: false,
    };
    // 0.4 plain, 0.1 read, 0.2 and 0.1 written, 0.2 audio; 0.25 text, 0.5 reasoning, 0.25 audio.
    assert_eq!(cost(&base(&all), usage), dollars("31.26"));
    let main = Rates { input: some("1"), output: some("10"), ..Rates::default() };
    assert_eq!(cost(&base(&main), usage), dollars("11"), "what has no rate of its own has the main one");
    let written = Rates { cache_write: some("3"), ..main };
    assert_eq!(cost(&base(&written), usage), dollars("11.6"), "for an hour as for five minutes");
}

#[test]
fn pieces_and_seconds_cost() {
    let rates = Rates { image: some("0.04"), request: some("0.005"), second: some("0.001"), ..Rates::default() };
    let billed = Billed { requests: 2, images: 3, local_ms: 1500, ..Billed::default() };
    let cost = base(&rates).cost(&Usage::default(), &billed, NOON);
    assert_eq!(cost, some("0.1315"));
    let by_the_second = base(&Rates { audio_second: some("0.0001"), ..Rates::default() });
    let of = |audio_ms| by_the_second.cost(&Usage::default(), &Billed { audio_ms, ..Billed::default() }, NOON);
    assert_eq!((of(None), of(Some(2500))), (None, some("0.00025")), "audio of an unknown length has no known cost");
}

#[test]
fn a_case_holds_where_all_that_it_names_is_true() {
    let input = |dollars| Rates { input: some(dollars), ..Rates::default() };
    let price = Price {
        base: Rates { output: some("0"), cached_read: some("0.1"), ..input("1") },
        when: vec![
            Case { above: Some(200_000), rates: input("2"), ..Case::default() },
            Case { tier: Some(Tier::Priority), rates: input("3"), ..Case::default() },
            Case { tier: Some(Tier::Priority), above: Some(200_000), rates: input("4"), ..Case::default() },
            Case { hours: Some(Hours { from: 22 * 60, until: 6 * 60 }), rates: input("5"), ..Case::default() },
            Case { days: Some(Days(0b110_0000)), rates: input("6"), ..Case::default() },
            Case {
                from: Some(1_900_100_000_000),
                until: Some(1_900_100_001_000),
                rates: input("7"),
                ..Case::default()
            },
        ],
    };
    let check = |input, tier, nanos: u64, expect: &str| {
        let usage = Usage { input, ..Usage::default() };
        let billed = Billed { tier, ..Billed::default() };
        let cost = price.cost(&usage, &billed, Instant::from_nanos(nanos)).unwrap();
        assert_eq!(cost, dollars(expect).each_of_a_million().times(input), "{input} {tier:?} {nanos}");
    };
    let noon = NOON.as_nanos();
    let hour = 3_600_000_000_000;
    check(200_000, Tier::Standard, noon, "1");
    check(200_001, Tier::Standard, noon, "2");
    check(200_001, Tier::Batch, noon, "2");
    check(200_000, Tier::Priority, noon, "3");
    check(200_001, Tier::Priority, noon, "4");
    check(1, Tier::Standard, noon + 10 * hour, "5");
    check(1, Tier::Standard, noon - 6 * hour - 1, "5");
    check(1, Tier::Standard, noon - 6 * hour, "1");
    check(1, Tier::Standard, noon + 24 * hour, "6");
    check(1, Tier::Standard, noon + 48 * hour, "6");
    check(1, Tier::Standard, noon + 72 * hour, "1");
    check(1, Tier::Standard, 1_900_100_000_000_000_000, "7");
    check(1, Tier::Standard, 1_900_100_001_000_000_000, "1");
    let cached = Usage { input: 300_000, cached_read: 300_000, ..Usage::default() };
    assert_eq!(cost(&price, cached), dollars("0.03"), "a rate that a case does not name stays");
}

#[test]
fn it_is_short_as_json_and_reads_back() {
    let price = Price {
        base: Rates { input: some("0.15"), ..Rates::default() },
        when: vec![Case { tier: Some(Tier::Batch), hours: Some(Hours { from: 0, until: 60 }), ..Case::default() }],
    };
    let json = serde_json::to_string(&price).unwrap();
    assert_eq!(
        json,
        r#"{"base":{"input":150000000000},"when":[{"tier":"batch","hours":{"from":0,"until":60},"rates":{}}]}"#
    );
    assert_eq!(serde_json::from_str::<Price>(&json).unwrap(), price);
}

#[test]
fn a_newer_list_replaces_what_it_names() {
    let listed = |source: &str| Listed { price: Price::default(), source: source.into() };
    let list = |host: Option<&str>, models: &[&str], source: &str| {
        let hosts = host.into_iter().map(Into::into).collect();
        let models = models.iter().map(|model| ((*model).into(), listed(source))).collect();
        List { sections: [("p".into(), Section { hosts, models })].into() }
    };
    let mut all = list(Some("*.example.com"), &["a", "b"], "old");
    all.overlay(list(None, &["b", "c"], "new"));
    let sources = ["a", "b", "c"].map(|model| all.price("p", model).unwrap().source.clone());
    assert_eq!(sources, ["old", "new", "new"]);
    assert_eq!((all.at("api.example.com"), all.at("example.com"), all.at("evil.com")), (Some("p"), None, None));
}

fn rate() -> impl Strategy<Value = Option<Picodollars>> {
    proptest::option::of((0..100_000_000_000_000_i128).prop_map(Picodollars::new))
}

fn rates() -> impl Strategy<Value = Rates> {
    proptest::collection::vec(rate(), 12).prop_map(|values| {
        let mut rates = Rates::default();
        for (own, value) in rates.each().into_iter().zip(values) {
            *own = value;
        }
        rates
    })
}

fn case() -> impl Strategy<Value = Case> {
    let minute = || 0..1440_u16;
    let time = || proptest::option::of(1_798_000_000_000..1_799_600_000_000_u64);
    let tier = proptest::option::of(proptest::sample::select(Tier::ALL.to_vec()));
    let above = proptest::option::of(0..1_000_000_u64);
    let hours = proptest::option::of((minute(), minute()).prop_map(|(from, until)| Hours { from, until }));
    let days = proptest::option::of((0..128_u8).prop_map(Days));
    (above, tier, hours, days, time(), time(), rates()).prop_map(|(above, tier, hours, days, from, until, rates)| {
        Case { above, tier, hours, days, from, until, rates }
    })
}

fn price() -> impl Strategy<Value = Price> {
    (rates(), proptest::collection::vec(case(), 0..5)).prop_map(|(base, when)| Price { base, when })
}

/// Counts as a provider gives them: the parts of a whole are not more than it.
fn usage() -> impl Strategy<Value = Usage> {
    proptest::array::uniform7(0..300_000_u64).prop_map(
        |[plain, cached_read, written, audio, text, reasoning, spoken]| Usage {
            input: plain + cached_read + written + audio,
            cached_read,
            cache_write: written,
            cache_write_1h: written / 3,
            audio_input: audio,
            output: text + reasoning + spoken,
            reasoning,
            audio_output: spoken,
            estimated: false,
        },
    )
}

fn billed() -> impl Strategy<Value = Billed> {
    (0..5_u64, 0..5_u64, 0..100_000_u64, 0..100_000_u64, proptest::sample::select(Tier::ALL.to_vec())).prop_map(
        |(requests, images, audio, local_ms, tier)| Billed { tier, requests, images, audio_ms: Some(audio), local_ms },
    )
}

proptest! {
    #[test]
    fn nothing_costs_more_than_the_most(
        price in price(), usage in usage(), billed in billed(), later in 0..86_400_000_u64, hidden in 0..3_u64,
    ) {
        let at = Instant::from_nanos((NOON.as_millis() + later) * 1_000_000);
        let cost = price.cost(&usage, &billed, at).unwrap();
        // A reservation knows how much is audio or cached for an hour, and bounds the rest.
        let ahead = Usage { cached_read: 0, cache_write: 0, reasoning: 0, input: usage.input + hidden, ..usage };
        prop_assert!(cost <= price.most(&ahead, &billed, at));
        prop_assert!(cost <= price.most(&usage, &billed, at));
    }

    #[test]
    fn rounding_adds_less_than_one_picodollar_and_takes_nothing(price in price(), usage in usage(), billed in billed()) {
        let base = Price { when: Vec::new(), ..price };
        let exact = |usage: &Usage, billed: &Billed| base.cost(usage, billed, NOON).unwrap().get();
        let once = exact(&usage, &billed);
        let times = |count: u64| count * 7;
        let many = Usage {
            input: times(usage.input),
            output: times(usage.output),
            cached_read: times(usage.cached_read),
            cache_write: times(usage.cache_write),
            cache_write_1h: times(usage.cache_write_1h),
            reasoning: times(usage.reasoning),
            audio_input: times(usage.audio_input),
            audio_output: times(usage.audio_output),
            estimated: false,
        };
        let Billed { tier, requests, images, audio_ms, local_ms } = billed;
        let billed = Billed {
            tier,
            requests: times(requests),
            images: times(images),
            audio_ms: audio_ms.map(times),
            local_ms: times(local_ms),
        };
        let all = exact(&many, &billed);
        prop_assert!(all <= 7 * once && 7 * once < all + 7, "{once} {all}");
    }

    #[test]
    fn every_price_reads_back(price in price()) {
        let json = serde_json::to_string(&price).unwrap();
        prop_assert_eq!(serde_json::from_str::<Price>(&json).unwrap(), price);
    }

    #[test]
    fn no_count_overflows(price in price(), input: u64, output: u64, part: u64) {
        let usage = Usage {
            input, output, cached_read: part, cache_write: part, reasoning: part, audio_input: part,
            ..Usage::default()
        };
        let billed = Billed { audio_ms: Some(part), ..Billed::default() };
        let cost = price.cost(&usage, &billed, NOON);
        prop_assert!(cost.is_some_and(|cost| cost >= Picodollars::ZERO));
        let _ = price.most(&usage, &Billed::default(), NOON);
    }
}
