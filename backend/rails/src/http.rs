//! The HTTP client of all adapters: explicit time-outs, no proxy, no redirects, no silent retries, bounded answers.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response};

/// Time-outs of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the start of the call to the last byte of its answer.
    pub overall: Duration,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls(#[from] rustls::Error),
    /// The client could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[from] reqwest::Error),
}

/// A client for plain HTTP: it trusts no certificate yet, because the only rail so far is the sandbox on loopback.
pub fn client(timeouts: Timeouts) -> Result<Client, ClientError> {
    // Built by hand so that ring is the one crypto library and no root store of the machine is read.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.overall)
        .build()?)
}

/// The whole body, or `None` when it breaks off or is longer than `bytes_max`.
pub(crate) async fn read_body(mut response: Response, bytes_max: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= bytes_max => body.extend_from_slice(&chunk),
            Ok(None) => return Some(body),
            Ok(Some(_)) | Err(_) => return None,
        }
    }
}
