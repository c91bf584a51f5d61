//! `souk qr decode`: payment codes line by line (spec/money.md 2.3).

use std::io::{BufRead, Write};

use serde_json::json;
use souk_codes::emv::{self, Level};

use crate::failure::Failure;

/// Decodes each line of `input`; one JSON object a line on `out`.
pub fn decode(level: Level, input: impl BufRead, mut out: impl Write) -> Result<(), Failure> {
    for line in input.split(b'\n') {
        let mut line = line?;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let answer = match std::str::from_utf8(&line) {
            Ok(text) => decode_line(text, level),
            Err(error) => {
                json!({"ok": false, "code": "qr.bad_text", "message": "not UTF-8", "at": error.valid_up_to()})
            }
        };
        match writeln!(out, "{answer}") {
            // Whoever read has seen enough (`| head`).
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}

fn decode_line(text: &str, level: Level) -> serde_json::Value {
    match emv::parse(text, level) {
        Ok(qr) => {
            let fields: serde_json::Map<String, serde_json::Value> =
                qr.fields().into_iter().map(|(path, value)| (path, value.into())).collect();
            let reemit = emv::emit(&emv::QrBuild::from_qr(&qr)).unwrap_or_default();
            let warnings: Vec<&str> = qr.warnings.iter().map(|warning| warning.kind.code()).collect();
            json!({"ok": true, "kind": "mpm", "profile": profile(&qr), "fields": fields, "reemit": reemit, "warnings": warnings})
        }
        Err(error) => {
            json!({"ok": false, "code": error.code(), "message": error.to_string(), "at": error.at()})
        }
    }
}

/// The profile that a code is recognised as; others come with the national profiles.
fn profile(qr: &emv::Qr) -> Option<&'static str> {
    souk_codes::paycode::is_ours(qr).then_some("souk")
}
