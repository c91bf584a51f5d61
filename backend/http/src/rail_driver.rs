//! The driver of rails: takes the calls that are due, makes them, and brings the answers back.
//!
//! Not for: when a call is due and what an answer means (`souk_engine::rail`). Always: a call that is cut off by a
//! stop or a crash comes again, with the same key; nothing here decides whether money has moved.

use std::sync::Arc;
use std::time::Duration;

use souk_domain::order::{PayMethod, RailOp, RailOpKind};
use souk_engine::rail::{PaymentStatus, RailAsk, RailCall, RailReply, acts};
use souk_engine::{Answer, Ask};
use souk_rails::rail::{
    FetchBy, Op, OpId, OpKind, PayMethod as RailMethod, Payment, PaymentStatus as RailStatus, Rail,
    RailError, RailPayment, RailRefund, RailResult, RailState, RefundStatus,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::{App, stopped};

/// Calls to rails at a time: a provider that is slow must not take all connections.
pub const CALLS_MAX: usize = 16;
/// Times that an answer is offered to a busy engine before it is left to the next `fetch`.
const TRIES_MAX: usize = 30;
/// Pause between them.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Drives until the API stops, then until the running calls have ended.
pub async fn run(app: App) {
    let places = Arc::new(Semaphore::new(CALLS_MAX));
    let mut stopping = app.stopping();
    let mut running = JoinSet::new();
    loop {
        let due = async {
            let Ok(place) = places.clone().acquire_owned().await else { return Vec::new() };
            let free = places.available_permits() + 1;
            drop(place);
            let calls = app.engine().rail_due(free).await;
            if calls.is_empty() {
                app.engine().rail_wait().await;
            }
            calls
        };
        let calls = tokio::select! {
            () = stopped(&mut stopping) => break,
            calls = due => calls,
        };
        for call in calls {
            let (app, places) = (app.clone(), places.clone());
            running.spawn(async move {
                // Acquired here, so that a call which was handed out is always made.
                let _place = places.acquire_owned().await;
                make(&app, &call).await;
            });
        }
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

/// Makes one call and has its answer decided.
async fn make(app: &App, call: &RailCall) {
    let reply = match app.rail(call.op.rail.name()) {
        Some(rail) => ask(rail.as_ref(), call).await,
        None => RailReply::Config { code: "rail.unknown_name".to_owned() },
    };
    for act in acts(call, &reply, app.now(), jitter()) {
        if !decide(app, &act).await {
            return;
        }
    }
}

/// Has an act decided, for a while even by a busy engine; whether it was.
async fn decide(app: &App, act: &Ask) -> bool {
    for _ in 0..TRIES_MAX {
        match app.engine().decide(act.clone()).await {
            Answer::Later { .. } if app.engine().is_alive() => tokio::time::sleep(TRY_AGAIN).await,
            Answer::Later { .. } => return false,
            Answer::Server(outcome) => {
                if let Some(code) = outcome.code() {
                    tracing::warn!(code, "what a rail told was refused");
                }
                return true;
            }
            answer @ (Answer::Items { .. } | Answer::Refused(_) | Answer::Failed { .. }) => {
                tracing::error!(?answer, "what a rail told could not be decided");
                return true;
            }
        }
    }
    false
}

/// What a rail told, in the engine's words.
pub(crate) fn told(state: RailState) -> RailReply {
    fetched(Ok(state))
}

/// Any 64 bits, for the jitter of waits; without randomness all waits are at their bounds.
fn jitter() -> u64 {
    souk_crypto::random::array().map_or(u64::MAX, u64::from_be_bytes)
}

async fn ask(rail: &dyn Rail, call: &RailCall) -> RailReply {
    let op = op(&call.op);
    match call.ask {
        RailAsk::Begin => {
            let payment = Payment {
                method: match call.payment.method {
                    PayMethod::Mandate => RailMethod::Mandate,
                    PayMethod::Payer => RailMethod::Payer,
                },
                description: format!("Souk order {}", call.op.order),
            };
            reply(rail.begin(&op, &payment).await, |next| paid(next.payment()))
        }
        RailAsk::Refund => match call.payment.rail_ref.parse() {
            Ok(rail_ref) => reply(rail.refund(&op, &rail_ref).await, |refund| refunded(&refund)),
            Err(_) => RailReply::Config { code: "rail.reference".to_owned() },
        },
        RailAsk::Fetch => {
            let by = match call.op.kind {
                RailOpKind::Begin => FetchBy::PaymentOf(op.op_id),
                RailOpKind::Refund => FetchBy::RefundOf(op.op_id),
            };
            fetched(rail.fetch(by).await)
        }
    }
}

fn op(op: &RailOp) -> Op {
    Op {
        op_id: OpId::from(op.id),
        kind: match op.kind {
            RailOpKind::Begin => OpKind::Pay,
            RailOpKind::Refund => OpKind::Refund,
        },
        order: op.order,
        amount: op.amount,
    }
}

fn fetched(state: RailResult<RailState>) -> RailReply {
    reply(state, |state| match state {
        RailState::NotFound => RailReply::NotFound,
        RailState::Payment(payment) => paid(&payment),
        RailState::Refund(refund) => refunded(&refund),
    })
}

fn reply<T>(answer: RailResult<T>, told: impl FnOnce(T) -> RailReply) -> RailReply {
    match answer {
        Ok(answer) => told(answer),
        Err(RailError::Refused { code }) => RailReply::Refused { code },
        Err(RailError::Unknown) => RailReply::Unknown,
        Err(RailError::Throttled { after }) => RailReply::Throttled { after },
        Err(RailError::Config { code }) => RailReply::Config { code },
    }
}

fn paid(payment: &RailPayment) -> RailReply {
    RailReply::Payment {
        rail_ref: payment.rail_ref.to_string(),
        status: match &payment.status {
            RailStatus::Open => PaymentStatus::Open,
            RailStatus::Paid => PaymentStatus::Paid,
            RailStatus::Cancelled => PaymentStatus::Cancelled,
            RailStatus::Refused { code } => PaymentStatus::Refused { code: code.clone() },
        },
        captures: payment
            .receipts
            .iter()
            .map(|receipt| (receipt.rail_ref.to_string(), receipt.amount))
            .collect(),
    }
}

fn refunded(refund: &RailRefund) -> RailReply {
    RailReply::Refund {
        refused: match &refund.status {
            RefundStatus::Succeeded => None,
            RefundStatus::Refused { code } => Some(code.clone()),
        },
    }
}
