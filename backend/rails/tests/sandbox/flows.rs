//! Hundreds of seeded flows with every fault on: what the client learns by fetch is the provider's truth, and one key
//! has moved money once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use souk_crypto::rowsum::mix64;
use souk_domain::time::Span;
use souk_rails::rail::{
    FetchBy, Op, OpKind, PayMethod, PaymentStatus, Rail, RailError, RailPayment, RailRefund, RailResult,
    RailState, RefundStatus,
};
use souk_rails::sandbox::client::SandboxPayer;
use souk_rails::sandbox::faults::Fault;

use crate::rig::{HASTY, Rig, by, op};

const FLOWS: u64 = 300;

/// Attempts of one op; with a third of the calls failing, far fewer are needed.
const ATTEMPTS_MAX: usize = 200;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix64(self.0) % bound
    }
}

/// What a relay does with one op: only an answer ends it; in doubt it asks, and sends again what is not there.
async fn drive<T>(
    send: impl AsyncFn() -> RailResult<T>,
    fetch: impl AsyncFn() -> RailResult<Option<T>>,
) -> Result<T, String> {
    for _ in 0..ATTEMPTS_MAX {
        match send().await {
            Ok(state) => return Ok(state),
            Err(RailError::Refused { code }) => return Err(code),
            Err(RailError::Config { code }) => panic!("{code}"),
            Err(RailError::Unknown | RailError::Throttled { .. }) => {}
        }
        if let Ok(Some(state)) = fetch().await {
            return Ok(state);
        }
    }
    panic!("no end after {ATTEMPTS_MAX} attempts");
}

async fn begin(rig: &Rig, pay: &Op, method: PayMethod) -> RailPayment {
    let fetch = async || match rig.hasty.fetch(FetchBy::PaymentOf(pay.op_id)).await? {
        RailState::Payment(payment) => Ok(Some(payment)),
        RailState::NotFound => Ok(None),
        RailState::Refund(refund) => panic!("{refund:?}"),
    };
    let send = async || rig.hasty.begin(pay, &by(method)).await.map(|action| action.payment().clone());
    match drive(send, fetch).await {
        Ok(payment) => payment,
        // A declined payment is an object as well.
        Err(code) => {
            assert_eq!(code, "payment.declined");
            certain(async || fetch().await).await.unwrap()
        }
    }
}

/// Asks until there is an answer.
async fn certain<T>(ask: impl AsyncFn() -> RailResult<T>) -> T {
    for _ in 0..ATTEMPTS_MAX {
        if let Ok(answer) = ask().await {
            return answer;
        }
    }
    panic!("no answer after {ATTEMPTS_MAX} attempts");
}

async fn refund(rig: &Rig, refund: &Op, payment: &RailPayment) -> Result<RailRefund, String> {
    let fetch = async || match rig.hasty.fetch(FetchBy::RefundOf(refund.op_id)).await? {
        RailState::Refund(refund) => Ok(Some(refund)),
        RailState::NotFound => Ok(None),
        RailState::Payment(payment) => panic!("{payment:?}"),
    };
    drive(async || rig.hasty.refund(refund, &payment.rail_ref).await, fetch).await
}

/// One flow: pay, perhaps again with the same key, perhaps as a payer, perhaps give up, perhaps refund. Gives the ops
/// that have made an object.
async fn flow(rig: &Rig, number: u64, dice: &mut Dice) -> Vec<Op> {
    let method = if dice.below(2) == 0 { PayMethod::Mandate } else { PayMethod::Payer };
    let pay = op(number * 10, OpKind::Pay, 1 + dice.below(100_000) as i64);
    let mut payment = begin(rig, &pay, method).await;
    let mut ops = vec![pay.clone()];
    if dice.below(3) == 0 {
        // A relay that died before it wrote the answer down.
        assert_eq!(begin(rig, &pay, method).await.rail_ref, payment.rail_ref);
    }
    if method == PayMethod::Payer {
        let url = rig.url(&format!("/payer/payments/{}/pay", payment.rail_ref));
        for _ in 0..dice.below(3) {
            // Whatever the payer's bank says: the merchant learns it from the provider.
            let _ = rig.payer.pay(&url, None).await;
        }
    }
    if dice.below(4) == 0 {
        let cancel = op(number * 10 + 1, OpKind::Cancel, pay.amount.minor);
        let fetch = async || match rig.hasty.fetch(FetchBy::Payment(&payment.rail_ref)).await? {
            RailState::Payment(found) if found.status == PaymentStatus::Cancelled => Ok(Some(found)),
            _ => Ok(None),
        };
        let outcome = drive(async || rig.hasty.cancel(&cancel, &payment.rail_ref).await, fetch).await;
        let refusals = ["payment.has_money", "payment.refused"];
        assert!(
            outcome.as_ref().map_or_else(|code| refusals.contains(&code.as_str()), |_| true),
            "{outcome:?}"
        );
    }
    payment = match certain(async || rig.hasty.fetch(FetchBy::Payment(&payment.rail_ref)).await).await {
        RailState::Payment(payment) => payment,
        other => panic!("{other:?}"),
    };
    for part in 0..dice.below(3) {
        let room = payment.received.minor - payment.refunded.minor;
        // One more than there is, now and then.
        let minor = 1 + dice.below(room as u64 + 1) as i64;
        let back = op(number * 10 + 2 + part, OpKind::Refund, minor);
        match refund(rig, &back, &payment).await {
            Ok(done) => assert_eq!((done.amount, done.payment), (back.amount, payment.rail_ref.clone())),
            Err(code) => assert_eq!(code, "refund.over_received"),
        }
        if dice.below(3) == 0 {
            let _ = refund(rig, &back, &payment).await;
        }
        ops.push(back);
    }
    ops
}

/// Answers fail in about one call of five, money is odd in one payment of six, webhooks in every fifth.
fn all_faults() -> Value {
    let ppm: BTreeMap<String, u32> = Fault::ALL
        .iter()
        .map(|fault| (serde_json::to_value(fault).unwrap().as_str().unwrap().to_owned(), 30_000))
        .collect();
    json!({"seed": 20_260_101, "ppm": ppm})
}

#[tokio::test]
async fn the_clients_view_is_the_truth() {
    let mut rig = Rig::start().await;
    rig.payer = SandboxPayer::new(HASTY).unwrap();
    rig.control("faults", all_faults()).await;
    let mut dice = Dice(4711);
    let mut ops = Vec::new();
    for number in 0..FLOWS {
        ops.extend(flow(&rig, number, &mut dice).await);
    }
    rig.control("faults", json!({"ppm": {}})).await;
    let injected = rig.get("/_control/faults").await["injected"].clone();
    for fault in Fault::ALL {
        let name = serde_json::to_value(fault).unwrap();
        assert!(injected[name.as_str().unwrap()].as_u64() > Some(0), "{name} never happened");
    }
    // Late money and late events come in, in steps that a retry can follow.
    for _ in 0..4 {
        rig.advance(Span::from_hours(2)).await;
    }
    let truth = rig.truth().await;
    let by_key = |list: &str| {
        let objects = truth[list].as_array().unwrap();
        let map: BTreeMap<String, &Value> =
            objects.iter().map(|object| (object["key"].as_str().unwrap().to_owned(), object)).collect();
        assert_eq!(map.len(), objects.len(), "a key stands twice in {list}");
        map
    };
    let (payments, refunds) = (by_key("payments"), by_key("refunds"));
    let mut seen_keys = BTreeSet::new();
    let mut balance = 0;
    for op in &ops {
        seen_keys.insert(op.key());
        match op.kind {
            OpKind::Pay => {
                let RailState::Payment(found) = rig.rail.fetch(FetchBy::PaymentOf(op.op_id)).await.unwrap()
                else {
                    panic!("{op:?}")
                };
                let true_one = payments[&op.key()];
                same_payment(&found, true_one);
                balance += found.received.minor - found.refunded.minor;
            }
            OpKind::Refund => {
                let RailState::Refund(found) = rig.rail.fetch(FetchBy::RefundOf(op.op_id)).await.unwrap()
                else {
                    panic!("{op:?}")
                };
                let true_one = refunds[&op.key()];
                let status = if found.status == RefundStatus::Succeeded { "succeeded" } else { "refused" };
                assert_eq!((true_one["status"].as_str(), &found.amount), (Some(status), &op.amount));
            }
            OpKind::Cancel => unreachable!("a cancellation makes no object"),
        }
    }
    assert!(
        payments.keys().chain(refunds.keys()).all(|key| seen_keys.contains(key)),
        "movements nobody asked for"
    );
    assert_eq!(truth["books"][0]["merchant"]["minor"], balance.to_string());
    check_webhooks(&mut rig, &truth);
}

fn same_payment(found: &RailPayment, true_one: &Value) {
    let status = match &found.status {
        PaymentStatus::Open => "open",
        PaymentStatus::Paid => "paid",
        PaymentStatus::Cancelled => "cancelled",
        PaymentStatus::Refused { .. } => "refused",
    };
    assert_eq!(true_one["status"], status);
    assert_eq!(true_one["id"], found.rail_ref.as_str());
    for (name, amount) in
        [("amount", found.amount), ("received", found.received), ("refunded", found.refunded)]
    {
        assert_eq!(true_one[name]["minor"], amount.minor, "{name}");
    }
    assert_eq!(true_one["receipts"].as_array().unwrap().len(), found.receipts.len());
}

/// Every event but the lost ones has come and was taken at least once; every one that was not taken was one of ours.
fn check_webhooks(rig: &mut Rig, truth: &Value) {
    let (mut taken, mut not_taken) = (BTreeSet::new(), BTreeSet::new());
    for seen in rig.receiver.drain() {
        match seen.verdict {
            Ok(_) => taken.insert(seen.event_id()),
            Err("webhook.signature" | "webhook.too_old") => not_taken.insert(seen.event_id()),
            Err(code) => panic!("{code}"),
        };
    }
    assert_eq!(truth["webhooks"]["queued"], 0);
    assert_eq!(truth["webhooks"]["delivered"], taken.len());
    assert!(not_taken.is_subset(&taken));
    assert!(!not_taken.is_empty());
}
