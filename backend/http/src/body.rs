//! Reading a request's body: size, encoding, time and form (spec/sync.md 5, 12.4 `bombs`).
//!
//! Always: no more than the limit is ever held, packed or unpacked, and a body that comes too slowly is given up.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use souk_domain::outcome::Refusal;

use crate::error::ApiError;

/// The most that a packed body may unpack to, as a multiple of itself: our own bodies reach 10.
pub(crate) const ZSTD_RATIO_MAX: usize = 200;
/// A body must be there after this: 128 KiB at 5 KB/s.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Window of a packed body, as a power of two: 8 MiB, which RFC 8878 asks every reader for and no writer to exceed.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// The body as it was meant: whole, unpacked, at most `limit` bytes.
/// Refuses `request.too_large{limit}`, `request.encoding{field}`, `request.form{field}`.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let is_packed = is_packed(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > limit) {
        return Err(too_large(limit));
    }
    let whole = tokio::time::timeout(BODY_TIMEOUT, collect(body, limit)).await;
    let raw = whole.map_err(|_| ApiError::form("body"))??;
    if is_packed { unpack(&raw, limit).map(Bytes::from) } else { Ok(raw) }
}

/// The body as it came, for signatures over its bytes.
pub(crate) async fn read_raw(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let whole = tokio::time::timeout(BODY_TIMEOUT, collect(body, limit)).await;
    whole.map_err(|_| ApiError::form("body"))?
}

/// Whether a JSON body is said to be JSON. Refuses `request.encoding{field}`.
pub(crate) fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let named = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if named.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::new("request.encoding").with("field", "content-type").into())
    }
}

fn is_packed(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(false),
        Some(b"zstd") => Ok(true),
        Some(_) => Err(Refusal::new("request.encoding").with("field", "content-encoding").into()),
    }
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut stream = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(chunk) = stream.next().await {
        // The sender went away, or does not speak HTTP.
        let chunk = chunk.map_err(|_| ApiError::form("body"))?;
        if whole.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(Bytes::from(whole))
}

fn unpack(raw: &[u8], limit: usize) -> Result<Vec<u8>, ApiError> {
    let bad = |_| ApiError::from(Refusal::new("request.encoding").with("field", "body"));
    let room = limit.min(raw.len().saturating_mul(ZSTD_RATIO_MAX));
    let mut decoder = zstd::stream::read::Decoder::new(raw).map_err(bad)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(bad)?;
    let mut whole = Vec::new();
    decoder.take(room as u64 + 1).read_to_end(&mut whole).map_err(bad)?;
    if whole.len() > room { Err(too_large(limit)) } else { Ok(whole) }
}

fn too_large(limit: usize) -> ApiError {
    Refusal::new("request.too_large").with("limit", limit as i64).into()
}

/// Reads JSON. Refuses `request.form{field, at}`: the member as a path, and the byte at which reading stopped.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let stop = |field: String, error: &serde_json::Error| {
        let refusal = Refusal::new("request.form").with("at", offset(body, error.line(), error.column()));
        // `.` = the whole body, `?` = a member whose name was not read to its end.
        let named = if matches!(field.as_str(), "." | "?") { refusal } else { refusal.with("field", field) };
        ApiError::from(named)
    };
    let value =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| stop(named(&error), error.inner()))?;
    reader.end().map_err(|error| stop(".".to_owned(), &error))?;
    Ok(value)
}

/// The member that an error is about: its path, with the name of a missing member behind it.
fn named(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let text = error.inner().to_string();
    match text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((name, _)) if path == "." => name.to_owned(),
        Some((name, _)) => format!("{path}.{name}"),
        None => path,
    }
}

/// Byte of a 1-based line and column, as `serde_json` counts them.
fn offset(body: &[u8], line: usize, column: usize) -> i64 {
    let before: usize =
        body.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    i64::try_from((before + column.saturating_sub(1)).min(body.len())).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use expect_test::expect;
    use souk_protocol::checkout::CheckoutRequest;

    use super::*;

    async fn code(headers: &[(header::HeaderName, &str)], body: Vec<u8>, limit: usize) -> String {
        let map = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        match read(&map, Body::from(body), limit).await {
            Ok(bytes) => bytes.len().to_string(),
            Err(error) => error.code().to_owned(),
        }
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 3).unwrap()
    }

    #[tokio::test]
    async fn sizes_and_encodings() {
        let zstd = (header::CONTENT_ENCODING, "zstd");
        assert_eq!(code(&[], vec![b' '; 100], 100).await, "100");
        assert_eq!(code(&[], vec![b' '; 101], 100).await, "request.too_large");
        assert_eq!(code(&[(header::CONTENT_LENGTH, "101")], vec![], 100).await, "request.too_large");
        assert_eq!(code(&[(header::CONTENT_ENCODING, "gzip")], vec![], 100).await, "request.encoding");
        assert_eq!(code(&[(header::CONTENT_ENCODING, "identity")], vec![b' '; 3], 100).await, "3");
        let noise: Vec<u8> =
            (0..10_000u32).flat_map(|n| souk_crypto::hash::sha256(&n.to_be_bytes())).take(5_000).collect();
        assert_eq!(code(std::slice::from_ref(&zstd), packed(&noise), 10_000).await, "5000");
        assert_eq!(code(std::slice::from_ref(&zstd), b"not packed".to_vec(), 100).await, "request.encoding");
        assert_eq!(code(std::slice::from_ref(&zstd), packed(&[b' '; 101]), 100).await, "request.too_large");
        assert_eq!(code(std::slice::from_ref(&zstd), packed(&[b' '; 100]), 100).await, "100");
        assert_eq!(code(std::slice::from_ref(&zstd), Vec::new(), 100).await, "request.encoding");
    }

    #[tokio::test]
    async fn a_bomb_is_not_unpacked() {
        let zstd = [(header::CONTENT_ENCODING, "zstd")];
        let bomb = packed(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        assert_eq!(code(&zstd, bomb, 128 << 10).await, "request.too_large");
        // At the ratio and one above it, where the limit alone would let both pass.
        let zeros = |bytes: usize| packed(&vec![0; bytes]);
        let at = (10..60).map(|size| size * ZSTD_RATIO_MAX);
        let at =
            at.clone().find(|n| [*n, n + 1].iter().all(|n| zeros(*n).len() == n / ZSTD_RATIO_MAX)).unwrap();
        assert_eq!(code(&zstd, zeros(at), 1 << 20).await, at.to_string());
        assert_eq!(code(&zstd, zeros(at + 1), 1 << 20).await, "request.too_large");
    }

    #[test]
    fn malformed_json_is_placed() {
        let texts = [
            "",
            "{",
            "[]",
            r#"{"lines":[{"offer":"000000000000000001a1000000000042","q":2}]}"#,
            r#"{"lines":[{"offer":"000000000000000001a1000000000042"}]}"#,
            r#"{"lines":[{"offer":"xyz","q":2}]}"#,
            r#"{"lines":[{"offer":"000000000000000001a1000000000042","q":-2}]}"#,
            "{\n \"lines\": 7}",
            r#"{"line":[]}"#,
            r#"{"lines":[],"lines":[]}"#,
            r#"{"lines":[]} x"#,
        ];
        let seen: Vec<String> = texts
            .iter()
            .map(|text| match json::<CheckoutRequest>(text.as_bytes()) {
                Ok(request) => format!("{} lines", request.lines.len()),
                Err(error) => format!("{error:?}").split("facts: ").nth(1).unwrap_or_default().to_owned(),
            })
            .map(|text| text.split(", status").next().unwrap_or_default().to_owned())
            .collect();
        expect![[r#"
            Facts({"at": Int(0)}) }
            Facts({"at": Int(0)}) }
            Facts({"at": Int(1)}) }
            1 lines
            Facts({"at": Int(53), "field": Text("lines[0].q")}) }
            Facts({"at": Int(23), "field": Text("lines[0].offer")}) }
            Facts({"at": Int(59), "field": Text("lines[0].q")}) }
            Facts({"at": Int(12), "field": Text("lines")}) }
            Facts({"at": Int(10), "field": Text("lines")}) }
            Facts({"at": Int(18)}) }
            Facts({"at": Int(13)}) }"#]]
        .assert_eq(&seen.join("\n"));
    }

    #[test]
    fn deep_and_wide_json_ends_without_a_panic() {
        let deep = "[".repeat(100_000);
        assert_eq!(json::<serde_json::Value>(deep.as_bytes()).unwrap_err().code(), "request.form");
        let wide = format!("{{{}\"z\":1}}", (0..10_000).map(|n| format!("\"k{n}\":0,")).collect::<String>());
        assert_eq!(json::<CheckoutRequest>(wide.as_bytes()).unwrap_err().code(), "request.form");
        assert_eq!(json::<CheckoutRequest>(&[0xff, 0xfe]).unwrap_err().code(), "request.form");
    }

    #[test]
    fn only_json_is_json() {
        let with = |value: &str| {
            let map = HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
            is_json(&map).map_err(|error| error.into_response().status().as_u16())
        };
        assert_eq!(is_json(&HeaderMap::new()).map_err(|error| error.code()), Ok(()));
        assert_eq!(with("application/json"), Ok(()));
        assert_eq!(with("Application/JSON; charset=utf-8"), Ok(()));
        assert_eq!(with("text/plain"), Err(415));
        assert_eq!(with("application/x-www-form-urlencoded"), Err(415));
    }
}
