//! More than a worker takes: bodies that never end, and many requests at once. The counts are exact, however a request ends.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use weir_tests::{Gateway, KEY, Upstream};

const OTHER: &str = "weir-test-key-of-another";

/// A request that has sent all but one of its bytes, `sent` in number. It ends when this is dropped.
async fn unfinished(gateway: &Gateway, key: &str, sent: usize) -> TcpStream {
    let mut tcp = TcpStream::connect(gateway.address()).await.expect("the gateway listens");
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: weir\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n",
        sent + 1
    );
    tcp.write_all(head.as_bytes()).await.expect("it reads");
    tcp.write_all(&vec![b' '; sent]).await.expect("it reads");
    tcp
}

/// Asks until there is room: no signal says so.
async fn until_room(gateway: &Gateway) {
    while gateway.chat("gpt", "Hi").await.status() != 200 {}
}

#[tokio::test]
async fn a_key_has_so_many_requests_under_way_and_they_count_until_they_are_gone() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/m"])
        .model("stalls", ["sim/fault-stall"])
        .key("another", OTHER, &["gpt"])
        .limit("in_flight_per_key", 3)
        .limit("in_flight", 5)
        .start()
        .await;
    for round in 0..3 {
        let first = unfinished(&gateway, KEY, 10).await;
        let second = unfinished(&gateway, KEY, 10).await;
        // Streams that go on are under way as well.
        let mut third = gateway.chat("stalls", "Hi").streamed().open().await;
        assert!(third.event().await.is_some());
        gateway.until_stat("http.edge.downstream_rq_active", 3).await;
        for manner in weir_tests::Manner::all() {
            let busy = manner.ask(&gateway, "gpt", "Hi").await;
            assert_eq!((busy.status(), busy.header("retry-after")), (429, "1"), "round {round}: {}", busy.text());
        }
        let busy = gateway.chat("gpt", "Hi").await;
        assert_eq!(busy.code(), "too_many_in_flight");
        assert_eq!(gateway.record(busy.id()).await["outcome"], "too_many_in_flight");

        let other = || gateway.chat("gpt", "Hi").key(OTHER);
        assert_eq!(other().await.status(), 200, "another key has its own");
        let fourth = unfinished(&gateway, OTHER, 10).await;
        let fifth = unfinished(&gateway, OTHER, 10).await;
        gateway.until_stat("http.edge.downstream_rq_active", 5).await;
        let busy = other().await;
        assert_eq!((busy.status(), busy.code().as_str()), (503, "gateway_busy"), "{}", busy.text());
        assert_eq!(busy.header("retry-after"), "1");
        third.hang_up();
        drop((first, second, fourth, fifth));
        until_room(&gateway).await;
    }
}

/// Eight hundred of a megabyte took 860 MB.
#[tokio::test]
async fn unfinished_bodies_of_any_size_hold_only_so_much() {
    let upstream = Upstream::sim().await;
    let gateway = Gateway::with(&upstream)
        .model("gpt", ["sim/m"])
        .key("another", OTHER, &["gpt"])
        .limit("held", "8MiB")
        .start()
        .await;
    let before = gateway.allocated().await;
    for _ in 0..2 {
        let mut all = Vec::new();
        for _ in 0..64 {
            all.push(unfinished(&gateway, KEY, 1 << 20).await);
        }
        let busy = gateway.chat("gpt", "Hi").with(serde_json::json!({ "user": "x".repeat(1 << 19) })).await;
        assert_eq!((busy.status(), busy.code().as_str()), (429, "too_many_large_bodies"), "{}", busy.text());
        let other = gateway.chat("gpt", "Hi").key(OTHER).await;
        assert_eq!(other.status(), 200, "another key has room: {}", other.text());
        let more = gateway.allocated().await.saturating_sub(before);
        assert!(more < 24 << 20, "{more} bytes");
        drop(all);
        until_room(&gateway).await;
    }
}
