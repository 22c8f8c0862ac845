//! Uploads: large forms arrive as they were sent, whatever becomes of their first try, and leave nothing behind.

use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::json;
use sha2::{Digest, Sha256};
use weir_sim::Fault;
use weir_tests::{Answer, Ask, Control, Gateway, Upstream};

const PATH: &str = "/v1/audio/transcriptions";

/// The largest sound that OpenAI takes.
const LARGEST: usize = 25 << 20;

/// The longest form that is taken, in bytes.
const LIMIT: u64 = 26 << 20;

/// How much more memory Envoy may need after the uploads: less than one of them.
const KEPT: u64 = 12 << 20;

/// What a VM may need where no large body passes through it.
const HEAP: u64 = 16 << 20;

/// A sound without two equal slices.
fn noise() -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    NOISE.get_or_init(|| {
        let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        std::iter::successors(Some(1), next).take(LARGEST / 8).flat_map(u64::to_be_bytes).collect()
    })
}

/// A form with a sound.
struct Upload {
    form: Bytes,
    /// What the simulator answers if all of it has arrived as it is: the file's name, its length and its hash.
    heard: String,
}

impl Upload {
    /// A sound of `length` bytes for `model`, called `number`.mp3.
    fn new(model: &str, number: usize, bytes: usize) -> Self {
        let mut sound = noise()[..bytes].to_vec();
        // Each has its own.
        sound.rotate_left(number * 1000);
        let hash = Sha256::digest(&sound).first_chunk().copied().map_or(0, u32::from_be_bytes);
        let heard = format!("I heard {number}.mp3: {bytes} bytes, SHA-256 {hash:08x}.");
        let part = |name: &str, value: &[u8]| {
            let start = format!("--cut\r\nContent-Disposition: form-data; name={name}\r\n\r\n");
            [start.as_bytes(), value, b"\r\n"].concat()
        };
        let file = part(&format!("\"file\"; filename=\"{number}.mp3\""), &sound);
        // The model comes last, so that nothing is known before all has come.
        let parts = [part("\"prompt\"", "Hör zu".as_bytes()), file, part("\"model\"", model.as_bytes())];
        Self { form: [&parts.concat(), b"--cut--\r\n".as_slice()].concat().into(), heard }
    }

    fn to(&self, gateway: &Gateway) -> Ask {
        let kind = "multipart/form-data; boundary=cut";
        gateway.ask("POST", PATH).raw(self.form.clone()).header("content-type", kind)
    }

    /// Checks that the answer is to all of it.
    fn is_heard(&self, answer: &Answer) {
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.json()["text"], self.heard);
    }
}

/// Uploads a large sound to each model, all at once, and checks that each arrives.
async fn arrive(gateway: &Gateway, models: &[String]) {
    let upload = |(number, model): (usize, &String)| Upload::new(model, number, LARGEST);
    let uploads: Vec<Upload> = models.iter().enumerate().map(upload).collect();
    let answers = join_all(uploads.iter().map(|upload| upload.to(gateway).into_future())).await;
    uploads.iter().zip(&answers).for_each(|(upload, answer)| upload.is_heard(answer));
}

fn names(prefix: &str) -> Vec<String> {
    (0..8).map(|number| format!("{prefix}-{number}")).collect()
}

#[tokio::test]
async fn large_uploads_side_by_side_arrive_unchanged_and_pass_without_being_held_by_the_filter() {
    let failing = Upstream::called("failing").await;
    let upstream = Upstream::sim().await;
    failing.set_fault("*", Fault::Status(503));
    let models = names("hear");
    let gateway = models.iter().enumerate().fold(Gateway::with(&failing).and(&upstream), |gateway, (number, model)| {
        // Every other one is first sent where it fails.
        let (first, second) = (format!("failing/{model}"), format!("sim/{model}"));
        if number % 2 == 0 { gateway.model(model, [&*second]) } else { gateway.model(model, [&*first, &*second]) }
    });
    // One key has all of them.
    let gateway = gateway.limit("held", "512MiB").start().await;
    let before = gateway.allocated().await;
    arrive(&gateway, &models).await;
    assert_eq!((failing.served(), upstream.served()), (4, 8));

    let heaps = gateway.heaps();
    assert!(gateway.has_heaps() != heaps.is_empty() && heaps.iter().all(|heap| *heap <= HEAP), "{heaps:?}");
    gateway.until_allocated(before + KEPT).await;
}

#[tokio::test]
async fn large_uploads_side_by_side_reach_models_of_other_names_and_the_filter_holds_one_at_a_time() {
    let failing = Upstream::called("failing").await;
    let upstream = Upstream::sim().await;
    failing.set_fault("*", Fault::Status(503));
    let models = names("hear");
    let gateway = models.iter().enumerate().fold(Gateway::with(&failing).and(&upstream), |gateway, (number, model)| {
        // A try for a model of the same name, or another one, before or after.
        let (same, other) = (format!("failing/{model}"), format!("failing/another-{model}"));
        let (last, renamed) = (format!("sim/{model}"), format!("sim/{model}-of-another-name"));
        match number % 4 {
            0 => gateway.model(model, [&*renamed]),
            1 => gateway.model(model, [&*same, &*renamed]),
            2 => gateway.model(model, [&*other, &*renamed]),
            _ => gateway.model(model, [&*other, &*last]),
        }
    });
    // One key has all of them.
    let gateway = gateway.limit("held", "512MiB").start().await;
    let before = gateway.allocated().await;
    arrive(&gateway, &models).await;
    assert_eq!((failing.served(), upstream.served()), (6, 8));

    let heaps = gateway.heaps();
    let most = HEAP + 3 * LIMIT;
    assert!(gateway.has_heaps() != heaps.is_empty() && heaps.iter().all(|heap| *heap <= most), "{heaps:?}");
    gateway.until_allocated(before + KEPT).await;
}

#[tokio::test]
async fn an_upload_that_is_too_long_is_refused_before_any_provider_hears_of_it() {
    let upstream = Upstream::sim().await;
    let limit = json!({ "transcriptions": "2MiB" });
    let gateway = Gateway::with(&upstream).model("hear", ["sim/hear"]).limit("body", limit).start().await;
    let told = Upload::new("hear", 1, 2 << 20).to(&gateway);
    for ask in [told.clone(), told.chunked()] {
        let answer = ask.await;
        assert_eq!((answer.status(), answer.code().as_str()), (413, "request_too_large"), "{}", answer.text());
    }
    assert_eq!(upstream.served(), 0);
}

#[tokio::test]
async fn more_large_bodies_than_a_worker_may_hold_are_asked_to_wait() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("hear", ["sim/hear"])
        .model("never", ["sim/fault-hang"])
        .limit("held", "5MiB")
        .start()
        .await;
    let first = tokio::spawn(Upload::new("never", 1, 2 << 20).to(&gateway).into_future());
    upstream.until(|seen| !seen.is_empty()).await;

    let large = Upload::new("hear", 2, 2 << 20);
    let busy = large.to(&gateway).await;
    assert_eq!((busy.status(), busy.code().as_str()), (429, "too_many_large_bodies"), "{}", busy.text());
    assert_eq!((busy.header("retry-after"), busy.header("x-should-retry")), ("1", "true"));
    assert_eq!(gateway.record(busy.id()).await["outcome"], "too_many_large_bodies");
    let small = Upload::new("hear", 3, 1 << 19).to(&gateway).await;
    assert_eq!(small.status(), 200, "small ones have room of their own: {}", small.text());
    assert_eq!(gateway.chat("hear", "Hi").await.status(), 200);

    first.abort();
    // Nobody says when its place is free; asking tells.
    while large.to(&gateway).await.status() == 429 {}
    large.is_heard(&large.to(&gateway).await);
}

#[tokio::test]
async fn a_form_goes_where_its_fields_are_known() {
    let mistral = Upstream::called("mistral").await.speaking("mistral");
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&mistral)
        .and(&upstream)
        .model("hear", ["mistral/hear"])
        .model("either", ["mistral/hear", "sim/hear"])
        .start()
        .await;
    let form = |model: &str, more: &str| {
        let form = format!(
            "--cut\r\nContent-Disposition: form-data; name=model\r\n\r\n{model}\r\n{more}--cut\r\nContent-Disposition: \
             form-data; name=file; filename=\"a.mp3\"\r\n\r\nsound\r\n--cut--\r\n"
        );
        let kind = "multipart/form-data; boundary=cut";
        gateway.ask("POST", PATH).raw(Bytes::from(form)).header("content-type", kind)
    };
    let prompt = "--cut\r\nContent-Disposition: form-data; name=prompt\r\n\r\nHi\r\n";
    let answer = form("hear", "").await;
    assert_eq!((answer.status(), answer.header("x-weir-provider")), (200, "mistral"), "{}", answer.text());
    assert_eq!(answer.json()["usage"]["prompt_audio_seconds"], 1);
    let refused = form("hear", prompt).await;
    assert_eq!((refused.status(), refused.code().as_str()), (400, "unsupported_parameter"), "{}", refused.text());
    assert_eq!(refused.json()["error"]["param"], "prompt");
    let elsewhere = form("either", prompt).await;
    assert_eq!((elsewhere.status(), elsewhere.header("x-weir-provider")), (200, "sim"), "{}", elsewhere.text());
    assert_eq!((mistral.served(), upstream.served()), (1, 1));
}

/// It is read again when control has answered, and Envoy holds it meanwhile, or lets the caller wait.
#[tokio::test]
async fn a_form_that_waits_for_a_lease_arrives_whole() {
    let (upstream, mut control) = (Upstream::sim().await, Control::new());
    let quota = json!({ "budget": "5 requests per month" });
    let builder = Gateway::with(&upstream).model("whisper", ["sim/whisper-1"]).quota("uploads", quota);
    control.start(&builder.limits()).await;
    let gateway = builder.shares(control.address(), "here").start().await;
    let uploads: Vec<Upload> = (0..5).map(|number| Upload::new("whisper", number, 2_000_000 * number + 1)).collect();
    let arrives = async |upload: &Upload| {
        let mut answer = upload.to(&gateway).await;
        // On a machine that is busy, control's answer can be late.
        while answer.header("x-should-retry") == "true" {
            answer = upload.to(&gateway).await;
        }
        upload.is_heard(&answer);
    };
    join_all(uploads.iter().map(arrives)).await;
    assert_eq!(uploads[0].to(&gateway).await.status(), 429);
}
