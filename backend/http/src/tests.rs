//! The API in one process: the real router, engine, SQLite store and sandbox rail.

mod bed;
mod limits;
mod live;
mod pay;
mod rights;
mod schema;
mod server;
mod sign_in;
mod trade;
mod web;

use bed::Bed;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health() {
    let bed = Bed::new().await;
    for path in ["/healthz", "/readyz"] {
        let reply = bed.get(path, None).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        assert_eq!(reply.json["ok"], json!(true));
        assert_eq!(reply.header("souk-gen"), "1");
        assert_eq!(reply.header("souk-now"), bed.now().micros().to_string());
    }
    bed.app.stop();
    assert_eq!(bed.get("/readyz", None).await.status, 503);
    assert_eq!(bed.get("/healthz", None).await.status, 200);
}
