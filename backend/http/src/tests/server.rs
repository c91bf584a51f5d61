//! The API on a real listener: kept connections, heads that are too large, the graceful stop.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::bed::Bed;
use crate::serve;

/// What a test waits for at most; nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_requests_end_and_streams_close() {
    super::pay::client_tls();
    let bed = Bed::new().await;
    let person = bed.sign_up("a@example.com").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(bed.app.clone(), listener, async {
        let _ = stopped.await;
    }));
    let client = reqwest::Client::new();
    let health: Value =
        client.get(format!("http://{address}/healthz")).send().await.unwrap().json().await.unwrap();
    assert_eq!(health["ok"], Value::Bool(true));
    let url = format!("http://{address}/v1/sync/live?scopes=cat/all");
    let live = client.get(url).bearer_auth(&person.access).send().await.unwrap();
    assert_eq!(live.status(), 200);

    // A connection whose request is half sent when the stop comes.
    let mut half = TcpStream::connect(address).await.unwrap();
    let body = person.push(Vec::new()).to_string();
    let head = format!(
        "POST /v1/sync/push HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        person.access,
        body.len()
    );
    half.write_all(head.as_bytes()).await.unwrap();
    half.write_all(&body.as_bytes()[..10]).await.unwrap();
    // The server has read its head once another request is answered behind it and the stream is open.
    while bed.app.streams().count() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.send(()).unwrap();
    let text = tokio::time::timeout(PATIENCE, live.text()).await.expect("the stream ends in time").unwrap();
    assert!(text.ends_with("event: end\ndata: {}\n\n"), "{text}");
    half.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("connection: close"), "{answer}");
    served.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    bed.app.engine().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_without_end_are_refused() {
    let bed = Bed::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(bed.app.clone(), listener, async {
        let _ = stopped.await;
    }));
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let line = format!("x-a: {}\r\n", "a".repeat(1_000));
    let mut answer = Vec::new();
    for _ in 0..100 {
        if connection.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let _ =
        tokio::time::timeout(PATIENCE, connection.read_to_end(&mut answer)).await.expect("closed in time");
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}
