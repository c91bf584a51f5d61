//! What goes wrong in the sandbox, on request: by probability, by script, or once for the next call of a name.
//!
//! Not for: doing it (routes, payments, webhooks). Rules: spec/money.md 6, *Faults*. Always: the same seed gives the
//! same faults to the same sequence of calls; every fault that took effect is counted.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use souk_crypto::rowsum::mix64;

/// Faults that wait for the next call of one name; a test plans a handful.
pub const NEXT_MAX: usize = 1_000;

/// Lines of a script.
pub const SCRIPT_LINES_MAX: usize = 100_000;

/// A probability of one, in parts per million.
pub const PPM_WHOLE: u32 = 1_000_000;

/// One thing that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The call waits before anything happens.
    DelayBefore,
    /// 503 and nothing has happened.
    #[serde(rename = "5xx_before")]
    ServerErrorBefore,
    /// 429 with `Retry-After`, and nothing has happened.
    Throttle,
    /// It has happened, the answer waits.
    DelayAfter,
    /// It has happened, no answer ever comes.
    TimeoutAfterCommit,
    /// It has happened, the answer is 500.
    #[serde(rename = "5xx_after_commit")]
    ServerErrorAfterCommit,
    /// It has happened, the connection breaks inside the answer.
    ResetMidBody,
    /// It has happened, the answer is 200 with a page of something else.
    GarbageBody,
    /// The buyer's bank says no.
    Decline,
    /// The provider says yes and then nothing ever comes.
    ProcessingForever,
    /// The money comes, but after the order has given up waiting.
    LateMoney,
    /// More comes than was asked for.
    OverPayment,
    /// Less comes than was asked for.
    UnderPayment,
    /// The money comes twice.
    DoublePayment,
    /// The webhook comes an hour late.
    WebhookDelay,
    /// The webhook comes twice, with one event id.
    WebhookDuplicate,
    /// The webhook comes after a later one.
    WebhookReorder,
    /// The webhook is never sent.
    WebhookLost,
    /// The first try of the webhook has a signature that does not fit.
    WebhookBadSignature,
    /// The first try of the webhook is signed with a time outside the window.
    WebhookOld,
}

/// When in a call a fault acts; of each group a call has at most one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Group {
    Before,
    After,
    Money,
    Webhook,
}

impl Fault {
    /// Every fault; the place in this list seeds its dice, so new ones go to the end.
    pub const ALL: [Fault; 20] = [
        Fault::DelayBefore,
        Fault::ServerErrorBefore,
        Fault::Throttle,
        Fault::DelayAfter,
        Fault::TimeoutAfterCommit,
        Fault::ServerErrorAfterCommit,
        Fault::ResetMidBody,
        Fault::GarbageBody,
        Fault::Decline,
        Fault::ProcessingForever,
        Fault::LateMoney,
        Fault::OverPayment,
        Fault::UnderPayment,
        Fault::DoublePayment,
        Fault::WebhookDelay,
        Fault::WebhookDuplicate,
        Fault::WebhookReorder,
        Fault::WebhookLost,
        Fault::WebhookBadSignature,
        Fault::WebhookOld,
    ];

    fn group(self) -> Group {
        match self {
            Fault::DelayBefore | Fault::ServerErrorBefore | Fault::Throttle => Group::Before,
            Fault::DelayAfter
            | Fault::TimeoutAfterCommit
            | Fault::ServerErrorAfterCommit
            | Fault::ResetMidBody
            | Fault::GarbageBody => Group::After,
            Fault::Decline
            | Fault::ProcessingForever
            | Fault::LateMoney
            | Fault::OverPayment
            | Fault::UnderPayment
            | Fault::DoublePayment => Group::Money,
            Fault::WebhookDelay
            | Fault::WebhookDuplicate
            | Fault::WebhookReorder
            | Fault::WebhookLost
            | Fault::WebhookBadSignature
            | Fault::WebhookOld => Group::Webhook,
        }
    }
}

/// The calls that a fault can be planned for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Call {
    /// `POST /v1/payments`.
    #[serde(rename = "payment.create")]
    PaymentCreate,
    /// `GET /v1/payments/{id}` and `?key=`.
    #[serde(rename = "payment.get")]
    PaymentGet,
    /// `POST /v1/payments/{id}/cancel`.
    #[serde(rename = "payment.cancel")]
    PaymentCancel,
    /// `POST /v1/refunds`.
    #[serde(rename = "refund.create")]
    RefundCreate,
    /// `GET /v1/refunds/{id}` and `?key=`.
    #[serde(rename = "refund.get")]
    RefundGet,
    /// `POST /payer/payments/{id}/pay`.
    #[serde(rename = "payer.pay")]
    PayerPay,
    /// No call of anybody: money of [`Fault::LateMoney`] comes in.
    #[serde(rename = "money.late")]
    MoneyLate,
}

/// The faults of one call, at most one of each group.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct CallFaults {
    pub(super) before: Option<Fault>,
    pub(super) after: Option<Fault>,
    pub(super) money: Option<Fault>,
    pub(super) webhook: Option<Fault>,
}

impl CallFaults {
    fn slot(&mut self, group: Group) -> &mut Option<Fault> {
        match group {
            Group::Before => &mut self.before,
            Group::After => &mut self.after,
            Group::Money => &mut self.money,
            Group::Webhook => &mut self.webhook,
        }
    }
}

/// One line of a script: the fault for the `at_call`-th call since the start, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptLine {
    /// Which call.
    pub at_call: u64,
    /// What goes wrong.
    pub fault: Fault,
}

/// A script that cannot be read: `sandbox.script`, with the line (from 1).
#[derive(Debug, thiserror::Error)]
#[error("sandbox.script: line {line}")]
pub struct ScriptError {
    /// The line, counted from 1.
    pub line: usize,
    /// What the reader of JSON says; `None` when there are more than [`SCRIPT_LINES_MAX`] lines.
    #[source]
    pub source: Option<serde_json::Error>,
}

/// Reads a script of JSON lines; empty lines are left out.
pub fn parse_script(text: &str) -> Result<Vec<ScriptLine>, ScriptError> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if lines.len() == SCRIPT_LINES_MAX {
            return Err(ScriptError { line: index + 1, source: None });
        }
        let read = serde_json::from_str(line);
        lines.push(read.map_err(|source| ScriptError { line: index + 1, source: Some(source) })?);
    }
    Ok(lines)
}

/// Why a plan was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error("control.ppm")]
    Ppm,
    #[error("control.next_full")]
    NextFull,
}

/// The plan of all faults and what has come of it.
pub(super) struct Faults(Mutex<Plan>);

#[derive(Default)]
struct Plan {
    seed: u64,
    ppm: BTreeMap<Fault, u32>,
    next: BTreeMap<Call, VecDeque<Fault>>,
    script: BTreeMap<u64, Vec<Fault>>,
    calls: u64,
    injected: BTreeMap<Fault, u64>,
}

/// The plan as `GET /_control/faults` shows it.
#[derive(Debug, Serialize)]
pub(super) struct FaultReport {
    pub(super) seed: u64,
    pub(super) ppm: BTreeMap<Fault, u32>,
    pub(super) calls: u64,
    pub(super) injected: BTreeMap<Fault, u64>,
}

impl Faults {
    pub(super) fn new(seed: u64, script: &[ScriptLine]) -> Faults {
        let mut plan = Plan { seed, ..Plan::default() };
        for line in script {
            plan.script.entry(line.at_call).or_default().push(line.fault);
        }
        Faults(Mutex::new(plan))
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        // The plan is whole after every statement, so that a poisoned lock loses nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the probabilities and, if given, the seed. Refuses `control.ppm` above [`PPM_WHOLE`].
    pub(super) fn set(&self, seed: Option<u64>, ppm: BTreeMap<Fault, u32>) -> Result<(), PlanError> {
        if ppm.values().any(|ppm| *ppm > PPM_WHOLE) {
            return Err(PlanError::Ppm);
        }
        let mut plan = self.plan();
        plan.seed = seed.unwrap_or(plan.seed);
        plan.ppm = ppm;
        Ok(())
    }

    /// Plans one fault for the next call of that name. Refuses `control.next_full`.
    pub(super) fn plan_next(&self, call: Call, fault: Fault) -> Result<(), PlanError> {
        let mut plan = self.plan();
        let queue = plan.next.entry(call).or_default();
        if queue.len() >= NEXT_MAX {
            return Err(PlanError::NextFull);
        }
        queue.push_back(fault);
        Ok(())
    }

    /// The faults of the call that comes now: a planned one of a group goes before the script, that before the dice.
    pub(super) fn of_call(&self, call: Call) -> CallFaults {
        let mut plan = self.plan();
        plan.calls += 1;
        let number = plan.calls;
        let mut faults = CallFaults::default();
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            let ppm = plan.ppm.get(&fault).copied().unwrap_or(0);
            let dice =
                mix64(mix64(plan.seed ^ mix64(number)).wrapping_add(index as u64)) % u64::from(PPM_WHOLE);
            if dice < u64::from(ppm) {
                faults.slot(fault.group()).get_or_insert(fault);
            }
        }
        for fault in plan.script.remove(&number).unwrap_or_default() {
            *faults.slot(fault.group()) = Some(fault);
        }
        if let Some(fault) = plan.next.get_mut(&call).and_then(VecDeque::pop_front) {
            *faults.slot(fault.group()) = Some(fault);
        }
        faults
    }

    /// Counts faults that took effect.
    pub(super) fn count(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut plan = self.plan();
        for fault in faults {
            *plan.injected.entry(fault).or_default() += 1;
        }
    }

    pub(super) fn report(&self) -> FaultReport {
        let plan = self.plan();
        FaultReport {
            seed: plan.seed,
            ppm: plan.ppm.clone(),
            calls: plan.calls,
            injected: plan.injected.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_spec() {
        let names: Vec<String> =
            Fault::ALL.iter().map(|fault| serde_json::to_string(fault).unwrap().replace('"', "")).collect();
        assert_eq!(
            names.join(" "),
            "delay_before 5xx_before throttle delay_after timeout_after_commit 5xx_after_commit reset_mid_body \
             garbage_body decline processing_forever late_money over_payment under_payment double_payment \
             webhook_delay webhook_duplicate webhook_reorder webhook_lost webhook_bad_signature webhook_old"
        );
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let roll = |seed| {
            let faults = Faults::new(seed, &[]);
            faults.set(None, Fault::ALL.into_iter().map(|fault| (fault, 100_000)).collect()).unwrap();
            (0..500).map(|_| faults.of_call(Call::PaymentCreate)).collect::<Vec<_>>()
        };
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
        let with_reply_fault = roll(7).iter().filter(|faults| faults.after.is_some()).count();
        // Five faults of 10 % each: 41 % of the calls.
        assert!((170..240).contains(&with_reply_fault), "{with_reply_fault}");
    }

    #[test]
    fn probabilities_of_none_and_all() {
        let faults = Faults::new(1, &[]);
        assert_eq!(faults.of_call(Call::PaymentGet), CallFaults::default());
        faults.set(None, BTreeMap::from([(Fault::Decline, PPM_WHOLE)])).unwrap();
        assert!((0..1000).all(|_| faults.of_call(Call::PaymentGet).money == Some(Fault::Decline)));
        let above = BTreeMap::from([(Fault::Decline, PPM_WHOLE + 1)]);
        assert_eq!(faults.set(None, above), Err(PlanError::Ppm));
    }

    #[test]
    fn planned_and_scripted_faults() {
        let script = parse_script(
            "{\"at_call\":2,\"fault\":\"5xx_before\"}\n\n{\"at_call\":2,\"fault\":\"decline\"}\n",
        );
        let faults = Faults::new(1, &script.unwrap());
        faults.plan_next(Call::RefundCreate, Fault::GarbageBody).unwrap();
        assert_eq!(faults.of_call(Call::PaymentCreate), CallFaults::default());
        let second = faults.of_call(Call::PaymentCreate);
        assert_eq!((second.before, second.money), (Some(Fault::ServerErrorBefore), Some(Fault::Decline)));
        assert_eq!(faults.of_call(Call::RefundCreate).after, Some(Fault::GarbageBody));
        assert_eq!(faults.of_call(Call::RefundCreate), CallFaults::default());
        assert_eq!(faults.report().calls, 4);
    }

    #[test]
    fn bad_scripts_name_their_line() {
        for bad in [
            "{\"at_call\":1}",
            "{\"at_call\":-1,\"fault\":\"decline\"}",
            "x",
            "{\"at_call\":1,\"fault\":\"y\"}",
        ] {
            let error = parse_script(&format!("\n{bad}")).unwrap_err();
            assert_eq!((error.line, error.source.is_some()), (2, true), "{bad}");
        }
        let line = "{\"at_call\":1,\"fault\":\"decline\"}\n";
        assert_eq!(parse_script(&line.repeat(SCRIPT_LINES_MAX)).unwrap().len(), SCRIPT_LINES_MAX);
        assert_eq!(parse_script(&line.repeat(SCRIPT_LINES_MAX + 1)).unwrap_err().line, SCRIPT_LINES_MAX + 1);
    }

    #[test]
    fn the_next_queue_is_bounded() {
        let faults = Faults::new(1, &[]);
        for _ in 0..NEXT_MAX {
            assert_eq!(faults.plan_next(Call::PaymentGet, Fault::GarbageBody), Ok(()));
        }
        assert_eq!(faults.plan_next(Call::PaymentGet, Fault::GarbageBody), Err(PlanError::NextFull));
    }
}
