//! Outcomes: the one stored answer to an intent, and the words of a refusal.
//!
//! Always: an outcome never changes. Accept and refuse are both outcomes; *held*, *pending*, *checking* are states of
//! rows that an accepted intent made.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::money::Money;
use crate::time::Time;

/// The one answer to an intent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Outcome {
    /// Done, with what it made.
    Accepted {
        /// When.
        at: Time,
        /// What it made: named facts of the kind.
        data: Facts,
    },
    /// Not done, and nothing changed.
    Rejected {
        /// Stable code `area.reason`.
        code: Cow<'static, str>,
        /// Facts of that code.
        data: Facts,
    },
    /// It came after its `not_after`.
    Expired,
    /// The user took it back before it was decided.
    Withdrawn,
}

impl Outcome {
    /// True if it was accepted.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Outcome::Accepted { .. })
    }

    /// The code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            Outcome::Rejected { code, .. } => Some(code),
            Outcome::Expired => Some("intent.expired"),
            Outcome::Accepted { .. } | Outcome::Withdrawn => None,
        }
    }
}

/// Named facts of an outcome, in order of their names.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(pub BTreeMap<Cow<'static, str>, Fact>);

/// One fact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// A sum.
    Money(Money),
    /// A number; its unit is in the name.
    Int(i64),
    /// Yes or no.
    Flag(bool),
    /// A text or an id.
    Text(String),
    /// Several, one a line of an order.
    List(Vec<Facts>),
}

impl Facts {
    /// No facts.
    pub fn none() -> Facts {
        Facts::default()
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: impl Into<Fact>) -> Facts {
        self.0.insert(Cow::Borrowed(name), fact.into());
        self
    }

    /// Adds an id or anything else that has a text.
    #[must_use]
    pub fn with_text(self, name: &'static str, text: impl ToString) -> Facts {
        self.with(name, Fact::Text(text.to_string()))
    }

    /// A fact by name.
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.0.get(name)
    }

    /// The text of a fact by name.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Fact::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number of a fact by name.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Fact::Int(number)) => Some(*number),
            _ => None,
        }
    }
}

impl From<Money> for Fact {
    fn from(money: Money) -> Fact {
        Fact::Money(money)
    }
}
impl From<i64> for Fact {
    fn from(number: i64) -> Fact {
        Fact::Int(number)
    }
}
impl From<u32> for Fact {
    fn from(number: u32) -> Fact {
        Fact::Int(number.into())
    }
}
impl From<bool> for Fact {
    fn from(flag: bool) -> Fact {
        Fact::Flag(flag)
    }
}
impl From<Time> for Fact {
    fn from(time: Time) -> Fact {
        Fact::Int(time.micros())
    }
}
impl From<&str> for Fact {
    fn from(text: &str) -> Fact {
        Fact::Text(text.to_owned())
    }
}
impl From<String> for Fact {
    fn from(text: String) -> Fact {
        Fact::Text(text)
    }
}
impl From<Vec<Facts>> for Fact {
    fn from(list: Vec<Facts>) -> Fact {
        Fact::List(list)
    }
}

/// Why a rule says no: a stable code and its facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// `area.reason`.
    pub code: &'static str,
    /// Facts of that code.
    pub facts: Facts,
}

impl Refusal {
    /// A refusal without facts.
    pub fn new(code: &'static str) -> Refusal {
        Refusal { code, facts: Facts::none() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, fact: impl Into<Fact>) -> Refusal {
        self.facts = self.facts.with(name, fact);
        self
    }

    /// The outcome that is stored.
    pub fn into_outcome(self) -> Outcome {
        Outcome::Rejected { code: Cow::Borrowed(self.code), data: self.facts }
    }
}
