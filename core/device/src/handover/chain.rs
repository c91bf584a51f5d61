//! The courier's own links of a parcel's chain: made, signed, queued, and shown before the server knows them
//! (spec/logistics.md 4.3, 5.2).

use rusqlite::Connection;
use souk_codes::proof::{CertK, CustodyC, CustodyFlags, EventKind, EvidenceType, Fix, Reason};
use souk_crypto::sign::sign_checked;
use souk_domain::id::IntentId;
use souk_domain::intent::Body;
use souk_domain::outcome::Outcome;
use souk_domain::parcel::proof::{
    CustodyBin, digest_of, event_id, evidence_hash, frame, party_of, public_key,
};
use souk_domain::parcel::{ParcelState, Shift, Stop};

use super::{PROOF_PUT, Side, algorithm_of, next_of, stored, take_number};
use crate::clock::Now;
use crate::error::{SoukError, StoreError, StoreResult};
use crate::facade::Desk;
use crate::facade::requests::FixRequest;
use crate::facade::views::ScanSavedView;
use crate::host::DeviceHost;
use crate::outbox::{self, Tap};

/// The same scan again within this span is the same scan, seconds: a gun that was pressed twice.
const AGAIN_S: i64 = 60;

const QUEUED: &str = "SELECT bytes, intent FROM custody_queue WHERE waybill = ?1 ORDER BY epoch, seq";
/// Name in `counter` of the series of this phone's signed events.
const SERIES: &str = "C";
const QUEUE: &str = "INSERT INTO custody_queue(epoch, seq, waybill, bytes, evidence, intent)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// What is recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Scan {
    /// What happened.
    pub(crate) kind: EventKind,
    /// Why, if there is a reason.
    pub(crate) reason: Option<Reason>,
    /// Where.
    pub(crate) fix: Option<FixRequest>,
    /// What it leans on.
    pub(crate) evidence: Option<Evidence>,
}

/// Bytes beside an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Evidence {
    /// What they are.
    pub(crate) kind: EvidenceType,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// Key and counter of a hand-over proof.
    pub(crate) proof: Option<([u8; 32], u32)>,
    /// What was answered to it.
    pub(crate) ack: String,
}

impl Scan {
    /// A scan without anything beside it.
    pub(crate) fn of(kind: EventKind) -> Scan {
        Scan { kind, reason: None, fix: None, evidence: None }
    }
}

/// Where a parcel's chain stands, with the own links on top.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    /// Index of the next link.
    pub(crate) index: u16,
    /// Id of the link before it.
    pub(crate) prev: [u8; 32],
    /// State after the own links.
    pub(crate) state: ParcelState,
    /// Own links that the server's row does not show yet.
    pub(crate) waiting: u32,
    /// The last own link among them.
    last: Option<CustodyC>,
    attempts: u16,
}

/// The chain of a stop, continued by what this phone has queued and nobody has refused.
pub(crate) fn progress(user: &Connection, stop: &Stop) -> StoreResult<Progress> {
    let mut progress = Progress {
        index: stop.chain_index,
        prev: stop.chain_tip,
        state: stop.state,
        waiting: 0,
        last: None,
        attempts: 0,
    };
    let mut statement = user.prepare_cached(QUEUED)?;
    let mut rows = statement.query([stored(stop.waybill)])?;
    while let Some(row) = rows.next()? {
        let (bytes, intent): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let bad = |what| StoreError::Form { table: "custody_queue", what };
        let (event, _) = CustodyC::decode(&bytes).map_err(|_| bad("bytes"))?;
        let intent = intent.try_into().ok().and_then(|id| IntentId::from_bytes(id).ok());
        let sent = outbox::find(user, intent.ok_or(bad("intent"))?)?;
        let is_refused =
            sent.and_then(|row| row.outcome).is_some_and(|outcome| !Outcome::is_accepted(&outcome));
        if is_refused {
            continue;
        }
        progress.attempts += u16::from(event.kind == EventKind::Attempted);
        if event.index < stop.chain_index {
            continue;
        }
        progress.index = event.index.saturating_add(1);
        progress.prev = event_id(&event.body());
        progress.state = after(event.kind).unwrap_or(progress.state);
        progress.waiting += 1;
        progress.last = Some(event);
    }
    Ok(progress)
}

/// The state that a courier's scan leads to; none = it changes none.
fn after(kind: EventKind) -> Option<ParcelState> {
    match kind {
        EventKind::PickedUp => Some(ParcelState::PickedUp),
        EventKind::Departed | EventKind::Transfer => Some(ParcelState::InTransit),
        EventKind::OutForDelivery => Some(ParcelState::OutForDelivery),
        EventKind::Attempted => Some(ParcelState::Attempted),
        EventKind::Delivered => Some(ParcelState::Delivered),
        EventKind::Refused => Some(ParcelState::Refused),
        EventKind::ReturnStarted => Some(ParcelState::Returning),
        EventKind::Returned => Some(ParcelState::Returned),
        EventKind::Arrived
        | EventKind::ReadyForCollection
        | EventKind::Collected
        | EventKind::CustomsIn
        | EventKind::CustomsHeld
        | EventKind::CustomsOut
        | EventKind::Relabelled
        | EventKind::Lost
        | EventKind::Destroyed
        | EventKind::Found
        | EventKind::PickupFailed
        | EventKind::Damaged
        | EventKind::Held
        | EventKind::Released
        | EventKind::PinTry
        | EventKind::Void
        | EventKind::Resolve
        | EventKind::Note => None,
    }
}

/// The shift that this device carries. Refuses `shift.not_open`. One whose certificate has ended still counts: its
/// scans are kept, at a lower level.
pub(crate) fn open_shift_of(desk: &Desk) -> Result<Shift, SoukError> {
    let not_open = || SoukError::new("shift.not_open");
    let shift = desk.last_shift()?.filter(|shift| shift.closed_at.is_none()).ok_or_else(not_open)?;
    let (cert, _) = CertK::decode(&shift.certificate).map_err(frame)?;
    let own = desk.session.map(|session| *session.key.public_key());
    if public_key(&cert.public_key) != own {
        return Err(not_open());
    }
    Ok(shift)
}

impl DeviceHost {
    /// The number that the next custody event of this phone gets.
    pub(super) fn next_custody_seq(&self) -> Result<u32, SoukError> {
        Ok(next_of(&self.files()?.user, SERIES)?)
    }

    /// Writes a link: event, evidence and outbox row in one commit. The same scan again gives the first result.
    pub(crate) fn append_custody(
        &mut self,
        stop: &Stop,
        scan: Scan,
        now: Now,
    ) -> Result<ScanSavedView, SoukError> {
        let seq = self.next_custody_seq()?;
        let desk = self.desk(now)?;
        let shift = open_shift_of(&desk)?;
        let progress = progress(&desk.files.user, stop)?;
        let clock = desk.clock;
        let view = |again| ScanSavedView {
            waybill: stop.waybill,
            kind: scan.kind.name().to_owned(),
            again,
            ack: None,
        };
        if let Some(last) = &progress.last {
            let age_s = now.wall.secs() - i64::try_from(last.wall_time_us / 1_000_000).unwrap_or(0);
            let is_same = last.kind == scan.kind && last.reason == scan.reason;
            if is_same && (scan.kind != EventKind::Attempted || age_s.abs() < AGAIN_S) {
                return Ok(view(true));
            }
        }
        // A parcel that stands there already is not brought there again; only an attempt may be made twice.
        if after(scan.kind) == Some(progress.state) && scan.kind != EventKind::Attempted {
            return Ok(view(true));
        }
        if progress.state == ParcelState::Delivered {
            return Err(SoukError::new("label.already_delivered"));
        }
        let account = desk.me()?;
        let epoch = desk.session.map_or(0, |session| session.epoch);
        let key = self.signer().public_key();
        let party = party_of(account);
        let is_giving = matches!(scan.kind, EventKind::Delivered);
        // After a restart without contact nobody vouches for the clock.
        let flags = if clock.is_sure() { CustodyFlags::NONE } else { CustodyFlags::CLOCK_MOVED };
        let evidence = scan.evidence.as_ref().map(|evidence| evidence.bytes.clone()).unwrap_or_default();
        let event = CustodyC {
            algorithm: algorithm_of(&key),
            kind: scan.kind,
            flags,
            waybill: stop.waybill.number(),
            index: progress.index,
            reason: scan.reason,
            evidence: scan.evidence.as_ref().map_or(EvidenceType::None, |evidence| evidence.kind),
            giver_party: if is_giving { party } else { [0; 8] },
            taker_party: if is_giving { [0; 8] } else { party },
            signer_key_id: key.key_id(),
            device_epoch: u16::try_from(epoch).unwrap_or(u16::MAX),
            attempt: progress.attempts + u16::from(scan.kind == EventKind::Attempted),
            device_seq: seq,
            wall_time_us: u64::try_from(now.wall.micros()).unwrap_or(0),
            boot_ms: now.mono_ms,
            boot_id: now.boot as u32,
            latitude_e7: 0,
            longitude_e7: 0,
            accuracy_m: 0,
            fix_age_s: 0,
            server_time_us: u64::try_from(clock.at.micros()).unwrap_or(0),
            node: [0; 8],
            evidence_hash: evidence_hash(&evidence),
            prev: progress.prev,
        }
        .with_fix(scan.fix.map(|fix| Fix {
            latitude_e7: fix.lat_e7,
            longitude_e7: fix.lng_e7,
            accuracy_m: fix.accuracy_m,
            age_s: fix.age_s,
        }));
        let d = digest_of(CustodyC::LETTER, &event.body());
        let signature =
            sign_checked(self.signer().as_ref(), &d).map_err(|error| SoukError::new(error.code()))?;
        let bytes = event.encode(&signature);
        let bin =
            CustodyBin { event: bytes.clone(), certificate: shift.certificate, evidence: evidence.clone() };
        let body = Body::AppendCustody { waybill: stop.waybill };
        let number = souk_codes::waybill::text(stop.waybill.number());
        let copy = serde_json::json!({"title": number, "scan": scan.kind.name()});
        let ready = self.prepare(Tap { bin: bin.encode(), copy, ..Tap::of(body) }, now)?;
        let waybill = stop.waybill;
        self.save(ready, now, |tx, intent| {
            let intent = intent.bytes().as_slice();
            take_number(tx, SERIES, seq)?;
            tx.prepare_cached(QUEUE)?.execute((epoch, seq, stored(waybill), &bytes, &evidence, intent))?;
            if let Some(Evidence { bytes, proof: Some((key, counter)), ack, .. }) = &scan.evidence {
                tx.prepare_cached(PROOF_PUT)?.execute((
                    key.as_slice(),
                    counter,
                    Side::Taken.name(),
                    stored(waybill),
                    bytes,
                    &stop.label,
                    ack,
                    clock.at.micros(),
                ))?;
            }
            Ok(())
        })?;
        Ok(view(false))
    }
}
