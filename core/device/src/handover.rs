//! Hand-overs without a network: labels, proofs and acknowledgements between two phones (spec/logistics.md 4).
//!
//! Layouts are `souk_codes::proof`'s, checks are `souk_domain::parcel::proof`'s, the same on phone and server; what
//! stands here is what a phone has to know beside them. Always: a counter is on the disk before its proof is shown,
//! and event, evidence and outbox row are one commit.

use rusqlite::{Connection, OptionalExtension};
use souk_codes::proof::{LabelFlags, LabelL, PREFIX, from_text};
use souk_domain::context::{FeePlan, PlatformKey, Policies, Reference};
use souk_domain::id::Waybill;
use souk_domain::money::{Bp, Ppm};
use souk_domain::outcome::Refusal;
use souk_domain::parcel::Stop;
use souk_domain::parcel::proof::{check_label, frame};

pub(crate) mod chain;
mod failures;
mod give;
mod take;

use crate::error::{SoukError, StoreError, StoreResult};
use crate::facade::Desk;
use crate::facade::views::LabelView;
use crate::store::{meta, session};

/// How a caller names a parcel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ParcelRef {
    /// By the text of its label.
    Label(String),
    /// By the number that is printed on it.
    Number(String),
}

impl ParcelRef {
    /// A label's text begins with the prefix of all messages; anything else is a number.
    pub(crate) fn parse(text: &str) -> ParcelRef {
        let text = text.trim();
        if text.starts_with(PREFIX) {
            ParcelRef::Label(text.to_owned())
        } else {
            ParcelRef::Number(text.to_owned())
        }
    }
}

impl Desk<'_> {
    /// Reference data, or as much of it as checking messages needs before it has come.
    pub(crate) fn reference_or_keys(&self) -> StoreResult<Reference> {
        if let Some(reference) = self.reference {
            return Ok(reference.clone());
        }
        let keys = session::server_keys(&self.files.user)?;
        Ok(Reference {
            version: 0,
            policies: Policies::DEFAULT,
            fee_plan: FeePlan { version: 0, commission: Bp(0), commission_tax: Ppm(0) },
            platform_keys: keys.iter().map(|key| PlatformKey { id: key.id, public: key.public }).collect(),
            emv_guid: souk_codes::paycode::GUID_DEFAULT.to_owned(),
        })
    }

    /// The number of a parcel. Refuses frames, `label.key_unknown`, `proof.signature`, `waybill.*`.
    pub(crate) fn waybill_of(&self, parcel: &ParcelRef) -> Result<Waybill, SoukError> {
        match parcel {
            ParcelRef::Label(text) => Ok(Waybill::from_number(read_label(self, text)?.1.waybill)),
            ParcelRef::Number(text) => {
                let number = souk_codes::waybill::parse(text);
                number.map(Waybill::from_number).map_err(|error| SoukError::new(error.code()))
            }
        }
    }

    /// The stop of a parcel. Refuses `handover.not_on_manifest`, and what [`Desk::waybill_of`] refuses; a label must
    /// be the very one of the stop: `handover.label`.
    pub(crate) fn stop_of(&self, parcel: &ParcelRef) -> Result<Stop, SoukError> {
        let waybill = self.waybill_of(parcel)?;
        let found = self.stops()?.into_iter().find(|stop| stop.waybill == waybill);
        let stop = found.ok_or_else(|| SoukError::new("handover.not_on_manifest"))?;
        if let ParcelRef::Label(text) = parcel
            && from_text(text.trim()).map_err(frame)? != stop.label
        {
            return Err(SoukError::new("handover.label"));
        }
        Ok(stop)
    }
}

/// Reads a label and checks the platform's signature. Refuses frames (`proof.*`), `label.key_unknown`,
/// `proof.signature`.
pub(crate) fn read_label(desk: &Desk, text: &str) -> Result<(Vec<u8>, LabelL), SoukError> {
    let bytes = from_text(text.trim()).map_err(frame)?;
    let label = check_label(&bytes, &desk.reference_or_keys()?)?;
    Ok((bytes, label))
}

/// What a label says.
pub(crate) fn label_view(label: &LabelL) -> LabelView {
    LabelView {
        waybill: Waybill::from_number(label.waybill),
        number: souk_codes::waybill::text(label.waybill),
        order: None,
        piece: label.piece,
        pieces: label.pieces,
        weight_g: u32::from(label.weight_10g) * 10,
        is_cod: label.flags.has(LabelFlags::COD),
        is_age_checked: label.flags.has(LabelFlags::AGE_CHECK),
        is_on_round: false,
    }
}

/// Which side of a hand-over a kept proof was on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    /// This phone has shown it.
    Shown,
    /// This phone has taken it.
    Taken,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Shown => "shown",
            Side::Taken => "taken",
        }
    }
}

/// A kept proof.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct KeptProof {
    /// The 96 bytes of H.
    bytes: Vec<u8>,
    /// The 100 bytes of L.
    label: Vec<u8>,
    /// What was answered to it: the acknowledgement's text.
    answer: String,
}

const PROOF_PUT: &str = "INSERT INTO handover(key, counter, side, waybill, bytes, label, answer, at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const PROOF_FIND: &str =
    "SELECT bytes, label, answer FROM handover WHERE key = ?1 AND counter = ?2 AND side = ?3";
const PROOFS_OF: &str = "SELECT bytes, label, answer FROM handover WHERE waybill = ?1 AND side = ?2 ORDER BY at DESC, counter DESC";
const ANSWER_PUT: &str = "UPDATE handover SET answer = ?2 WHERE bytes = ?1 AND side = 'shown'";

const COUNTER: &str = "SELECT next FROM counter WHERE series = ?1";
const COUNTER_PUT: &str = "INSERT INTO counter(series, next) VALUES (?1, ?2)
    ON CONFLICT(series) DO UPDATE SET next = excluded.next";

/// The number that a series of this device's key gives next, from 1.
fn next_of(user: &Connection, series: &str) -> StoreResult<u32> {
    let next: Option<i64> = meta::one(user, COUNTER, &[&series])?;
    u32::try_from(next.unwrap_or(1)).map_err(|_| StoreError::Form { table: "counter", what: "next" })
}

/// Takes a number: from now on the series gives the one behind it.
fn take_number(tx: &Connection, series: &str, number: u32) -> StoreResult<()> {
    tx.prepare_cached(COUNTER_PUT)?.execute((series, i64::from(number) + 1))?;
    Ok(())
}

/// A number of 64 bits as SQLite keeps it.
fn stored(waybill: Waybill) -> i64 {
    waybill.number() as i64
}

fn kept_proof(row: &rusqlite::Row) -> rusqlite::Result<KeptProof> {
    Ok(KeptProof { bytes: row.get(0)?, label: row.get(1)?, answer: row.get(2)? })
}

fn proofs_of(user: &Connection, waybill: Waybill, side: Side) -> StoreResult<Vec<KeptProof>> {
    let mut statement = user.prepare_cached(PROOFS_OF)?;
    let rows = statement.query_map((stored(waybill), side.name()), kept_proof)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn proof_by_counter(
    user: &Connection,
    key: &[u8; 32],
    counter: u32,
    side: Side,
) -> StoreResult<Option<KeptProof>> {
    let key = key.as_slice();
    Ok(user.prepare_cached(PROOF_FIND)?.query_row((key, counter, side.name()), kept_proof).optional()?)
}

/// The acknowledgement that this phone has made for a delivery.
pub(crate) fn ack_of(user: &Connection, waybill: Waybill) -> StoreResult<Option<String>> {
    let proofs = proofs_of(user, waybill, Side::Taken)?;
    Ok(proofs.into_iter().map(|proof| proof.answer).find(|answer| !answer.is_empty()))
}

/// The algorithm of a key as messages name it.
fn algorithm_of(key: &souk_crypto::sign::PublicKey) -> souk_codes::proof::Algorithm {
    match key.alg() {
        souk_crypto::sign::Alg::Ed25519 => souk_codes::proof::Algorithm::Ed25519,
        souk_crypto::sign::Alg::Es256 => souk_codes::proof::Algorithm::Es256,
    }
}

/// Seconds as messages carry them.
fn seconds(at: souk_domain::time::Time) -> Result<u32, SoukError> {
    u32::try_from(at.secs()).map_err(|_| Refusal::new("proof.field").with("field", "time").into())
}
