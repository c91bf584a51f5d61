//! The HTTP client: explicit time-outs, no proxy, no redirects, no silent retries, bounded answers, explicit roots.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use souk_domain::outcome::{Fact, Facts};
use souk_protocol::codes::ErrorBody;

use crate::error::SoukError;
use crate::host::{HttpAnswer, HttpRequest};

/// Until a connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer: a page of a pull (1 MiB of rows) with all its framing, many times over.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Longest `Retry-After` that is believed, seconds.
const RETRY_AFTER_S_MAX: u64 = 3_600;

/// A client for one server.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    client: Client,
    base: String,
}

impl Net {
    /// Refuses `net.url`: not a URL, or plain HTTP to another machine.
    pub(crate) fn new(url: &str, app: &str, roots_der: &[Vec<u8>]) -> Result<Net, SoukError> {
        let base = base_of(url).ok_or_else(|| SoukError::new("net.url"))?;
        let failed = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "the HTTP client could not be set up");
            SoukError::new("core.internal")
        };
        let mut roots = rustls::RootCertStore::empty();
        for root in roots_der {
            roots.add(root.clone().into()).map_err(|error| failed(&error))?;
        }
        // Built by hand so that ring is the one crypto library and no root store of the machine is read.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(app)
            .build()
            .map_err(|error| failed(&error))?;
        Ok(Net { client, base })
    }

    /// Sends a request; the answer's body is not read yet.
    pub(crate) async fn send(&self, request: HttpRequest) -> Option<Response> {
        let url = format!("{}{}", self.base, request.path);
        let mut builder = match request.method {
            "GET" => self.client.get(url),
            _ => self.client.post(url).header(CONTENT_TYPE, "application/json").body(request.body),
        };
        if let Some(bearer) = request.bearer {
            builder = builder.header(AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if request.timeout_ms > 0 {
            builder = builder.timeout(Duration::from_millis(request.timeout_ms));
        }
        match builder.send().await {
            Ok(response) => Some(response),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "no answer");
                None
            }
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn exchange(&self, request: HttpRequest) -> HttpAnswer {
        let Some(response) = self.send(request).await else { return HttpAnswer::Failed };
        let status = response.status().as_u16();
        let retry_after_s = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
            .map(|seconds| seconds.min(RETRY_AFTER_S_MAX));
        match read_body(response).await {
            Some(body) => HttpAnswer::Said { status, retry_after_s, body },
            None => HttpAnswer::Failed,
        }
    }
}

async fn read_body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Some(body),
            Ok(Some(_)) | Err(_) => return None,
        }
    }
}

/// The root of a server without its last slash; none for anything that may not be spoken to.
fn base_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let is_good = match url.scheme() {
        "https" => true,
        "http" => is_loopback,
        _ => false,
    };
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (is_good && is_plain).then(|| url.as_str().trim_end_matches('/').to_owned())
}

/// The error of an answer: its code with its facts, or what its status says.
pub(crate) fn error_of(status: u16, body: &[u8]) -> SoukError {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(body) else {
        return SoukError::new(match status {
            401 => "token.unknown",
            403 => "auth.forbidden",
            404 => "route.unknown",
            429 => "server.slow",
            400..=499 => "request.form",
            _ => "net.offline",
        });
    };
    let facts = body.error.facts.into_iter().filter_map(|(name, value)| {
        let fact: Fact = serde_json::from_value(value).ok()?;
        Some((name.into(), fact))
    });
    SoukError {
        code: body.error.code,
        message: body.error.message,
        report: body.error.report,
        facts: Facts(facts.collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_may_be_spoken_to() {
        for (url, base) in [
            ("https://souk.example", Some("https://souk.example")),
            ("https://souk.example/market/", Some("https://souk.example/market")),
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://localhost:1", Some("http://localhost:1")),
            ("http://souk.example", None),
            ("http://127.0.0.1.souk.example", None),
            ("http://10.0.0.1", None),
            ("ftp://127.0.0.1", None),
            ("https://user@souk.example", None),
            ("https://souk.example/?a", None),
            ("souk.example", None),
            ("", None),
        ] {
            assert_eq!(base_of(url).as_deref(), base, "{url}");
        }
    }

    #[test]
    fn errors_of_answers() {
        let told = error_of(
            409,
            br#"{"error":{"code":"order.state","message":"m","report":"r","axis":"order","n":3}}"#,
        );
        assert_eq!((told.code.as_str(), told.report.as_str()), ("order.state", "r"));
        assert_eq!((told.facts.text("axis"), told.facts.int("n")), (Some("order"), Some(3)));
        assert_eq!(error_of(502, b"<html>").code, "net.offline");
        assert_eq!(error_of(404, b"").code, "route.unknown");
    }
}
