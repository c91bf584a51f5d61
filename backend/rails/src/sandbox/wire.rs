//! The JSON that travels between the sandbox and those who call it, once for both sides.

use serde::{Deserialize, Serialize};
use souk_domain::money::{MINOR_MAX, Money};
use souk_domain::time::Time;

use crate::rail::{
    PayMethod, PaymentStatus, RailEvent, RailPayment, RailRef, RailRefund, RailState, Receipt, RefundStatus,
};

/// The header that carries the idempotency key (draft-ietf-httpapi-idempotency-key-header-07).
pub(super) const KEY_HEADER: &str = "idempotency-key";

/// The header that signs our webhooks.
pub(super) const SIGNATURE_HEADER: &str = "souk-sandbox-signature";

/// Characters of an idempotency key; the longest that providers take is 255 to 300.
pub(super) const KEY_CHARS_MAX: usize = 255;

/// Characters of a reference: an id in hex has 32.
pub(super) const REFERENCE_CHARS_MAX: usize = 64;

/// Characters of a description, as on a provider's console.
pub(super) const DESCRIPTION_CHARS_MAX: usize = 500;

/// Bytes of a request: its fields at their longest, in JSON escapes, fit several times.
pub(super) const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Bytes of an answer that the client reads: a payment with a thousand receipts.
pub(super) const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Body of `POST /v1/payments`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaymentRequest {
    pub(super) amount: Money,
    pub(super) reference: String,
    pub(super) description: String,
    pub(super) method: PayMethod,
}

/// Body of `POST /v1/refunds`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundRequest {
    pub(super) payment: RailRef,
    pub(super) amount: Money,
}

/// Body of `POST /payer/payments/{id}/pay`; without an amount the payer pays what is left, or all of it again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PayRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) amount: Option<Money>,
}

/// An amount that may be asked for: 1 to 2^53 - 1 minor units.
pub(super) fn payable(amount: Money) -> bool {
    (1..=MINOR_MAX).contains(&amount.minor)
}

/// States of a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PaymentWord {
    Open,
    Paid,
    Cancelled,
    Refused,
}

/// A payment as the sandbox shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PaymentView {
    pub(super) id: RailRef,
    pub(super) key: String,
    pub(super) status: PaymentWord,
    /// Why it was refused; absent in every other state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    pub(super) amount: Money,
    pub(super) received: Money,
    pub(super) refunded: Money,
    pub(super) receipts: Vec<ReceiptView>,
    pub(super) reference: String,
    pub(super) description: String,
    pub(super) method: PayMethod,
    /// Path at which the payer pays.
    pub(super) pay_path: String,
    pub(super) created_at: Time,
}

/// One arrival of money.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReceiptView {
    pub(super) id: RailRef,
    pub(super) amount: Money,
    pub(super) at: Time,
}

/// States of a refund.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundWord {
    Succeeded,
    Refused,
}

/// A refund as the sandbox shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RefundView {
    pub(super) id: RailRef,
    pub(super) key: String,
    pub(super) payment: RailRef,
    pub(super) status: RefundWord,
    /// Why it was refused; absent when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<String>,
    pub(super) amount: Money,
    pub(super) created_at: Time,
}

/// Answer to a question by key: no or one object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ListView<T> {
    pub(super) data: Vec<T>,
}

/// Every answer that is not 2xx.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ErrorView {
    pub(super) error: ErrorBody,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) code: String,
    pub(super) message: String,
}

/// Kinds of events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EventKind {
    PaymentReceived,
    PaymentCancelled,
    PaymentRefused,
    RefundSucceeded,
    RefundRefused,
}

impl EventKind {
    const ALL: [EventKind; 5] = [
        EventKind::PaymentReceived,
        EventKind::PaymentCancelled,
        EventKind::PaymentRefused,
        EventKind::RefundSucceeded,
        EventKind::RefundRefused,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            EventKind::PaymentReceived => "payment.received",
            EventKind::PaymentCancelled => "payment.cancelled",
            EventKind::PaymentRefused => "payment.refused",
            EventKind::RefundSucceeded => "refund.succeeded",
            EventKind::RefundRefused => "refund.refused",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Body of a webhook. `data` is read only when the kind is one of ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct EventView<T> {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) created_at: Time,
    pub(super) data: T,
}

/// The object of an event as it was when the event was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EventData {
    Payment(PaymentView),
    Refund(RefundView),
}

impl From<PaymentView> for RailPayment {
    fn from(view: PaymentView) -> RailPayment {
        RailPayment {
            rail_ref: view.id,
            key: view.key,
            reference: view.reference,
            status: match view.status {
                PaymentWord::Open => PaymentStatus::Open,
                PaymentWord::Paid => PaymentStatus::Paid,
                PaymentWord::Cancelled => PaymentStatus::Cancelled,
                PaymentWord::Refused => PaymentStatus::Refused { code: view.code.unwrap_or_default() },
            },
            amount: view.amount,
            received: view.received,
            refunded: view.refunded,
            receipts: view
                .receipts
                .into_iter()
                .map(|receipt| Receipt { rail_ref: receipt.id, amount: receipt.amount, at: receipt.at })
                .collect(),
        }
    }
}

impl From<RefundView> for RailRefund {
    fn from(view: RefundView) -> RailRefund {
        RailRefund {
            rail_ref: view.id,
            key: view.key,
            payment: view.payment,
            status: match view.status {
                RefundWord::Succeeded => RefundStatus::Succeeded,
                RefundWord::Refused => RefundStatus::Refused { code: view.code.unwrap_or_default() },
            },
            amount: view.amount,
        }
    }
}

impl From<EventView<EventData>> for RailEvent {
    fn from(event: EventView<EventData>) -> RailEvent {
        RailEvent {
            event_id: event.id,
            at: event.created_at,
            state: match event.data {
                EventData::Payment(view) => RailState::Payment(view.into()),
                EventData::Refund(view) => RailState::Refund(view.into()),
            },
        }
    }
}
