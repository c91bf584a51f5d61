//! Failures of the program: a stable code, a message and facts; printed as JSON, exit code 1 (design.md 9).
//!
//! Always: the message is for people and never says the code again; what a program needs stands in the facts.

use serde::Serialize;
use souk_domain::outcome::{Fact, Facts};
use souk_protocol::codes;

/// Why a command failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// `area.reason`.
    pub code: String,
    /// For people, in English.
    pub message: String,
    /// Facts of the code: which state, how many, how much.
    #[serde(skip_serializing_if = "has_none")]
    pub facts: Facts,
}

fn has_none(facts: &Facts) -> bool {
    facts.0.is_empty()
}

impl Failure {
    /// A failure. A code in front of the message is left out.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Failure {
        let (code, message) = (code.into(), message.into());
        let bare = message.strip_prefix(&code).and_then(|rest| rest.strip_prefix(": ")).map(str::to_owned);
        Failure { message: bare.unwrap_or(message), code, facts: Facts::none() }
    }

    /// What a rule or the device refuses: the meaning of the code, and its facts in words.
    pub fn refused(code: &str, facts: Facts) -> Failure {
        let meaning = codes::find(code).map_or("refused", |row| row.meaning);
        Failure { code: code.to_owned(), message: with_facts(meaning, &facts), facts }
    }

    /// The same, with what it is about in front: a file, an address, what was typed.
    #[must_use]
    pub fn about(self, what: impl std::fmt::Display) -> Failure {
        Failure { message: format!("{what}: {}", self.message), ..self }
    }

    /// `{"error":{"code","message","facts"}}`; no facts, no member.
    pub fn to_json(&self) -> String {
        serde_json::json!({"error": self}).to_string()
    }
}

/// `the order is in another state (axis: order, value: closed)`. Lists are for programs and left out.
fn with_facts(meaning: &str, facts: &Facts) -> String {
    let words: Vec<String> = facts
        .0
        .iter()
        .filter_map(|(name, fact)| match fact {
            Fact::Money(money) => Some(format!("{name}: {money}")),
            Fact::Int(number) => Some(format!("{name}: {number}")),
            Fact::Flag(flag) => Some(format!("{name}: {flag}")),
            Fact::Text(text) => Some(format!("{name}: {text}")),
            Fact::List(_) => None,
        })
        .collect();
    if words.is_empty() { meaning.to_owned() } else { format!("{meaning} ({})", words.join(", ")) }
}

impl From<souk_device::error::SoukError> for Failure {
    fn from(error: souk_device::error::SoukError) -> Failure {
        if error.message.is_empty() {
            return Failure::refused(&error.code, error.facts);
        }
        let message = with_facts(&error.message, &error.facts);
        Failure { facts: error.facts, ..Failure::new(error.code, message) }
    }
}

impl From<souk_store::StoreError> for Failure {
    fn from(error: souk_store::StoreError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

impl From<souk_engine::EngineError> for Failure {
    fn from(error: souk_engine::EngineError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::new("program.io", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use souk_device::error::SoukError;
    use souk_domain::outcome::Refusal;

    use super::*;

    #[test]
    fn messages_say_the_state_and_not_the_code() {
        let refusal = Refusal::new("order.state").with("axis", "shipment").with("value", "delivered");
        let failure = Failure::from(SoukError::from(refusal));
        assert_eq!(
            failure.to_json(),
            r#"{"error":{"code":"order.state","facts":{"axis":"shipment","value":"delivered"},"message":"the order is in another state (axis: shipment, value: delivered)"}}"#
        );
        for (code, message, told) in [
            ("store.io", "store.io: the disk failed", "the disk failed"),
            ("store.io", "the disk failed", "the disk failed"),
            ("store.io", "store.iou", "store.iou"),
        ] {
            let failure = Failure::new(code, message);
            assert_eq!((failure.code.as_str(), failure.message.as_str()), (code, told));
        }
        assert_eq!(
            Failure::new("a.b", "no").about("x.png").to_json(),
            r#"{"error":{"code":"a.b","message":"x.png: no"}}"#
        );
    }
}
