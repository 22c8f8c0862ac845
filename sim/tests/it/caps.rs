//! Caps on the output, and models that bill or tell something else than usual: the same in every dialect, whole and streamed.

use weir_sim::{Billed, Outcome, Sim};

use crate::{
    client::{Got, sim},
    dialects::{DIALECTS, Dialect},
};

const CAP: u32 = 20;

/// Asks in every dialect, whole and streamed, and looks at each answer and at what was billed for it.
async fn each(model: &str, look: impl Fn(&Dialect, &Got, &Billed)) {
    let sim = sim().await;
    for dialect in &DIALECTS {
        for streamed in [false, true] {
            let (got, billed) = one(&sim, dialect, model, streamed).await;
            assert_eq!(got.status, 200, "{}: {}", dialect.whole, got.text());
            assert_eq!((billed.outcome, billed.dialect), (Outcome::Finished, dialect.folder), "{}", dialect.whole);
            look(dialect, &got, &billed);
        }
    }
}

async fn one(sim: &Sim, dialect: &Dialect, model: &str, streamed: bool) -> (Got, Billed) {
    sim.clear();
    sim.clear_billed();
    let got = dialect.ask_capped(sim, model, streamed, CAP).await;
    sim.until(|seen| seen.iter().all(|seen| seen.outcome == Outcome::Finished)).await;
    let mut billed = sim.billed();
    assert_eq!(billed.len(), 1);
    (got, billed.remove(0))
}

/// Whether an answer says that so many tokens of output were used.
fn tells(got: &Got, output: u32) -> bool {
    let text = got.text();
    ["completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens"]
        .iter()
        .any(|name| [",", "}"].iter().any(|end| text.contains(&format!("\"{name}\":{output}{end}"))))
}

#[tokio::test]
async fn an_answer_ends_at_its_cap() {
    each("m+tokens-50", |dialect, got, billed| {
        assert!(got.text().contains(dialect.length), "{}: {}", dialect.whole, got.text());
        assert!(tells(got, CAP), "{}: {}", dialect.whole, got.text());
        assert_eq!((billed.output, billed.told), (CAP.into(), true), "{}", dialect.whole);
    })
    .await;
}

#[tokio::test]
async fn a_shorter_answer_does_not_end_at_its_cap() {
    each("m+tokens-20", |dialect, got, billed| {
        assert!(!got.text().contains(dialect.length), "{}: {}", dialect.whole, got.text());
        assert_eq!((billed.output, billed.reasoning), (20, 0), "{}", dialect.whole);
    })
    .await;
}

#[tokio::test]
async fn a_model_can_ignore_the_cap() {
    each("m+tokens-50+no-cap", |dialect, got, billed| {
        assert!(!got.text().contains(dialect.length) && tells(got, 50), "{}: {}", dialect.whole, got.text());
        assert_eq!((billed.output, billed.told), (50, true), "{}", dialect.whole);
    })
    .await;
}

#[tokio::test]
async fn a_model_can_use_up_the_cap() {
    each("m+to-cap", |dialect, got, billed| {
        assert!(got.text().contains(dialect.length) && tells(got, CAP), "{}: {}", dialect.whole, got.text());
        assert_eq!(billed.output, u64::from(CAP), "{}", dialect.whole);
    })
    .await;
}

#[tokio::test]
async fn hidden_reasoning_is_billed_beyond_the_cap() {
    each("m+to-cap+reasoning-100", |dialect, got, billed| {
        // Gemini tells what was thought apart.
        let told = if got.text().contains("thoughtsTokenCount\":100") { CAP } else { CAP + 100 };
        assert!(tells(got, told), "{}: {}", dialect.whole, got.text());
        assert_eq!((billed.output, billed.reasoning), (120, 100), "{}", dialect.whole);
    })
    .await;
}

#[tokio::test]
async fn a_model_can_bill_more_input_than_there_is() {
    let sim = sim().await;
    for dialect in &DIALECTS {
        for streamed in [false, true] {
            let (_, plain) = one(&sim, dialect, "m", streamed).await;
            let (got, billed) = one(&sim, dialect, "m+input-7x", streamed).await;
            assert_eq!(billed.input, plain.input * 7, "{}", dialect.whole);
            assert!(got.text().contains(&format!(":{},", billed.input)), "{}: {}", dialect.whole, got.text());
            let (_, billed) = one(&sim, dialect, "m+input-12345", streamed).await;
            assert_eq!(billed.input, 12_345, "{}", dialect.whole);
        }
    }
}

#[tokio::test]
async fn a_model_can_tell_nothing_of_what_it_used() {
    each("m+no-usage", |dialect, got, billed| {
        let text = got.text().replace("\"usage\":null", "");
        assert!(!text.contains("\"usage") && text.contains("heard"), "{}: {}", dialect.whole, got.text());
        assert!(!billed.told && billed.input > 0 && billed.output > 0, "{}", dialect.whole);
    })
    .await;
}
