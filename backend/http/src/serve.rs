//! The API on a listener, and its stop.
//!
//! Always: a connection that sends no request, or a head without end, is closed; a stop lets running requests end,
//! and ends streams of hints.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::app::{App, stopped};
use crate::gate::{HEADER_BYTES_MAX, URI_BYTES_MAX, router};

/// Connections at a time; those that come above it wait in the system's queue.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;
/// The head of a request must be there after this; also how long an idle connection is kept: longer than the pauses
/// between a device's push and pull, shorter than what proxies and phones keep.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Running requests may take so long after a stop.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of a request's head in memory: what the gate lets through, with room for its separators.
const HEAD_BYTES_MAX: usize = URI_BYTES_MAX + HEADER_BYTES_MAX + (8 << 10);
/// Pause after the system gave no connection: it is out of descriptors, and others must end first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves until `shutdown` is ready, then until running requests have ended, at most [`DRAIN_TIMEOUT`]. The engine is
/// not stopped: what these requests have asked must still be decided. Errors: none so far but those of the listener.
pub async fn serve(app: App, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let router = router(app.clone());
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let place = tokio::select! {
            biased;
            () = &mut shutdown => break,
            place = places.clone().acquire_owned() => place,
        };
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let work = connection(stream, Peer(peer), router.clone(), app.stopping());
                connections.spawn(async move {
                    work.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    app.stop();
    let drained =
        tokio::time::timeout(DRAIN_TIMEOUT, async { while connections.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(left = connections.len(), "connections were cut off at the stop");
    }
    Ok(())
}

async fn connection(stream: TcpStream, peer: Peer, router: Router, mut stopping: watch::Receiver<bool>) {
    // Answers are small and waited for: without this each would wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke");
                }
                return;
            }
            () = stopped(&mut stopping), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
