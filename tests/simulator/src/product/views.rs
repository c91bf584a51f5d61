//! What stands on the devices: own acts are visible, rows never go back, sums are right, and at rest every row is the
//! server's (syn09-syn11).

use std::collections::{BTreeMap, BTreeSet};

use souk_device::error::SoukError;
use souk_device::host::StoredRow;
use souk_device::outbox::RowState;
use souk_device::sync::View;
use souk_domain::bookkeeping::{Change, ScopePart};
use souk_domain::id::{OrderId, ShopId};
use souk_domain::intent::Body;
use souk_domain::order::OrderState;
use souk_domain::rows::{Key, Row};
use souk_domain::scope::{EntityKind, Scope};
use souk_engine::EngineError;
use souk_protocol::feed::{entity_view, reference_view};
use souk_protocol::intent::IntentText;
use souk_store::PageAsk;

use super::block_on;
use super::market::Part;
use super::phone::{News, Phone};
use super::record::Record;
use super::server::Server;
use super::world::Person;
use crate::disk::HostId;
use crate::sim::Sim;
use crate::world::{Checked, Violation};

/// Versions of the rows of one scope as they were last seen.
type Versions = BTreeMap<(u8, [u8; 16]), u64>;

/// What was seen on the devices before.
#[derive(Debug, Default)]
pub(super) struct Views {
    seen: BTreeMap<(HostId, Scope), Versions>,
    /// Devices in whose public file a bit has flipped.
    rotten: BTreeSet<HostId>,
}

impl Views {
    /// A bit of a device's public file has flipped: what stands inside its rows may be wrong from now on.
    pub(super) fn rotted(&mut self, host: HostId) {
        self.rotten.insert(host);
    }

    /// Whether the content of a scope's rows proves nothing on this device.
    pub(super) fn is_rotten(&self, host: HostId, scope: &Scope) -> bool {
        scope.is_public() && self.rotten.contains(&host)
    }

    /// Somebody was set back: what was seen may lawfully go back.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    /// Checks what has changed on a device. What its disk refuses to show proves nothing.
    pub(super) fn check(
        &mut self,
        host: HostId,
        phone: &mut Phone,
        news: &News,
        record: &Record,
        sim: &mut Sim,
    ) -> Checked {
        let mut scopes: Vec<&Scope> = Vec::new();
        let mut has_outbox = false;
        for view in &news.views {
            match view {
                View::Scope(scope) if !scopes.contains(&scope) => scopes.push(scope),
                View::Outbox => has_outbox = true,
                View::Scope(_) | View::Status => {}
            }
        }
        for scope in &scopes {
            self.rows(host, phone, scope, record)?;
        }
        if has_outbox || scopes.iter().any(|scope| !scope.is_public()) {
            own_acts(host, phone, sim)?;
        }
        Ok(())
    }

    /// syn10: versions never fall; syn11: the kept sum is that of the stored rows.
    fn rows(&mut self, host: HostId, phone: &Phone, scope: &Scope, record: &Record) -> Checked {
        let (Ok(rows), Ok(Some(sums))) = (phone.core.stored_rows(scope), phone.core.scope_sums(scope)) else {
            return Ok(());
        };
        // Where a bit has flipped the rows are on their way back to the server's; they are compared at rest.
        if sums.kept != sums.stored && !self.is_rotten(host, scope) {
            let text = format!("{host}: {scope} is kept as {:?}, stored as {:?}", sums.kept, sums.stored);
            return Err(Violation::new("syn11", text));
        }
        let now: Versions = rows.iter().map(|row| ((row.entity, row.id), row.ver)).collect();
        let former = self.seen.insert((host, scope.clone()), now.clone()).unwrap_or_default();
        let fallen = now.iter().find(|(thing, ver)| former.get(*thing).is_some_and(|seen| seen > ver));
        match fallen {
            Some((thing, ver)) if !record.was_set_back && !self.is_rotten(host, scope) => {
                let text = format!("{host}: {thing:?} of {scope} shows {ver}, and showed {}", former[thing]);
                Err(Violation::new("syn10", text))
            }
            _ => Ok(()),
        }
    }
}

/// syn09: what was done and accepted is on the screen. As long as an act stands in the outbox as not shown it is listed
/// itself; once it counts as shown, the thing must be there: a placed order, a cancelled one, a confirmed one.
fn own_acts(host: HostId, phone: &mut Phone, sim: &Sim) -> Checked {
    let Ok(outbox) = phone.core.outbox_rows() else { return Ok(()) };
    let mut wanted = Vec::new();
    for row in &outbox {
        let is_accepted = row.outcome.as_ref().is_some_and(souk_domain::outcome::Outcome::is_accepted);
        if row.state != RowState::Decided || !is_accepted || !row.is_shown() {
            continue;
        }
        let Ok(intent) = IntentText::parse(&row.text).and_then(|text| text.intent(row.bin.clone())) else {
            let text = format!("ALTERED {} on {host}: its text cannot be read", row.id);
            return Err(Violation::new("syn03", text));
        };
        let (order, states): (OrderId, &[OrderState]) = match intent.body {
            Body::PlaceOrder(_) => match OrderId::from_bytes(*row.id.bytes()) {
                Ok(order) => (order, &[]),
                Err(_) => continue,
            },
            Body::CancelOrder { order } => (order, &[OrderState::Cancelled]),
            Body::Confirm { order } | Body::RefundOrder { order } => (order, &[OrderState::Completed]),
            _ => continue,
        };
        wanted.push((row.id, order, states));
    }
    let things: Vec<_> = wanted.iter().map(|(_, order, _)| (EntityKind::Order, Key::order(*order))).collect();
    let now = phone.now(sim);
    let Ok(shown) = phone.core.shown(&things, now) else { return Ok(()) };
    for ((act, order, states), row) in wanted.iter().zip(shown) {
        let state = match row {
            Some(Row::Order(order)) => Some(order.state),
            _ => None,
        };
        let is_good = state.is_some_and(|state| states.is_empty() || states.contains(&state));
        if !is_good {
            let text = format!("{host}: {act} was accepted, and {order} shows as {state:?}");
            return Err(Violation::new("syn09", text));
        }
    }
    Ok(())
}

/// The scopes that somebody's device follows.
pub(super) fn scopes_of(person: &Person, shop: Option<ShopId>) -> Vec<Scope> {
    let mut scopes = vec![Scope::Reference, Scope::Catalogue, Scope::Account(person.account)];
    match person.part {
        Part::Seller => scopes.extend(shop.map(Scope::Seller)),
        Part::Courier => scopes.push(Scope::Route(person.account)),
        Part::Buyer => {}
    }
    scopes
}

/// Checksum and rows of a scope on the server, over all its parts.
pub(super) fn sum_of(server: &Server, scope: &Scope) -> Result<(u64, u64), EngineError> {
    if *scope == Scope::Reference {
        let reference = server.reader.reference();
        let (entity, id, _) = reference_view(reference)?;
        return Ok((souk_crypto::rowsum::h(entity.number().into(), &id, reference.version.into()), 1));
    }
    let (mut sum, mut rows) = (0u64, 0);
    for bucket in parts_of(server, scope)? {
        let part: Option<ScopePart> = block_on(server.reader.row(Key::scope_part(bucket, scope)))?;
        if let Some(part) = part {
            (sum, rows) = (sum.wrapping_add(part.sum), rows + part.rows);
        }
    }
    Ok((sum, rows))
}

fn parts_of(server: &Server, scope: &Scope) -> Result<Vec<souk_domain::id::Bucket>, EngineError> {
    let mut parts = vec![scope.home()];
    if !scope.is_public() {
        parts.extend(block_on(server.store().scope_parts(scope))?);
    }
    parts.sort_unstable();
    parts.dedup();
    Ok(parts)
}

/// syn11 at the end: kind, id, version and content of every row of a scope are the server's.
pub(super) fn same_rows(server: &Server, person: &Person, scope: &Scope, rows: Vec<StoredRow>) -> Checked {
    let theirs = match rows_of_server(server, scope) {
        Ok(theirs) => theirs,
        Err(error) => return Err(Violation::new("syn11", format!("{scope} cannot be read: {error}"))),
    };
    if let Some(row) = theirs.iter().find(|row| !rows.contains(row)) {
        let mine = rows.iter().find(|mine| (mine.entity, mine.id) == (row.entity, row.id));
        let text = format!("{}: {scope} has {mine:?}, the server {row:?}", person.name);
        return Err(Violation::new("syn11", text));
    }
    match rows.iter().find(|row| !theirs.contains(row)) {
        None => Ok(()),
        Some(row) => {
            let text = format!("{}: {scope} has {row:?}, which the server has not", person.name);
            Err(Violation::new("syn11", text))
        }
    }
}

fn rows_of_server(server: &Server, scope: &Scope) -> Result<Vec<StoredRow>, EngineError> {
    if *scope == Scope::Reference {
        let reference = server.reader.reference();
        let (entity, id, members) = reference_view(reference)?;
        return Ok(vec![StoredRow { entity: entity.number(), id, ver: reference.version.into(), members }]);
    }
    /// More rows than a scope has in any run.
    const ALL: usize = 100_000;
    let mut rows = Vec::new();
    for bucket in parts_of(server, scope)? {
        let ask = PageAsk { bucket, scope: scope.clone(), after: 0, limit: ALL, device: None };
        for (change, row) in block_on(server.store().page(&ask))?.changes {
            let Change { entity, id, seq, live, .. } = change;
            if let (true, Some(row)) = (live, row)
                && let Some((_, _, members)) = entity_view(&row, scope)?
            {
                rows.push(StoredRow { entity, id, ver: seq, members });
            }
        }
    }
    Ok(rows)
}

/// The version of a thing on the server, if it stands in a scope in its own bucket.
pub(super) fn version_on_server(
    server: &Server,
    scope: &Scope,
    kind: EntityKind,
    id: &[u8; 16],
    bucket: souk_domain::id::Bucket,
) -> Option<u64> {
    let key = Key::change_of(bucket, scope, kind.number(), id);
    let change: Option<Change> = block_on(server.reader.row(key)).ok()?;
    change.filter(|change| change.live).map(|change| change.seq)
}

/// The version of a thing on a device.
pub(super) fn version_on_device(
    phone: &Phone,
    scope: &Scope,
    kind: EntityKind,
    id: &[u8; 16],
) -> Result<Option<u64>, SoukError> {
    let rows = phone.core.stored_rows(scope)?;
    Ok(rows.iter().find(|row| row.entity == kind.number() && row.id == *id).map(|row| row.ver))
}
