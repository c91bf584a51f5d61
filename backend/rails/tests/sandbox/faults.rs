//! Every fault of a call once: what the caller sees, what has happened, and that the same key ends it.

use serde_json::json;
use souk_domain::time::Span;
use souk_rails::rail::{
    FetchBy, NextAction, Op, OpKind, PayMethod, PaymentStatus, Rail, RailError, RailPayment, RailState,
    RefundStatus,
};
use souk_rails::sandbox::faults::{Fault, parse_script};
use souk_rails::sandbox::server::Sandbox;

use crate::rig::{self, Rig, by, eur, op};

const UNKNOWN: RailError = RailError::Unknown;

async fn payment_of(rig: &Rig, number: u64) -> Option<RailPayment> {
    match rig.rail.fetch(FetchBy::PaymentOf(op(number, OpKind::Pay, 1).op_id)).await.unwrap() {
        RailState::Payment(payment) => Some(payment),
        RailState::NotFound => None,
        RailState::Refund(refund) => panic!("{refund:?}"),
    }
}

fn done(action: NextAction) -> RailPayment {
    match action {
        NextAction::Done(payment) => payment,
        NextAction::Redirect { url, .. } => panic!("{url}"),
    }
}

#[tokio::test]
async fn answers_that_fail() {
    let rig = Rig::start().await;
    let throttled = RailError::Throttled { after: Span::from_secs(2) };
    for (number, (fault, error, happened)) in [
        ("delay_before", UNKNOWN, false),
        ("5xx_before", UNKNOWN, false),
        ("throttle", throttled, false),
        ("delay_after", UNKNOWN, true),
        ("timeout_after_commit", UNKNOWN, true),
        ("5xx_after_commit", UNKNOWN, true),
        ("reset_mid_body", UNKNOWN, true),
        ("garbage_body", UNKNOWN, true),
    ]
    .into_iter()
    .enumerate()
    {
        let number = number as u64 + 1;
        let pay = op(number, OpKind::Pay, 1000);
        rig.fault("payment.create", fault).await;
        if fault.starts_with("delay") || fault.starts_with("timeout") {
            give_up_during(&rig, &pay, fault).await;
        } else {
            assert_eq!(rig.rail.begin(&pay, &by(PayMethod::Mandate)).await, Err(error), "{fault}");
        }
        assert_eq!(payment_of(&rig, number).await.is_some(), happened, "{fault}");
        let paid = loop {
            match rig.rail.begin(&pay, &by(PayMethod::Mandate)).await {
                Ok(action) => break done(action),
                // The server has not noticed yet that the first caller has gone.
                Err(RailError::Unknown) if fault == "delay_before" => {}
                Err(error) => panic!("{fault}: {error}"),
            }
        };
        assert_eq!((&paid.status, paid.received), (&PaymentStatus::Paid, eur(1000)), "{fault}");
        assert_eq!(payment_of(&rig, number).await, Some(paid));
        assert_eq!(rig.injected(fault).await, 1, "{fault}");
    }
    let truth = rig.truth().await;
    assert_eq!(truth["payments"].as_array().unwrap().len(), 8);
    assert_eq!(truth["books"][0]["merchant"]["minor"], "8000");
}

/// A caller who goes away while the fault holds the answer back.
async fn give_up_during(rig: &Rig, pay: &Op, fault: &str) {
    let (rail, pay) = (rig.rail.clone(), pay.clone());
    let caller = tokio::spawn(async move { rail.begin(&pay, &by(PayMethod::Mandate)).await });
    while rig.injected(fault).await == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn time_that_runs_out_is_unknown() {
    let rig = Rig::start().await;
    for fault in ["delay_before", "delay_after", "timeout_after_commit"] {
        rig.control("faults", json!({"ppm": {fault: 1_000_000}})).await;
        assert_eq!(
            rig.hasty.begin(&op(1, OpKind::Pay, 5), &by(PayMethod::Mandate)).await,
            Err(UNKNOWN),
            "{fault}"
        );
        assert_eq!(
            rig.hasty.fetch(FetchBy::PaymentOf(op(1, OpKind::Pay, 5).op_id)).await,
            Err(UNKNOWN),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn refunds_and_cancellations_whose_answer_is_lost() {
    let rig = Rig::start().await;
    let paid = done(rig.rail.begin(&op(1, OpKind::Pay, 1000), &by(PayMethod::Mandate)).await.unwrap());
    let refund = op(2, OpKind::Refund, 400);
    rig.fault("refund.create", "5xx_after_commit").await;
    assert_eq!(rig.rail.refund(&refund, &paid.rail_ref).await, Err(UNKNOWN));
    let found = rig.rail.fetch(FetchBy::RefundOf(refund.op_id)).await.unwrap();
    let again = rig.rail.refund(&refund, &paid.rail_ref).await.unwrap();
    assert_eq!(again.status, RefundStatus::Succeeded);
    assert_eq!(found, RailState::Refund(again));
    assert_eq!(payment_of(&rig, 1).await.unwrap().refunded, eur(400));

    let open = rig.rail.begin(&op(3, OpKind::Pay, 1000), &by(PayMethod::Payer)).await.unwrap();
    let cancel = op(4, OpKind::Cancel, 1000);
    rig.fault("payment.cancel", "reset_mid_body").await;
    assert_eq!(rig.rail.cancel(&cancel, &open.payment().rail_ref).await, Err(UNKNOWN));
    assert_eq!(payment_of(&rig, 3).await.unwrap().status, PaymentStatus::Cancelled);
    assert_eq!(
        rig.rail.cancel(&cancel, &open.payment().rail_ref).await.map(|payment| payment.status),
        Ok(PaymentStatus::Cancelled)
    );
    rig.truth().await;
}

#[tokio::test]
async fn a_question_that_fails_is_only_asked_again() {
    let rig = Rig::start().await;
    rig.rail.begin(&op(1, OpKind::Pay, 1000), &by(PayMethod::Mandate)).await.unwrap();
    for fault in ["5xx_before", "5xx_after_commit", "reset_mid_body", "garbage_body"] {
        rig.fault("payment.get", fault).await;
        assert_eq!(
            rig.rail.fetch(FetchBy::PaymentOf(op(1, OpKind::Pay, 1).op_id)).await,
            Err(UNKNOWN),
            "{fault}"
        );
        assert!(payment_of(&rig, 1).await.is_some());
    }
}

#[tokio::test]
async fn money_that_is_not_what_was_asked() {
    let rig = Rig::start().await;
    let late = Span::from_minutes(45);
    for (number, (fault, minor, receipts_now, status_now, receipts_late)) in [
        ("over_payment", 1000, &[1100][..], PaymentStatus::Paid, &[1100][..]),
        ("over_payment", 5, &[6], PaymentStatus::Paid, &[6]),
        ("over_payment", (1 << 53) - 1, &[(1 << 53) - 1], PaymentStatus::Paid, &[(1 << 53) - 1]),
        ("under_payment", 1000, &[900], PaymentStatus::Open, &[900]),
        ("under_payment", 1, &[1], PaymentStatus::Paid, &[1]),
        ("double_payment", 1000, &[1000, 1000], PaymentStatus::Paid, &[1000, 1000]),
        ("late_money", 1000, &[], PaymentStatus::Open, &[1000]),
        ("processing_forever", 1000, &[], PaymentStatus::Open, &[]),
    ]
    .into_iter()
    .enumerate()
    {
        let number = number as u64 + 1;
        let receipts = |payment: &RailPayment| {
            payment.receipts.iter().map(|receipt| receipt.amount.minor).collect::<Vec<_>>()
        };
        rig.fault("payment.create", fault).await;
        let now =
            done(rig.rail.begin(&op(number, OpKind::Pay, minor), &by(PayMethod::Mandate)).await.unwrap());
        assert_eq!((receipts(&now).as_slice(), &now.status), (receipts_now, &status_now), "{fault} {minor}");
        rig.advance(Span::from_millis(late.millis() - 1)).await;
        assert_eq!(receipts(&payment_of(&rig, number).await.unwrap()), receipts_now, "{fault} {minor}");
        rig.advance(Span::from_millis(1)).await;
        assert_eq!(receipts(&payment_of(&rig, number).await.unwrap()), receipts_late, "{fault} {minor}");
    }
    let injected = rig.get("/_control/faults").await["injected"].clone();
    // Twice an impossible amount: a fault that could not take effect is not counted.
    assert_eq!(
        injected,
        json!({"over_payment": 2, "under_payment": 1, "double_payment": 1, "late_money": 1, "processing_forever": 1})
    );
    rig.truth().await;
}

#[tokio::test]
async fn a_declined_payment_stays_declined() {
    let rig = Rig::start().await;
    let pay = op(1, OpKind::Pay, 1000);
    let declined = RailError::Refused { code: "payment.declined".to_owned() };
    rig.fault("payment.create", "decline").await;
    for _ in 0..2 {
        assert_eq!(rig.rail.begin(&pay, &by(PayMethod::Mandate)).await, Err(declined.clone()));
    }
    let payment = payment_of(&rig, 1).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Refused { code: "payment.declined".to_owned() });
    assert_eq!(payment.received, eur(0));
    // A payer whose bank says no may try again.
    let open = rig.rail.begin(&op(2, OpKind::Pay, 1000), &by(PayMethod::Payer)).await.unwrap();
    let NextAction::Redirect { url, .. } = open else { panic!("{open:?}") };
    rig.fault("payer.pay", "decline").await;
    assert_eq!(rig.payer.pay(&url, None).await, Err(declined));
    assert_eq!(rig.payer.pay(&url, None).await.unwrap().status, PaymentStatus::Paid);
    rig.truth().await;
}

#[tokio::test]
async fn a_script_names_calls_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = rig::config(dir.path(), None);
    config.script =
        parse_script("{\"at_call\":2,\"fault\":\"5xx_before\"}\n{\"at_call\":3,\"fault\":\"decline\"}")
            .unwrap();
    assert_eq!(config.script[1].fault, Fault::Decline);
    let sandbox = Sandbox::start(config).await.unwrap();
    let rail = souk_rails::sandbox::client::SandboxRail::new(
        &sandbox.base_url(),
        rig::secrets(),
        souk_rails::sandbox::client::TIMEOUTS,
    )
    .unwrap();
    let mut outcomes = Vec::new();
    for number in 1..=4 {
        let begun = rail.begin(&op(number, OpKind::Pay, 10), &by(PayMethod::Mandate)).await;
        outcomes.push(begun.map_or_else(|error| error.code(), |_| "ok"));
    }
    assert_eq!(outcomes, ["ok", "rail.unknown", "rail.refused", "ok"]);
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unknown() {
    let rig = Rig::start().await;
    let rail = rig.rail.clone();
    rig.sandbox.stop().await.unwrap();
    let pay = op(1, OpKind::Pay, 1000);
    assert_eq!(rail.begin(&pay, &by(PayMethod::Mandate)).await, Err(UNKNOWN));
    assert_eq!(rail.fetch(FetchBy::PaymentOf(pay.op_id)).await, Err(UNKNOWN));
}
