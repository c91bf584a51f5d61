//! What a payer can do, and what becomes of it: parts, twice, late, too much, given up, back.

use souk_domain::money::{Currency, Money};
use souk_rails::rail::{
    FetchBy, NextAction, OpKind, PayMethod, PaymentStatus, Rail, RailError, RailPayment, RailRef, RailState,
    RefundStatus,
};

use crate::rig::{Rig, by, eur, op};

async fn asked(rig: &Rig, number: u64, minor: i64) -> (String, RailPayment) {
    match rig.rail.begin(&op(number, OpKind::Pay, minor), &by(PayMethod::Payer)).await.unwrap() {
        NextAction::Redirect { url, payment } => (url, payment),
        NextAction::Done(payment) => panic!("{payment:?}"),
    }
}

async fn fetched(rig: &Rig, id: &RailRef) -> RailPayment {
    match rig.rail.fetch(FetchBy::Payment(id)).await.unwrap() {
        RailState::Payment(payment) => payment,
        other => panic!("{other:?}"),
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, RailError>) -> String {
    match result.unwrap_err() {
        RailError::Refused { code } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn in_parts_then_once_too_often() {
    let rig = Rig::start().await;
    let (url, payment) = asked(&rig, 1, 1000).await;
    assert_eq!((payment.status, payment.received), (PaymentStatus::Open, eur(0)));
    assert_eq!(payment.reference.len(), 32);
    for (amount, status, received) in [
        (Some(eur(400)), PaymentStatus::Open, 400),
        (None, PaymentStatus::Paid, 1000),
        (None, PaymentStatus::Paid, 2000),
        (Some(eur(1)), PaymentStatus::Paid, 2001),
    ] {
        let paid = rig.payer.pay(&url, amount).await.unwrap();
        assert_eq!((&paid.status, paid.received), (&status, eur(received)));
        assert_eq!(fetched(&rig, &payment.rail_ref).await, paid);
    }
    let receipts = fetched(&rig, &payment.rail_ref).await.receipts;
    let amounts: Vec<i64> = receipts.iter().map(|receipt| receipt.amount.minor).collect();
    assert_eq!(amounts, [400, 600, 1000, 1]);
    rig.truth().await;
}

#[tokio::test]
async fn late_money_for_a_cancelled_payment_can_go_back() {
    let rig = Rig::start().await;
    let (url, payment) = asked(&rig, 1, 1000).await;
    let id = payment.rail_ref;
    let cancel = op(2, OpKind::Cancel, 1000);
    assert_eq!(rig.rail.cancel(&cancel, &id).await.unwrap().status, PaymentStatus::Cancelled);
    let again = op(3, OpKind::Cancel, 1000);
    assert_eq!(rig.rail.cancel(&again, &id).await.unwrap().status, PaymentStatus::Cancelled);
    let late = rig.payer.pay(&url, None).await.unwrap();
    assert_eq!((late.status, late.received), (PaymentStatus::Cancelled, eur(1000)));
    // The first cancellation's answer is the answer of its key, whatever has come since.
    assert_eq!(rig.rail.cancel(&cancel, &id).await.unwrap().received, eur(0));
    let refund = rig.rail.refund(&op(4, OpKind::Refund, 1000), &id).await.unwrap();
    assert_eq!((refund.status, refund.payment), (RefundStatus::Succeeded, id.clone()));
    assert_eq!(fetched(&rig, &id).await.refunded, eur(1000));
    assert_eq!(rig.truth().await["books"][0]["merchant"]["minor"], "0");
}

#[tokio::test]
async fn refunds_never_exceed_what_came() {
    let rig = Rig::start().await;
    let (url, payment) = asked(&rig, 1, 1000).await;
    let id = payment.rail_ref;
    let refund = |number, minor| rig.rail.refund(Box::leak(Box::new(op(number, OpKind::Refund, minor))), &id);
    assert_eq!(refused(refund(10, 1).await), "refund.over_received");
    rig.payer.pay(&url, Some(eur(700))).await.unwrap();
    assert_eq!(refused(refund(11, 701).await), "refund.over_received");
    assert_eq!(refund(12, 300).await.unwrap().amount, eur(300));
    assert_eq!(refused(refund(13, 401).await), "refund.over_received");
    assert_eq!(refund(14, 400).await.unwrap().status, RefundStatus::Succeeded);
    assert_eq!(refused(refund(15, 1).await), "refund.over_received");
    let usd = Money::new(1, Currency::from_code("USD").unwrap());
    let mut other = op(16, OpKind::Refund, 1);
    other.amount = usd;
    assert_eq!(refused(rig.rail.refund(&other, &id).await), "refund.currency");
    // A refusal is an object too: who lost the answer can ask for it.
    match rig.rail.fetch(FetchBy::RefundOf(other.op_id)).await.unwrap() {
        RailState::Refund(found) => {
            assert_eq!(found.status, RefundStatus::Refused { code: "refund.currency".to_owned() });
            assert_eq!(rig.rail.fetch(FetchBy::Refund(&found.rail_ref)).await, Ok(RailState::Refund(found)));
        }
        state => panic!("{state:?}"),
    }
    assert_eq!(refused(rig.rail.cancel(&op(17, OpKind::Cancel, 1000), &id).await), "payment.has_money");
    assert_eq!(rig.truth().await["books"][0]["merchant"]["minor"], "0");
}

#[tokio::test]
async fn what_a_payer_cannot_do() {
    let rig = Rig::start().await;
    let (url, payment) = asked(&rig, 1, 1000).await;
    let usd = Money::new(1, Currency::from_code("USD").unwrap());
    assert_eq!(refused(rig.payer.pay(&url, Some(usd)).await), "payment.currency");
    assert!(matches!(rig.payer.pay(&url, Some(eur(0))).await, Err(RailError::Config { .. })));
    let max = (1 << 53) - 1;
    assert_eq!(rig.payer.pay(&url, Some(eur(max))).await.unwrap().received, eur(max));
    assert_eq!(refused(rig.payer.pay(&url, Some(eur(1))).await), "payment.range");
    let mandate = rig.rail.begin(&op(2, OpKind::Pay, 5), &by(PayMethod::Mandate)).await.unwrap();
    let other = url.replace(payment.rail_ref.as_str(), mandate.payment().rail_ref.as_str());
    assert_eq!(refused(rig.payer.pay(&other, None).await), "payment.method");
    let unknown: RailRef = "pay_none".parse().unwrap();
    assert_eq!(rig.rail.fetch(FetchBy::Payment(&unknown)).await, Ok(RailState::NotFound));
    assert_eq!(rig.rail.fetch(FetchBy::Refund(&unknown)).await, Ok(RailState::NotFound));
    assert_eq!(refused(rig.rail.refund(&op(3, OpKind::Refund, 1), &unknown).await), "payment.unknown");
    rig.truth().await;
}
