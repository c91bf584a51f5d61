//! The courier's calls (spec/mobile.md 2.13, spec/logistics.md 5).

use souk_codes::proof::{EventKind, Reason};
use souk_domain::intent::Body;
use souk_domain::outcome::Refusal;
use souk_domain::parcel::{Shift, Stop};
use souk_domain::rows::Row;
use souk_domain::scope::{EntityKind, Scope};
use souk_protocol::views::{ShiftView, StopView};

use super::PAGE_ROWS_MAX;
use super::buyer::saved_view;
use super::requests::{AttemptRequest, DeliverRequest, FixRequest};
use super::views::{LabelView, SavedView, ScanSavedView, ShiftRow, StopRow};
use crate::clock::Now;
use crate::error::SoukError;
use crate::handover::chain::{self, Scan};
use crate::handover::{self, ParcelRef};
use crate::host::DeviceHost;
use crate::outbox::Tap;

impl DeviceHost {
    /// Opens a shift. Needs the server: the certificate of the day comes with the courier's scope once it is decided.
    /// Refuses `shift.hours`, `auth.forbidden` (not a courier), and what [`DeviceHost::tap`] refuses.
    pub fn open_shift(&mut self, hours: u8, now: Now) -> Result<SavedView, SoukError> {
        let copy = serde_json::json!({"title": "shift", "hours": hours});
        Ok(saved_view(self.tap(Tap { copy, ..Tap::of(Body::OpenShift { hours }) }, now)?))
    }

    /// The last shift, open or closed.
    pub fn shift(&mut self, now: Now) -> Result<Option<ShiftRow>, SoukError> {
        let desk = self.desk(now)?;
        let shift = desk.last_shift()?;
        let at = desk.clock.at;
        Ok(shift.map(|shift| ShiftRow {
            id: shift.id,
            ends_at: shift.ends_at,
            is_open: shift.closed_at.is_none() && at < shift.ends_at,
            report: ShiftView::from(&shift).report,
        }))
    }

    /// Ends the shift. Refuses `shift.not_open`, `shift.parcels_open` when a scan is missing, and what
    /// [`DeviceHost::tap`] refuses.
    pub fn close_shift(&mut self, now: Now) -> Result<SavedView, SoukError> {
        let desk = self.desk(now)?;
        let shift = desk.last_shift()?.filter(|shift| shift.closed_at.is_none());
        let shift = shift.ok_or_else(|| SoukError::new("shift.not_open"))?.id;
        let copy = serde_json::json!({"title": "shift"});
        Ok(saved_view(self.tap(Tap { copy, ..Tap::of(Body::CloseShift { shift }) }, now)?))
    }

    /// Parcels of the round, the last changed first, with the own scans on top.
    pub fn stops(&mut self, now: Now) -> Result<Vec<StopRow>, SoukError> {
        let desk = self.desk(now)?;
        let mut rows = Vec::new();
        for stop in desk.stops()? {
            let progress = chain::progress(&desk.files.user, &stop)?;
            let view = StopView::from(&stop);
            rows.push(StopRow {
                parcel: stop.parcel,
                rank: stop.updated_at.micros(),
                waybill: stop.waybill,
                number: souk_codes::waybill::text(stop.waybill.number()),
                from: stop.from.clone(),
                to: view.to,
                state: progress.state,
                pending: progress.waiting,
            });
        }
        Ok(rows)
    }

    /// Reads a label and says whether it is on the round. Refuses the frames of spec/logistics.md 4.5 (`proof.*`),
    /// `label.key_unknown`, `proof.signature`.
    pub fn scan_parcel(&mut self, label: &str, now: Now) -> Result<LabelView, SoukError> {
        self.checked(now, |host| {
            let desk = host.desk(now)?;
            let (_, read) = handover::read_label(&desk, label)?;
            let is_on_round = desk.stop_of(&ParcelRef::Label(label.to_owned())).is_ok();
            Ok(LabelView { is_on_round, ..handover::label_view(&read) })
        })
    }

    /// The parcel is on the van. Refuses `shift.not_open`, `handover.not_on_manifest`, the codes of a label.
    pub fn load_parcel(
        &mut self,
        parcel: &str,
        fix: Option<FixRequest>,
        now: Now,
    ) -> Result<ScanSavedView, SoukError> {
        self.record(parcel, Scan { fix, ..Scan::of(EventKind::PickedUp) }, now)
    }

    /// The parcel is on its last way. Refuses as [`DeviceHost::load_parcel`].
    pub fn out_for_delivery(
        &mut self,
        parcel: &str,
        fix: Option<FixRequest>,
        now: Now,
    ) -> Result<ScanSavedView, SoukError> {
        self.record(parcel, Scan { fix, ..Scan::of(EventKind::OutForDelivery) }, now)
    }

    /// An attempt has failed. Refuses `custody.reason` for a name that spec/logistics.md 5.4 does not have, and as
    /// [`DeviceHost::load_parcel`].
    pub fn record_attempt(&mut self, request: &AttemptRequest, now: Now) -> Result<ScanSavedView, SoukError> {
        let reason = (1..=u8::MAX)
            .filter_map(Reason::from_number)
            .find(|reason| reason.name() == request.reason)
            .ok_or(Refusal::new("custody.reason").with("field", "reason"))?;
        let scan = Scan { reason: Some(reason), fix: request.fix, ..Scan::of(EventKind::Attempted) };
        self.record(&request.parcel, scan, now)
    }

    /// The parcel goes back to the seller, or is back there. Refuses as [`DeviceHost::load_parcel`].
    pub fn scan_back(
        &mut self,
        parcel: &str,
        is_there: bool,
        fix: Option<FixRequest>,
        now: Now,
    ) -> Result<ScanSavedView, SoukError> {
        let kind = if is_there { EventKind::Returned } else { EventKind::ReturnStarted };
        self.record(parcel, Scan { fix, ..Scan::of(kind) }, now)
    }

    fn record(&mut self, parcel: &str, scan: Scan, now: Now) -> Result<ScanSavedView, SoukError> {
        self.checked(now, |host| {
            let stop = host.desk(now)?.stop_of(&ParcelRef::parse(parcel))?;
            host.append_custody(&stop, scan, now)
        })
    }

    /// Hands a parcel over against the taker's code: all checks of spec/logistics.md 4.5, column H, then event,
    /// evidence and outbox row in one commit. The same code again gives the first result. Refuses `shift.not_open`,
    /// `handover.*`, `proof.*`.
    pub fn deliver(&mut self, request: &DeliverRequest, now: Now) -> Result<ScanSavedView, SoukError> {
        self.checked(now, |host| host.take_handover(request, now))
    }

    /// The acknowledgement of a delivery, to be shown to the taker. Refuses `ack.unknown`.
    pub fn show_ack(&mut self, parcel: &str, now: Now) -> Result<String, SoukError> {
        let stop = self.desk(now)?.waybill_of(&ParcelRef::parse(parcel))?;
        let ack = handover::ack_of(&self.files()?.user, stop)?;
        ack.ok_or_else(|| SoukError::new("ack.unknown"))
    }
}

impl super::Desk<'_> {
    /// The courier's last shift.
    pub(crate) fn last_shift(&self) -> Result<Option<Shift>, SoukError> {
        let scope = Scope::Route(self.me()?);
        let pick = |row| match row {
            Row::Shift(shift) => Some(shift),
            _ => None,
        };
        let rank = |shift: &Shift| shift.opened_at.micros();
        let found = self.list(&scope, EntityKind::Shift, (0, 1), pick, rank)?;
        Ok(found.into_iter().next().map(|(shift, _)| shift))
    }

    /// Stops of the round.
    pub(crate) fn stops(&self) -> Result<Vec<Stop>, SoukError> {
        let scope = Scope::Route(self.me()?);
        let pick = |row| match row {
            Row::Stop(stop) => Some(stop),
            _ => None,
        };
        let rank = |stop: &Stop| stop.updated_at.micros();
        let limit = PAGE_ROWS_MAX + souk_codes::proof::MANIFEST_PARCELS_MAX;
        let found = self.list(&scope, EntityKind::Stop, (0, limit), pick, rank)?;
        Ok(found.into_iter().map(|(stop, _)| stop).collect())
    }
}
