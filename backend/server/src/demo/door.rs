//! Doors: where a courier bot and a buyer bot meet. They exchange pictures of codes, as two phones would, and nothing
//! else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use souk_domain::id::OrderId;
use tokio::sync::{mpsc, oneshot};

/// A courier at a door with a parcel.
#[derive(Debug)]
pub(super) struct Ring {
    /// The order, as the stop names it.
    pub(super) order: OrderId,
    /// Picture of the label.
    pub(super) label_png: Vec<u8>,
    /// Where the picture of the hand-over code goes.
    pub(super) handover_png: oneshot::Sender<Vec<u8>>,
    /// The picture of the courier's acknowledgement comes here.
    pub(super) ack_png: oneshot::Receiver<Vec<u8>>,
}

/// Who opens for which order.
#[derive(Debug, Default)]
pub(super) struct Doors {
    open: Mutex<BTreeMap<OrderId, mpsc::UnboundedSender<Ring>>>,
}

impl Doors {
    /// From now on this bell rings for the order.
    pub(super) fn watch(&self, order: OrderId, bell: mpsc::UnboundedSender<Ring>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(order, bell);
    }

    /// Rings; false if nobody opens.
    pub(super) fn ring(&self, ring: Ring) -> bool {
        let bell = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&ring.order).cloned();
        bell.is_some_and(|bell| bell.send(ring).is_ok())
    }
}
