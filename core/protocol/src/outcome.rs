//! Outcomes as they travel: `{"is":"accepted","at","data"}`, `{"is":"rejected","code","data"}`, `{"is":"expired"}`,
//! `{"is":"withdrawn"}` (spec/sync.md 5).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use souk_domain::money::Money;
use souk_domain::outcome::{Fact, Facts, Outcome};
use souk_domain::time::Time;

/// The one answer to an intent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum OutcomeView {
    /// Done.
    Accepted {
        /// When, epoch microseconds.
        at: Time,
        /// What it made: named facts of the kind.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        data: Map<String, Value>,
    },
    /// Not done, and nothing changed.
    Rejected {
        /// Stable code `area.reason`.
        code: String,
        /// Facts of that code.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        data: Map<String, Value>,
    },
    /// It came after its `not_after`.
    Expired,
    /// The user took it back before it was decided.
    Withdrawn,
}

impl From<&Outcome> for OutcomeView {
    fn from(outcome: &Outcome) -> OutcomeView {
        match outcome {
            Outcome::Accepted { at, data } => OutcomeView::Accepted { at: *at, data: members(data) },
            Outcome::Rejected { code, data } => {
                OutcomeView::Rejected { code: code.clone().into_owned(), data: members(data) }
            }
            Outcome::Expired => OutcomeView::Expired,
            Outcome::Withdrawn => OutcomeView::Withdrawn,
        }
    }
}

/// Facts of a form that this program does not know are left out: a newer server may add some.
impl From<OutcomeView> for Outcome {
    fn from(view: OutcomeView) -> Outcome {
        match view {
            OutcomeView::Accepted { at, data } => Outcome::Accepted { at, data: facts(data) },
            OutcomeView::Rejected { code, data } => {
                Outcome::Rejected { code: Cow::Owned(code), data: facts(data) }
            }
            OutcomeView::Expired => Outcome::Expired,
            OutcomeView::Withdrawn => Outcome::Withdrawn,
        }
    }
}

/// Facts as members of a JSON object: outcomes and error bodies carry them so.
pub fn members(facts: &Facts) -> Map<String, Value> {
    facts.0.iter().map(|(name, fact)| (name.clone().into_owned(), value(fact))).collect()
}

/// Members of a JSON object as facts; what is no fact is left out.
pub fn facts(members: Map<String, Value>) -> Facts {
    Facts(members.into_iter().filter_map(|(name, value)| Some((Cow::Owned(name), fact(value)?))).collect())
}

fn value(fact: &Fact) -> Value {
    match fact {
        Fact::Money(money) => {
            serde_json::json!({"minor": money.minor, "currency": money.currency.code()})
        }
        Fact::Int(number) => Value::from(*number),
        Fact::Flag(flag) => Value::from(*flag),
        Fact::Text(text) => Value::from(text.as_str()),
        Fact::List(list) => Value::Array(list.iter().map(|facts| Value::Object(members(facts))).collect()),
    }
}

fn fact(value: Value) -> Option<Fact> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(Fact::Flag(flag)),
        Value::Number(number) => number.as_i64().map(Fact::Int),
        Value::String(text) => Some(Fact::Text(text)),
        Value::Array(items) => items
            .into_iter()
            .map(|item| match item {
                Value::Object(members) => Some(facts(members)),
                _ => None,
            })
            .collect::<Option<_>>()
            .map(Fact::List),
        Value::Object(_) => serde_json::from_value::<Money>(value).ok().map(Fact::Money),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use souk_domain::money::Currency;
    use souk_domain::outcome::Refusal;

    use super::*;

    #[test]
    fn forms_on_the_wire() {
        let krw = |minor| Money::new(minor, Currency::KRW);
        let line = Facts::none().with("line", 0i64).with("wanted", 3u32);
        let outcomes = [
            Outcome::Accepted {
                at: Time::from_micros(1_795_348_801_000_000),
                data: Facts::none()
                    .with_text("order", "01a2")
                    .with("partial", true)
                    .with("total", krw(25_800)),
            },
            Refusal::new("price.changed").with("old", krw(12_900)).with("new", krw(13_900)).into_outcome(),
            Refusal::new("stock.short").with("lines", vec![line]).into_outcome(),
            Refusal::new("shop.closed").into_outcome(),
            Outcome::Expired,
            Outcome::Withdrawn,
        ];
        let texts: Vec<String> = outcomes
            .iter()
            .map(|outcome| serde_json::to_string(&OutcomeView::from(outcome)).unwrap())
            .collect();
        expect![[r#"
            {"is":"accepted","at":1795348801000000,"data":{"order":"01a2","partial":true,"total":{"currency":"KRW","minor":25800}}}
            {"is":"rejected","code":"price.changed","data":{"new":{"currency":"KRW","minor":13900},"old":{"currency":"KRW","minor":12900}}}
            {"is":"rejected","code":"stock.short","data":{"lines":[{"line":0,"wanted":3}]}}
            {"is":"rejected","code":"shop.closed"}
            {"is":"expired"}
            {"is":"withdrawn"}"#]]
        .assert_eq(&texts.join("\n"));
        for (outcome, text) in outcomes.into_iter().zip(texts) {
            let view: OutcomeView = serde_json::from_str(&text).unwrap();
            assert_eq!(Outcome::from(view), outcome);
        }
    }

    #[test]
    fn facts_of_a_newer_server_are_left_out() {
        let text =
            r#"{"is":"rejected","code":"a.b","data":{"n":null,"f":1.5,"o":{"x":1},"l":[1],"k":7},"more":1}"#;
        let view: OutcomeView = serde_json::from_str(text).unwrap();
        assert_eq!(Outcome::from(view), Refusal::new("a.b").with("k", 7i64).into_outcome());
    }
}
