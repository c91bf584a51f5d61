//! What the server made of the acts of one command.
//!
//! Always: one refused act makes the whole command a failure with the act's code; a predicted fact is told as one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use souk_device::facade::views::{PendingState, PendingView};
use souk_domain::id::IntentId;

use crate::failure::Failure;

/// Codes of parked acts that the server has refused from this device: nothing that the user says makes them good.
const REFUSED_PARKED: [&str; 2] = ["intent.actor", "intent.conflict"];
/// Facts of a product that the device can only guess at before the server has decided: its ids.
const GUESSED: [&str; 2] = ["offer", "product"];

/// Acts as the device has them at the end of a command.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Acts of this command, in order.
    pub(super) made: Vec<PendingView>,
    /// Earlier acts of which this command has heard the end.
    pub(super) earlier: Vec<PendingView>,
    /// Acts of the device that are not decided.
    pub(super) undecided: u64,
    /// Whether the server answered.
    pub(super) is_online: bool,
}

impl Heard {
    /// Sorts the acts that the device shows now by what it showed before the command.
    pub(super) fn of(
        now: Vec<PendingView>,
        before: &BTreeMap<IntentId, PendingState>,
        undecided: u64,
        is_online: bool,
    ) -> Heard {
        let mut heard = Heard { undecided, is_online, ..Heard::default() };
        for act in now {
            match before.get(&act.id) {
                None => heard.made.push(act),
                Some(state) if is_news(*state, act.state) => heard.earlier.push(act),
                Some(_) => {}
            }
        }
        heard
    }

    /// Acts that were accepted.
    pub(super) fn accepted(&self) -> Vec<IntentId> {
        let all = self.made.iter().chain(&self.earlier);
        all.filter(|act| act.state == PendingState::Accepted).map(|act| act.id).collect()
    }

    /// The answer of the command: the first refusal of one of its acts, or what it had to say with `acts`, `earlier`,
    /// `state`, `undecided` and `online` beside it.
    pub(super) fn answer(&self, done: Result<Value, Failure>) -> Result<Value, Failure> {
        if let Some(refused) = self.made.iter().find_map(refusal) {
            return Err(refused);
        }
        let mut answer = done?;
        let Some(members) = answer.as_object_mut() else { return Ok(answer) };
        if let [act] = self.made.as_slice()
            && members.contains_key("facts")
        {
            // The prediction has served; without an outcome its guesses are none.
            members.insert("facts".to_owned(), facts_of(act));
            if act.state == PendingState::Accepted {
                members.remove("sure");
                members.remove("warning");
            }
        }
        if !self.made.is_empty() {
            let is_done = self.made.iter().all(|act| act.state == PendingState::Accepted);
            members.insert("state".to_owned(), if is_done { "accepted" } else { "undecided" }.into());
            members.insert("acts".to_owned(), self.made.iter().map(act_json).collect());
        }
        if !self.earlier.is_empty() {
            members.insert("earlier".to_owned(), self.earlier.iter().map(act_json).collect());
        }
        members.insert("undecided".to_owned(), self.undecided.into());
        members.insert("online".to_owned(), self.is_online.into());
        Ok(super::words::with_times(answer))
    }
}

/// Whether a person is told about an earlier act: it was decided in between, or was accepted and never told.
fn is_news(before: PendingState, now: PendingState) -> bool {
    match now {
        PendingState::Accepted => true,
        PendingState::Rejected | PendingState::Expired | PendingState::NeedsYou => before != now,
        PendingState::Queued | PendingState::Sent | PendingState::Withdrawn => false,
    }
}

/// Why an act was not done; none while it may still be.
pub(super) fn refusal(act: &PendingView) -> Option<Failure> {
    let code = act.code.as_deref().unwrap_or("intent.refused");
    match act.state {
        PendingState::Rejected | PendingState::Expired => Some(Failure::refused(code, act.facts.clone())),
        PendingState::NeedsYou if REFUSED_PARKED.contains(&code) => {
            Some(Failure::refused(code, act.facts.clone()))
        }
        PendingState::NeedsYou
        | PendingState::Queued
        | PendingState::Sent
        | PendingState::Accepted
        | PendingState::Withdrawn => None,
    }
}

/// The word for a state. Whether an undecided act has left the device nobody can say for certain, so one word is all.
pub(super) fn state_word(state: PendingState) -> &'static str {
    match state {
        PendingState::Queued | PendingState::Sent => "undecided",
        PendingState::NeedsYou => "needs_you",
        PendingState::Accepted => "accepted",
        PendingState::Rejected => "rejected",
        PendingState::Expired => "expired",
        PendingState::Withdrawn => "withdrawn",
    }
}

/// Decided facts, or predicted ones without what only the server can give.
fn facts_of(act: &PendingView) -> Value {
    let mut facts = souk_protocol::outcome::members(&act.facts);
    if act.kind == "PutProduct" && act.state != PendingState::Accepted {
        for name in GUESSED {
            facts.insert(name.to_owned(), Value::Null);
        }
    }
    Value::Object(facts)
}

/// An act as programs read it.
pub(super) fn act_json(act: &PendingView) -> Value {
    let mut json = json!({
        "id": act.id,
        "kind": act.kind,
        "title": act.title,
        "state": state_word(act.state),
        "made_at": act.made_at,
        "ways": act.ways,
    });
    if let Some(members) = json.as_object_mut() {
        if let Some(code) = &act.code {
            let refused = Failure::refused(code, act.facts.clone());
            members.insert("code".to_owned(), refused.code.into());
            members.insert("message".to_owned(), refused.message.into());
        }
        if !act.facts.0.is_empty() {
            members.insert("facts".to_owned(), facts_of(act));
        }
        if !act.changed.is_empty() {
            members.insert("changed".to_owned(), json!(act.changed));
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use souk_device::outbox::Confidence;
    use souk_domain::outcome::Facts;
    use souk_domain::time::Time;

    use super::*;

    fn act(number: u8, kind: &str, state: PendingState, code: Option<&str>) -> PendingView {
        let mut bytes = souk_domain::id::form_u(0, souk_domain::id::Bucket::PUBLIC, [0; 9]);
        bytes[15] = number;
        PendingView {
            id: IntentId::from_bytes(bytes).unwrap(),
            kind: kind.to_owned(),
            title: "Wireless earphones".to_owned(),
            made_at: Time::from_micros(0),
            age_us: 0,
            state,
            sure: Confidence::Unknown,
            code: code.map(str::to_owned),
            facts: Facts::none().with("offer", "guess").with("created", true),
            attempts: 1,
            again: false,
            changed: Vec::new(),
            ways: Vec::new(),
        }
    }

    fn answer(states: &[(PendingState, Option<&str>)]) -> Result<Value, String> {
        let acts = states.iter().zip(1..).map(|((state, code), n)| act(n, "PutProduct", *state, *code));
        let heard = Heard::of(acts.collect(), &BTreeMap::new(), 1, true);
        heard.answer(Ok(json!({"facts": {}, "sure": "unknown"}))).map_err(|failure| failure.code)
    }

    #[test]
    fn a_refused_act_fails_the_command() {
        use PendingState::{Accepted, Expired, NeedsYou, Queued, Rejected, Sent, Withdrawn};
        for (states, expected) in [
            (vec![(Accepted, None)], Ok("accepted")),
            (vec![(Queued, None)], Ok("undecided")),
            (vec![(Sent, None)], Ok("undecided")),
            (vec![(Accepted, None), (Sent, None)], Ok("undecided")),
            (vec![(Withdrawn, None)], Ok("undecided")),
            (vec![(NeedsYou, Some("intent.age_unknown"))], Ok("undecided")),
            (vec![(NeedsYou, Some("intent.conflict"))], Err("intent.conflict")),
            (vec![(NeedsYou, Some("intent.actor"))], Err("intent.actor")),
            (vec![(Rejected, Some("order.not_party"))], Err("order.not_party")),
            (vec![(Accepted, None), (Rejected, Some("stock.short"))], Err("stock.short")),
            (vec![(Expired, Some("intent.expired"))], Err("intent.expired")),
        ] {
            let answered = answer(&states);
            let said = answered.as_ref().map(|value| value["state"].as_str().unwrap());
            assert_eq!(said.map_err(String::as_str), expected, "{states:?}");
        }
    }

    #[test]
    fn a_refusal_comes_before_what_the_command_could_not_find() {
        let acts = vec![act(1, "MakeLabels", PendingState::Rejected, Some("label.order_state"))];
        let heard = Heard::of(acts, &BTreeMap::new(), 0, true);
        let failure = heard.answer(Err(Failure::new("label.unknown", "none"))).unwrap_err();
        assert_eq!(failure.code, "label.order_state");
        assert_eq!(
            Heard::default().answer(Err(Failure::new("label.unknown", "none"))).unwrap_err().code,
            "label.unknown"
        );
    }

    #[test]
    fn guessed_ids_are_not_told() {
        let decided = answer(&[(PendingState::Accepted, None)]).unwrap();
        assert_eq!(decided["facts"], json!({"offer": "guess", "created": true}));
        assert_eq!((decided.get("sure"), &decided["undecided"]), (None, &json!(1)));
        let waiting = answer(&[(PendingState::Sent, None)]).unwrap();
        assert_eq!(waiting["facts"], json!({"offer": null, "product": null, "created": true}));
        assert_eq!(waiting["acts"][0]["facts"], waiting["facts"]);
        assert_eq!((&waiting["sure"], &waiting["online"]), (&json!("unknown"), &json!(true)));
    }

    #[test]
    fn earlier_acts_are_told_once() {
        use PendingState::{Accepted, NeedsYou, Queued, Rejected, Sent};
        let told = |before, now| {
            let now = act(1, "PayStart", now, None);
            let before = BTreeMap::from([(now.id, before)]);
            let heard = Heard::of(vec![now], &before, 0, true);
            assert!(heard.made.is_empty());
            heard.answer(Ok(json!({}))).unwrap().get("earlier").is_some()
        };
        for (before, now, is_told) in [
            (Sent, Accepted, true),
            (Accepted, Accepted, true),
            (Queued, Rejected, true),
            (Rejected, Rejected, false),
            (Queued, NeedsYou, true),
            (NeedsYou, NeedsYou, false),
            (Queued, Sent, false),
        ] {
            assert_eq!(told(before, now), is_told, "{before:?} {now:?}");
        }
    }
}
