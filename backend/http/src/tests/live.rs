//! Streams of hints (spec/sync.md 4.10, 12.4 `live_after_revoke`).

use std::time::Duration;

use axum::body::{Body as HttpBody, BodyDataStream};
use futures::StreamExt;
use serde_json::Value;

use super::bed::{Bed, Person, request};
use super::trade::krw;
use souk_domain::intent::Body;
use souk_domain::time::Span;

/// What a test waits for at most; nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Bed {
    async fn live(&self, who: &Person, scopes: &str) -> Stream {
        let path = format!("/v1/sync/live?scopes={scopes}");
        let response = self.raw(request("GET", &path, who.token()).body(HttpBody::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Stream { body: response.into_body().into_data_stream(), text: String::new() };
        assert_eq!(stream.next().await.as_deref(), Some(":"), "it is open");
        stream
    }
}

impl Stream {
    /// The next event, as one line; none at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let event = event.replace('\n', " ");
                self.text = rest.to_owned();
                return Some(event);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("an event in time");
            self.text += std::str::from_utf8(&chunk?.unwrap()).unwrap();
        }
    }

    async fn ends(&mut self) -> bool {
        let last = self.next().await;
        last.as_deref() == Some("event: end data: {}") && self.next().await.is_none()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_of_scopes_that_one_may_follow() {
    let bed = Bed::new().await;
    let mut stall = bed.stall().await;
    let scope = format!("seller/{}", stall.shop);
    let mut live = bed.live(&stall.seller, &format!("{scope},cat/all")).await;
    let id = stall.seller.mint(stall.shop.bucket(), bed.now());
    let price = Body::SetPrice { offer: stall.offer, price: krw(13_000) };
    bed.act(&mut stall.seller, id, &price, &[]).await;
    // The catalogue's own part follows by hand-off; what came before is merged with it or told again.
    let seller_hint = format!("event: hint data: {{\"s\":\"{scope}\"}}");
    let (mut of_seller, mut of_catalogue) = (false, false);
    while !(of_seller && of_catalogue) {
        let hint = live.next().await.unwrap();
        of_seller |= hint == seller_hint;
        of_catalogue |= hint.starts_with("event: hint data: {\"s\":\"cat/all\",\"at\":");
        assert!(hint == seller_hint || hint.contains("cat/all"), "{hint}");
    }

    let stranger = bed.sign_up("stranger@example.com").await;
    for scopes in [scope.as_str(), "acct/x", "nothing", "", "cat/all,,"] {
        let reply = bed.get(&format!("/v1/sync/live?scopes={scopes}"), stranger.token()).await;
        assert_eq!(reply.said(), "404 scope.unknown", "{scopes}");
    }
    assert_eq!(bed.get("/v1/sync/live", stranger.token()).await.said(), "400 request.form");
    let many = vec!["cat/all"; 65].join(",");
    let reply = bed.get(&format!("/v1/sync/live?scopes={many}"), stranger.token()).await;
    assert_eq!(reply.said(), "413 request.too_large");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_cut_off_hears_nothing_more() {
    let bed = Bed::new().await;
    let a = bed.sign_up("a@example.com").await;
    bed.wait(Span::from_secs(1));
    let b = bed.sign_up("a@example.com").await;
    let mut live = bed.live(&b, "cat/all").await;
    let path = format!("/v1/devices/{}", b.device);
    assert_eq!(bed.send("DELETE", &path, a.token(), &Value::Null).await.said(), "204");
    assert!(live.ends().await);
    assert_eq!(bed.get("/v1/sync/live?scopes=cat/all", b.token()).await.said(), "403 device.revoked");

    // Cut off somewhere else: found by looking.
    bed.wait(Span::from_secs(1));
    let c = bed.sign_up("a@example.com").await;
    let mut live = bed.live(&c, "cat/all").await;
    bed.app.engine().decide(souk_engine::sign_in::revoke(c.account, c.device)).await;
    assert!(live.ends().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_a_device_and_its_end() {
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    let mut first = bed.live(&person, "cat/all").await;
    let mut second = bed.live(&person, "cat/all").await;
    assert!(first.ends().await, "the newer one has taken its place");
    assert_eq!(bed.app.streams().count(), 1);
    bed.app.stop();
    assert!(second.ends().await);
    assert_eq!(bed.app.streams().count(), 0);

    // A token that is about to end.
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    bed.wait(Span::from_minutes(15));
    assert!(bed.live(&person, "cat/all").await.ends().await);
}
