//! Signed webhooks: header `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body">`, as Stripe and our sandbox sign.
//!
//! Not for: what a body says (each adapter), storing (engine). Rules: spec/money.md 6, *Webhooks in*. Always: the raw
//! bytes are checked, in constant time, against at most two live secrets; nothing is read from a body before that.

use axum::http::HeaderMap;
use souk_crypto::hmac;
use souk_domain::id::{hex, unhex};
use souk_domain::time::{Span, Time};

/// Bytes of a webhook's body; providers send a few KiB (spec/money.md 6).
pub const WEBHOOK_BODY_BYTES_MAX: usize = 256 * 1024;

/// How far the time in a signature may be from ours, either way: past it a caught webhook cannot be played again.
pub const WEBHOOK_WINDOW: Span = Span::from_secs(300);

/// Characters of a signature header: a time and [`SIGNATURES_MAX`] signatures have 288.
pub const SIGNATURE_HEADER_CHARS_MAX: usize = 512;

/// Signatures in one header: a provider that turns its secret signs with both, twice is room enough.
pub const SIGNATURES_MAX: usize = 4;

/// Bytes of a webhook secret: 128 bits or more, and what fits a settings page.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

/// Why a webhook was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebhookError {
    /// Body above [`WEBHOOK_BODY_BYTES_MAX`]. HTTP 413.
    #[error("webhook.too_large")]
    TooLarge,
    /// No signature header. HTTP 401.
    #[error("webhook.signature_missing")]
    SignatureMissing,
    /// Signature header that cannot be read, or two of them. HTTP 401.
    #[error("webhook.signature_form")]
    SignatureForm,
    /// No signature fits a live secret. HTTP 401.
    #[error("webhook.signature")]
    Signature,
    /// Signed well, but further than [`WEBHOOK_WINDOW`] from now. HTTP 401.
    #[error("webhook.too_old")]
    TooOld,
    /// Signed well, but not a body of this rail. HTTP 400.
    #[error("webhook.body")]
    Body,
    /// A secret outside [`SECRET_BYTES`] in our settings.
    #[error("webhook.secret")]
    Secret,
}

impl WebhookError {
    /// The stable code, `webhook.reason`.
    pub fn code(self) -> &'static str {
        match self {
            WebhookError::TooLarge => "webhook.too_large",
            WebhookError::SignatureMissing => "webhook.signature_missing",
            WebhookError::SignatureForm => "webhook.signature_form",
            WebhookError::Signature => "webhook.signature",
            WebhookError::TooOld => "webhook.too_old",
            WebhookError::Body => "webhook.body",
            WebhookError::Secret => "webhook.secret",
        }
    }

    /// The HTTP status of the answer to the provider.
    pub fn http_status(self) -> u16 {
        match self {
            WebhookError::TooLarge => 413,
            WebhookError::Body => 400,
            WebhookError::Secret => 500,
            WebhookError::SignatureMissing
            | WebhookError::SignatureForm
            | WebhookError::Signature
            | WebhookError::TooOld => 401,
        }
    }
}

/// The live secrets of one webhook: one, or two while the old one is being replaced. Never printed.
#[derive(Clone)]
pub struct WebhookSecrets {
    current: Vec<u8>,
    previous: Option<Vec<u8>>,
}

impl WebhookSecrets {
    /// Takes the current secret and, while turning, the one before. Refuses `webhook.secret`.
    pub fn new(current: &str, previous: Option<&str>) -> Result<WebhookSecrets, WebhookError> {
        let checked = |secret: &str| {
            SECRET_BYTES
                .contains(&secret.len())
                .then(|| secret.as_bytes().to_vec())
                .ok_or(WebhookError::Secret)
        };
        Ok(WebhookSecrets { current: checked(current)?, previous: previous.map(checked).transpose()? })
    }

    fn live(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.current.as_slice()).chain(self.previous.as_deref())
    }
}

impl std::fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecrets(..)")
    }
}

/// The value of the signature header for a body that is sent now.
pub fn signature(secret: &str, body: &[u8], now: Time) -> String {
    let t = now.secs();
    format!("t={t},v1={}", hex(&hmac::sha256(secret.as_bytes(), &signed_bytes(&t.to_string(), body))))
}

/// Checks size, signature and time of a raw body. Errors in this order: `webhook.too_large`,
/// `webhook.signature_missing`, `webhook.signature_form`, `webhook.signature`, `webhook.too_old`.
pub fn check(
    headers: &HeaderMap,
    header_name: &str,
    body: &[u8],
    secrets: &WebhookSecrets,
    now: Time,
) -> Result<(), WebhookError> {
    if body.len() > WEBHOOK_BODY_BYTES_MAX {
        return Err(WebhookError::TooLarge);
    }
    let mut values = headers.get_all(header_name).iter();
    let value = values.next().ok_or(WebhookError::SignatureMissing)?;
    if values.next().is_some() {
        return Err(WebhookError::SignatureForm);
    }
    let header = Header::parse(value.to_str().map_err(|_| WebhookError::SignatureForm)?)?;
    let message = signed_bytes(header.t, body);
    let fits = secrets.live().any(|secret| {
        header.signatures.iter().any(|signature| hmac::verify(secret, &message, signature).is_ok())
    });
    if !fits {
        return Err(WebhookError::Signature);
    }
    let apart = now.since(Time::from_secs(header.t_secs));
    if apart.secs().abs() > WEBHOOK_WINDOW.secs() { Err(WebhookError::TooOld) } else { Ok(()) }
}

/// A signature header in its parts. The text of the time is kept: it is what was signed.
struct Header<'a> {
    t: &'a str,
    t_secs: i64,
    signatures: Vec<[u8; 32]>,
}

impl<'a> Header<'a> {
    /// Names that we do not know are left out, so that a provider may add a scheme.
    fn parse(text: &'a str) -> Result<Header<'a>, WebhookError> {
        const FORM: WebhookError = WebhookError::SignatureForm;
        if text.len() > SIGNATURE_HEADER_CHARS_MAX {
            return Err(FORM);
        }
        let (mut time, mut signatures) = (None, Vec::new());
        for part in text.split(',') {
            match part.split_once('=').ok_or(FORM)? {
                ("t", digits) if time.is_none() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    // Twelve digits of seconds last until the year 33658 and fit microseconds.
                    let secs = Some(digits).filter(|digits| digits.len() <= 12).and_then(|d| d.parse().ok());
                    time = Some((digits, secs.ok_or(FORM)?));
                }
                ("t", _) => return Err(FORM),
                ("v1", digits) if signatures.len() < SIGNATURES_MAX => {
                    let bytes = unhex(digits).map_err(|_| FORM)?;
                    signatures.push(bytes.try_into().map_err(|_| FORM)?);
                }
                ("v1", _) => return Err(FORM),
                _ => {}
            }
        }
        let (t, t_secs) = time.ok_or(FORM)?;
        if signatures.is_empty() { Err(FORM) } else { Ok(Header { t, t_secs, signatures }) }
    }
}

fn signed_bytes(t: &str, body: &[u8]) -> Vec<u8> {
    [t.as_bytes(), b".", body].concat()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const NAME: &str = "x-signature";
    const NEW: &str = "the-current-secret";
    const OLD: &str = "the-previous-secret";
    const NOW: Time = Time::from_secs(1_767_225_600);

    fn outcome(header: &str, body: &[u8], now: Time) -> &'static str {
        let secrets = WebhookSecrets::new(NEW, Some(OLD)).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        check(&headers, NAME, body, &secrets, now).map_or_else(WebhookError::code, |()| "ok")
    }

    /// Vector: `printf '1767225600.{}' | openssl dgst -sha256 -hmac the-current-secret`.
    #[test]
    fn signature_vector() {
        assert_eq!(
            signature(NEW, b"{}", NOW),
            "t=1767225600,v1=73c866a8cca8117858ab5527bf7d7b2fae7162741d23788871817fd61b321411"
        );
    }

    #[test]
    fn two_secrets_are_live_and_no_third() {
        for (secret, expected) in [(NEW, "ok"), (OLD, "ok"), ("a-retired-secret!", "webhook.signature")] {
            assert_eq!(outcome(&signature(secret, b"body", NOW), b"body", NOW), expected, "{secret}");
        }
        assert_eq!(outcome(&signature(NEW, b"body", NOW), b"bodY", NOW), "webhook.signature");
        let other_time = signature(NEW, b"body", NOW).replace("t=1767225600", "t=1767225601");
        assert_eq!(outcome(&other_time, b"body", NOW), "webhook.signature");
    }

    #[test]
    fn window_at_its_edges() {
        let header = signature(NEW, b"body", NOW);
        for (later_secs, expected) in
            [(-301, "webhook.too_old"), (-300, "ok"), (0, "ok"), (300, "ok"), (301, "webhook.too_old")]
        {
            assert_eq!(
                outcome(&header, b"body", NOW.plus(Span::from_secs(later_secs))),
                expected,
                "{later_secs}"
            );
        }
    }

    #[test]
    fn forms_of_the_header() {
        let v1 = hex(&hmac::sha256(NEW.as_bytes(), b"1767225600.body"));
        let wrong = "00".repeat(32);
        for (header, expected) in [
            (format!("t=1767225600,v1={v1}"), "ok"),
            (format!("v1={v1},t=1767225600"), "ok"),
            (format!("t=1767225600,v0=abc,v1={wrong},v1={v1}"), "ok"),
            (format!("t=1767225600{},v1={v1}", format!(",v1={wrong}").repeat(3)), "ok"),
            (format!("t=1767225600{},v1={v1}", format!(",v1={wrong}").repeat(4)), "webhook.signature_form"),
            (format!("t=1767225600,v1={wrong}"), "webhook.signature"),
            (format!("t=1767225600,v1={}", v1.to_uppercase()), "webhook.signature_form"),
            (format!("t=1767225600,v1={}", &v1[..62]), "webhook.signature_form"),
            (format!("t=1767225600,t=1767225600,v1={v1}"), "webhook.signature_form"),
            (format!("t=,v1={v1}"), "webhook.signature_form"),
            (format!("t=-1767225600,v1={v1}"), "webhook.signature_form"),
            (format!("t=1767225600123,v1={v1}"), "webhook.signature_form"),
            (format!("v1={v1}"), "webhook.signature_form"),
            ("t=1767225600".to_owned(), "webhook.signature_form"),
            (String::new(), "webhook.signature_form"),
            (format!("t=1767225600,v1={v1},{}", "x=".repeat(250)), "webhook.signature_form"),
        ] {
            assert_eq!(outcome(&header, b"body", NOW), expected, "{header}");
        }
    }

    proptest::proptest! {
        /// Whatever stands in the header, it is not taken without a signature, and nothing panics.
        #[test]
        fn no_header_gets_in_without_a_secret(t in "[0-9]{0,14}", rest in "(,(t|v1|v0)=[0-9a-f]{0,70}){0,6}", free in "[ -~]{0,60}") {
            for header in [format!("t={t}{rest}"), free] {
                proptest::prop_assert_ne!(outcome(&header, b"body", NOW), "ok", "{}", header);
            }
        }
    }

    #[test]
    fn missing_and_doubled_headers() {
        let secrets = WebhookSecrets::new(NEW, None).unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(check(&headers, NAME, b"", &secrets, NOW), Err(WebhookError::SignatureMissing));
        for _ in 0..2 {
            headers.append(NAME, HeaderValue::from_str(&signature(NEW, b"", NOW)).unwrap());
        }
        assert_eq!(check(&headers, NAME, b"", &secrets, NOW), Err(WebhookError::SignatureForm));
    }

    #[test]
    fn limits_at_n_and_one_more() {
        for (bytes, expected) in
            [(WEBHOOK_BODY_BYTES_MAX, "ok"), (WEBHOOK_BODY_BYTES_MAX + 1, "webhook.too_large")]
        {
            let body = vec![b'x'; bytes];
            assert_eq!(outcome(&signature(NEW, &body, NOW), &body, NOW), expected);
        }
        for (bytes, good) in [(15, false), (16, true), (256, true), (257, false)] {
            assert_eq!(WebhookSecrets::new(&"s".repeat(bytes), None).is_ok(), good, "{bytes}");
        }
    }
}
