//! Doors: where a courier bot and a buyer bot meet. They exchange pictures of codes, as two phones would, and nothing
//! else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use souk_domain::id::Waybill;
use tokio::sync::{mpsc, oneshot};

/// A courier at a door with a parcel.
#[derive(Debug)]
pub(super) struct Ring {
    /// Picture of the label.
    pub(super) label_png: Vec<u8>,
    /// Where the picture of the hand-over code goes.
    pub(super) handover_png: oneshot::Sender<Vec<u8>>,
    /// The picture of the courier's acknowledgement comes here.
    pub(super) ack_png: oneshot::Receiver<Vec<u8>>,
}

/// Who opens for which parcel.
#[derive(Debug, Default)]
pub(super) struct Doors {
    open: Mutex<BTreeMap<Waybill, mpsc::UnboundedSender<Ring>>>,
}

impl Doors {
    /// From now on this bell rings for the parcel.
    pub(super) fn watch(&self, parcel: Waybill, bell: mpsc::UnboundedSender<Ring>) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(parcel, bell);
    }

    /// Rings; false if nobody opens.
    pub(super) fn ring(&self, parcel: Waybill, ring: Ring) -> bool {
        let bell = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&parcel).cloned();
        bell.is_some_and(|bell| bell.send(ring).is_ok())
    }
}
