//! Observers: a view first, then what becomes of it (spec/mobile.md 2.4).
//!
//! Not for: what a view holds (`facade`). Always: the first update is a `Reset` with the whole window; what a reader was
//! shown last is all that is kept for it, so that a slow one gets one difference later and no queue grows; nothing
//! runs for an observer that is not being read, and dropping it is its end.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use futures::Stream;
use serde::Serialize;
use souk_domain::id::{OrderId, ParcelId};
use tokio::sync::watch;

use super::owner::Command;
use super::{Device, ask_owner};
use crate::clock::Now;
use crate::error::SoukError;
use crate::facade::requests::OrdersRequest;
use crate::facade::views::{OrderRow, OrdersPage, StatusView, StopRow};
use crate::host::DeviceHost;

/// Rows that one difference names at most, put and removed together; more of them come as a `Reset`, since a screen
/// that changes so much is drawn anew.
pub const CHANGES_MAX: usize = 64;
/// Observers of one device that are open at the same time (spec/mobile.md 2.13): screens have a few each.
pub const OBSERVERS_MAX: usize = 64;

/// A row that is observed. A list is its rows by (rank, id), both falling, so that an upsert needs no position.
pub trait Observed: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// What it is known by.
    type Id: Copy + Ord + Debug + Serialize + Send + Sync + 'static;
    /// Which row it is.
    fn id(&self) -> Self::Id;
    /// Where it stands in the list.
    fn rank(&self) -> i64;
    /// Whether a screen that shows `self` has nothing to change for `now`.
    fn shows(&self, now: &Self) -> bool {
        self == now
    }
}

impl Observed for OrderRow {
    type Id = OrderId;
    fn id(&self) -> OrderId {
        self.id
    }
    fn rank(&self) -> i64 {
        self.rank
    }
}

impl Observed for StopRow {
    type Id = ParcelId;
    fn id(&self) -> ParcelId {
        self.parcel
    }
    fn rank(&self) -> i64 {
        self.rank
    }
}

/// The status line is a list of one row.
impl Observed for StatusView {
    type Id = ();
    fn id(&self) {}
    fn rank(&self) -> i64 {
        0
    }
    /// An age that goes on by itself is no change.
    fn shows(&self, now: &StatusView) -> bool {
        let age = now.oldest_pending_us;
        StatusView { oldest_pending_us: age, ..self.clone() } == *now
    }
}

/// What an observer says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Update<R: Observed> {
    /// Everything in the window; what was shown before is void.
    Reset {
        /// The rows, in their order.
        rows: Vec<R>,
        /// Whether there are more behind the window.
        more: bool,
        /// Rises with each update of an observer, from 1.
        version: u64,
    },
    /// What is different from all updates before; at most [`CHANGES_MAX`] rows.
    Changed {
        /// Rows that are new or other than before, in the order of the list.
        upserts: Vec<R>,
        /// Rows that are not in the window any more, in the order in which they stood there.
        removed: Vec<R::Id>,
        /// Whether there are more behind the window.
        more: bool,
        /// Rises with each update of an observer, from 1.
        version: u64,
    },
}

impl<R: Observed> Update<R> {
    /// Brings a list up to date, as a screen does.
    pub fn apply(self, list: &mut Vec<R>) {
        match self {
            Update::Reset { rows, .. } => *list = rows,
            Update::Changed { upserts, removed, .. } => {
                list.retain(|row| {
                    !removed.contains(&row.id()) && upserts.iter().all(|new| new.id() != row.id())
                });
                list.extend(upserts);
                list.sort_by_key(|row| std::cmp::Reverse((row.rank(), row.id())));
            }
        }
    }
}

/// What an observer sees at one moment.
#[derive(Clone, PartialEq, Debug)]
struct Window<R> {
    rows: Vec<R>,
    more: bool,
    /// Which opening of the files it was read from.
    opens: u64,
}

/// What the reader of an observer was told, and from that the next update.
#[derive(Debug)]
struct Shown<R> {
    window: Option<Window<R>>,
    version: u64,
}

impl<R: Observed> Shown<R> {
    const NOTHING: Shown<R> = Shown { window: None, version: 0 };

    /// What there is to be told; none = the reader knows.
    fn show(&mut self, now: Window<R>) -> Option<Update<R>> {
        let (version, more) = (self.version + 1, now.more);
        let update = match &self.window {
            Some(before) if before.opens == now.opens => {
                let (upserts, removed) = difference(&before.rows, &now.rows);
                let changes = upserts.len() + removed.len();
                match changes {
                    0 if before.more == more => return None,
                    0..=CHANGES_MAX => Update::Changed { upserts, removed, more, version },
                    _ => Update::Reset { rows: now.rows.clone(), more, version },
                }
            }
            Some(_) | None => Update::Reset { rows: now.rows.clone(), more, version },
        };
        (self.window, self.version) = (Some(now), version);
        Some(update)
    }
}

/// Rows to be put, and ids to be removed.
fn difference<R: Observed>(before: &[R], now: &[R]) -> (Vec<R>, Vec<R::Id>) {
    let shown: BTreeMap<R::Id, &R> = before.iter().map(|row| (row.id(), row)).collect();
    let kept: BTreeMap<R::Id, &R> = now.iter().map(|row| (row.id(), row)).collect();
    let is_new = |row: &&R| shown.get(&row.id()).is_none_or(|before| !before.shows(row));
    let upserts = now.iter().filter(is_new).cloned().collect();
    let removed = before.iter().map(R::id).filter(|id| !kept.contains_key(id)).collect();
    (upserts, removed)
}

/// How a window is read.
type View<R> = Arc<dyn Fn(&mut DeviceHost, Now) -> Result<Window<R>, SoukError> + Send + Sync>;

/// One of the places for observers; it is free again when this is dropped.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Result<Place, SoukError> {
        let one_more = |count| (count < OBSERVERS_MAX).then_some(count + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| SoukError::new("observe.limit"))?;
        Ok(Place(Arc::clone(open)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A view and what becomes of it. It does not keep the device open, and holds nothing but what it told last.
pub struct Observer<R: Observed> {
    inbox: mpsc::Sender<Command>,
    bell: watch::Receiver<u64>,
    view: View<R>,
    shown: Shown<R>,
    /// The bell has rung, and the view was not read since.
    is_due: bool,
    _place: Place,
}

impl<R: Observed> Debug for Observer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observer").field("version", &self.shown.version).finish_non_exhaustive()
    }
}

impl<R: Observed> Observer<R> {
    /// The next update, as soon as there is one; none = the device is closed, and nothing comes after it. Whatever
    /// happened since the last update comes as one. A paused device is waited for; after it comes a `Reset`.
    /// Cancel-safe: what a call that was dropped would have told, the next one tells. Offline.
    ///
    /// Refuses `store.*` when the view cannot be read; the observer stands, and reads again when something changes.
    pub async fn next(&mut self) -> Result<Option<Update<R>>, SoukError> {
        loop {
            if !self.is_due && self.bell.changed().await.is_err() {
                return Ok(None);
            }
            self.is_due = true;
            // What rings from here on is read once more.
            self.bell.mark_unchanged();
            let view = Arc::clone(&self.view);
            let read = ask_owner(&self.inbox, move |host, now| view(host, now)).await;
            // Not before the answer: whoever drops this call must not lose the change.
            self.is_due = false;
            match read {
                Ok(window) => {
                    if let Some(update) = self.shown.show(window) {
                        return Ok(Some(update));
                    }
                }
                Err(error) => match error.code.as_str() {
                    "core.closed" => return Ok(None),
                    // Opening the files again rings.
                    "core.paused" => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// The same as a stream; it ends with the device.
    pub fn into_stream(self) -> impl Stream<Item = Result<Update<R>, SoukError>> + Send {
        futures::stream::unfold(self, |mut observer| async move {
            let update = observer.next().await.transpose()?;
            Some((update, observer))
        })
    }
}

impl Device {
    /// Orders of the account that is signed in, newest first; no rows while nobody is. Memory only; refuses
    /// `observe.limit`.
    pub fn observe_orders(&self, request: OrdersRequest) -> Result<Observer<OrderRow>, SoukError> {
        self.observe(&self.inner.topics.orders, move |host, now| orders(host.orders(request, now)))
    }

    /// Orders of the own shop, newest first; no rows while there is none. Memory only; refuses `observe.limit`.
    pub fn observe_shop_orders(&self, request: OrdersRequest) -> Result<Observer<OrderRow>, SoukError> {
        self.observe(&self.inner.topics.orders, move |host, now| orders(host.shop_orders(request, now)))
    }

    /// Parcels of the courier's round with the own scans on top; no rows while nobody is signed in. Memory only;
    /// refuses `observe.limit`.
    pub fn observe_stops(&self) -> Result<Observer<StopRow>, SoukError> {
        self.observe(&self.inner.topics.stops, |host, now| {
            Ok((if_any(host.stops(now))?.unwrap_or_default(), false))
        })
    }

    /// The status line, a list of one row. Memory only; refuses `observe.limit`.
    pub fn observe_status(&self) -> Result<Observer<StatusView>, SoukError> {
        self.observe(&self.inner.topics.status, |host, now| Ok((vec![host.status(now)?], false)))
    }

    /// Observers that are open.
    pub fn observers_open(&self) -> usize {
        self.inner.observers.load(Ordering::Relaxed)
    }

    fn observe<R: Observed>(
        &self,
        bell: &watch::Receiver<u64>,
        view: impl Fn(&mut DeviceHost, Now) -> Result<(Vec<R>, bool), SoukError> + Send + Sync + 'static,
    ) -> Result<Observer<R>, SoukError> {
        let window = move |host: &mut DeviceHost, now: Now| {
            let (rows, more) = view(host, now)?;
            Ok(Window { rows, more, opens: host.opens() })
        };
        Ok(Observer {
            inbox: self.inner.inbox.clone(),
            bell: bell.clone(),
            view: Arc::new(window),
            shown: Shown::NOTHING,
            is_due: true,
            _place: Place::take(&self.inner.observers)?,
        })
    }
}

fn orders(page: Result<OrdersPage, SoukError>) -> Result<(Vec<OrderRow>, bool), SoukError> {
    Ok(if_any(page)?.map(|page| (page.rows, page.more)).unwrap_or_default())
}

/// Nothing to be seen is no error of an observer: who signs in or opens a shop later sees the rows come.
fn if_any<T>(view: Result<T, SoukError>) -> Result<Option<T>, SoukError> {
    match view {
        Ok(view) => Ok(Some(view)),
        Err(error) if ["device.missing", "role.none"].contains(&error.code.as_str()) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// (id, rank, text)
    impl Observed for (u8, i64, u8) {
        type Id = u8;
        fn id(&self) -> u8 {
            self.0
        }
        fn rank(&self) -> i64 {
            self.1
        }
    }

    fn window(rows: impl IntoIterator<Item = (u8, i64, u8)>) -> Window<(u8, i64, u8)> {
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.1, row.0)));
        Window { rows, more: false, opens: 1 }
    }

    fn any_window() -> impl Strategy<Value = Window<(u8, i64, u8)>> {
        let rows = prop::collection::btree_map(0..120u8, (0..4i64, 0..3u8), 0..120);
        let flags = (any::<bool>(), 1..3u64);
        (rows, flags).prop_map(|(rows, (more, opens))| Window {
            more,
            opens,
            ..window(rows.into_iter().map(|(id, (rank, text))| (id, rank, text)))
        })
    }

    proptest! {
        /// A screen that applies the updates shows the view, whatever the views were, and updates are small.
        #[test]
        fn updates_add_up(windows in prop::collection::vec(any_window(), 1..8)) {
            let (mut shown, mut screen, mut before) = (Shown::NOTHING, Vec::new(), 0);
            for now in windows {
                let Some(update) = shown.show(now.clone()) else {
                    prop_assert_eq!(&screen, &now.rows);
                    continue;
                };
                let version = match &update {
                    Update::Reset { version, .. } => *version,
                    Update::Changed { upserts, removed, version, more } => {
                        prop_assert!(before > 0, "the first is a reset");
                        prop_assert!(upserts.len() + removed.len() <= CHANGES_MAX);
                        prop_assert_eq!(*more, now.more);
                        *version
                    }
                };
                prop_assert_eq!(version, before + 1);
                before = version;
                update.apply(&mut screen);
                prop_assert_eq!(&screen, &now.rows);
            }
        }
    }

    /// Upserts and removals count together.
    #[test]
    fn a_difference_has_a_bound() {
        for (changes, is_reset) in [(CHANGES_MAX, false), (CHANGES_MAX + 1, true)] {
            let mut shown = Shown::NOTHING;
            let ten = (0..10).map(|id| (id, 5, 0));
            shown.show(window(ten));
            // Ten go, the others come.
            let update = shown.show(window((10..changes as u8).map(|id| (id, 5, 0))));
            assert_eq!(matches!(update, Some(Update::Reset { .. })), is_reset, "{changes}");
        }
    }

    #[test]
    fn nothing_new_is_not_told() {
        let mut shown = Shown::NOTHING;
        let one = || window([(1, 5, 0)]);
        assert!(shown.show(one()).is_some());
        assert_eq!(shown.show(one()), None);
        assert!(matches!(shown.show(Window { more: true, ..one() }), Some(Update::Changed { .. })));
        let reopened = Window { more: true, opens: 2, ..one() };
        assert!(matches!(shown.show(reopened.clone()), Some(Update::Reset { version: 3, .. })));
        assert_eq!(shown.show(reopened), None);
    }

    /// What a status line shows, and what it does not.
    #[test]
    fn an_age_is_no_change() {
        let row = StatusView {
            link: crate::facade::views::LinkState::New,
            account: None,
            pending: 1,
            needs_you: 0,
            rejected: 0,
            oldest_pending_us: Some(5),
            as_of: None,
            products: 0,
            is_quiet: true,
        };
        assert!(row.shows(&StatusView { oldest_pending_us: Some(6), ..row.clone() }));
        assert!(!row.shows(&StatusView { pending: 2, ..row.clone() }));
    }
}
