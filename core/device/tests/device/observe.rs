//! Observers: the whole view first, then what is different, and never more than a screen can use.

use std::sync::{Arc, Mutex};

use futures::{FutureExt, StreamExt};
use souk_device::error::SoukError;
use souk_device::facade::requests::{LineRequest, OrdersRequest, PayRequest, PlaceOrderRequest};
use souk_device::facade::views::{LinkState, OrderRow};
use souk_device::host::DeviceHost;
use souk_device::runtime::{CHANGES_MAX, Device, DeviceConfig, OBSERVERS_MAX, Observed, Observer, Update};
use souk_domain::id::{OfferId, OrderId};
use souk_domain::order::PayMethod;
use souk_protocol::views::OrderWord;

use crate::line::{Phone, Shared};
use crate::overlay::seoul;
use crate::server::Server;

/// The whole list of a screen.
const ALL: OrdersRequest = OrdersRequest { offset: 0, limit: 200 };

/// Teas of the shop. A device promises no more of one than the band of its stock says, so there are some.
const TEAS: usize = 12;

fn market() -> Shared {
    let skus: Vec<String> = (0..TEAS).map(|number| format!("tea-{number}")).collect();
    let products: Vec<_> = skus.iter().map(|sku| (sku.as_str(), "Green tea", 12_900, 5_000)).collect();
    Arc::new(Mutex::new(Server::with_shop(&products)))
}

fn teas(server: &Shared) -> Vec<OfferId> {
    let server = server.lock().unwrap();
    (0..TEAS).map(|number| server.offer(&format!("tea-{number}"))).collect()
}

fn a_pack_of(offer: OfferId) -> PlaceOrderRequest {
    PlaceOrderRequest {
        lines: vec![LineRequest { offer, quantity: 1 }],
        address: Some(seoul()),
        ..PlaceOrderRequest::default()
    }
}

/// Taps so many orders in one go, of one tea after the other.
async fn place(phone: &Phone, teas: Vec<OfferId>, orders: usize) -> Vec<OrderId> {
    let place = move |host: &mut DeviceHost, now| {
        let first = host.orders(ALL, now)?.rows.len();
        let teas = teas.iter().cycle().skip(first % TEAS).take(orders);
        teas.map(|tea| Ok(host.place_order(&a_pack_of(*tea), now)?.orders[0].order)).collect()
    };
    phone.call::<Vec<OrderId>>(place).await
}

/// An observer with the list of the screen behind it.
struct Screen<R: Observed> {
    observer: Observer<R>,
    rows: Vec<R>,
    version: u64,
}

/// What a message was: reset or not, rows that it put, rows that it removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Told {
    is_reset: bool,
    puts: usize,
    removes: usize,
}

const fn reset(puts: usize) -> Told {
    Told { is_reset: true, puts, removes: 0 }
}

const fn changed(puts: usize, removes: usize) -> Told {
    Told { is_reset: false, puts, removes }
}

impl<R: Observed> Screen<R> {
    fn of(observer: Observer<R>) -> Screen<R> {
        Screen { observer, rows: Vec::new(), version: 0 }
    }

    fn take(&mut self, update: Update<R>) -> Told {
        let (told, version) = match &update {
            Update::Reset { rows, version, .. } => (reset(rows.len()), *version),
            Update::Changed { upserts, removed, version, .. } => {
                (changed(upserts.len(), removed.len()), *version)
            }
        };
        assert_eq!(version, self.version + 1, "each update counts one");
        self.version = version;
        update.apply(&mut self.rows);
        told
    }

    async fn next(&mut self) -> Told {
        let update = self.observer.next().await.unwrap().unwrap();
        self.take(update)
    }

    /// Takes differences until the screen shows what is waited for.
    async fn until(&mut self, is_there: impl Fn(&[R]) -> bool) {
        while !is_there(&self.rows) {
            assert!(!self.next().await.is_reset, "{:?}", self.rows);
        }
    }
}

async fn orders_of(phone: &Phone) -> Vec<OrderRow> {
    phone.call(|host, now| host.orders(ALL, now)).await.rows
}

#[tokio::test]
async fn a_tap_shows_before_any_network() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    phone.set_line(false);
    let mut orders = Screen::of(phone.device.observe_orders(ALL).unwrap());
    let mut status = Screen::of(phone.device.observe_status().unwrap());
    assert_eq!((orders.next().await, status.next().await), (reset(0), reset(1)));
    assert_eq!((status.rows[0].link, status.rows[0].pending), (LinkState::Online, 0));
    let decided = server.lock().unwrap().decided;
    let placed = place(&phone, teas(&server), 1).await;
    assert_eq!(orders.next().await, changed(1, 0));
    assert_eq!((orders.rows[0].id, orders.rows[0].word), (placed[0], OrderWord::AwaitingPayment));
    assert!(orders.rows[0].pending.is_some());
    status.until(|rows| rows[0].pending == 1).await;
    assert_eq!(orders.rows, orders_of(&phone).await);
    assert_eq!(server.lock().unwrap().decided, decided, "the server has heard nothing");
    // A list that was read before shows the newest first, and a removal by its id.
    let second = place(&phone, teas(&server), 1).await;
    assert_eq!(orders.next().await, changed(1, 0));
    assert_eq!(orders.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [second[0], placed[0]]);
    let act = orders.rows[0].pending.as_ref().unwrap().acts[0];
    phone.call(move |host, now| host.withdraw(act, now)).await;
    orders.until(|rows| rows.len() == 1).await;
    assert_eq!(orders.rows, orders_of(&phone).await);
}

#[tokio::test]
async fn what_the_server_decides_shows_on_both_sides() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    let seller = Phone::joined("seller@example.org", &server).await;
    let mut bought = Screen::of(phone.device.observe_orders(ALL).unwrap());
    let mut sold = Screen::of(seller.device.observe_shop_orders(ALL).unwrap());
    let mut none = Screen::of(phone.device.observe_shop_orders(ALL).unwrap());
    assert_eq!((bought.next().await, sold.next().await, none.next().await), (reset(0), reset(0), reset(0)));
    let order = place(&phone, teas(&server), 1).await[0];
    phone.call(move |host, now| host.pay(PayRequest { order, method: PayMethod::Mandate }, now)).await;
    phone.sync().await;
    bought.until(|rows| rows.len() == 1 && rows[0].pending.is_none()).await;
    assert_eq!(bought.rows[0].word, OrderWord::Paid);
    assert_eq!(bought.rows, orders_of(&phone).await);
    seller.sync().await;
    sold.until(|rows| rows.len() == 1).await;
    assert_eq!((sold.rows[0].id, sold.rows[0].word), (order, OrderWord::Paid));
    // Who signs out leaves nothing on the screen.
    phone.call(|host, now| host.sign_out(now)).await;
    bought.until(<[_]>::is_empty).await;
}

#[tokio::test]
async fn a_difference_is_never_longer_than_its_bound() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    phone.set_line(false);
    let mut orders = Screen::of(phone.device.observe_orders(ALL).unwrap());
    assert_eq!(orders.next().await, reset(0));
    place(&phone, teas(&server), CHANGES_MAX).await;
    assert_eq!(orders.next().await, changed(CHANGES_MAX, 0));
    place(&phone, teas(&server), CHANGES_MAX + 1).await;
    assert_eq!(orders.next().await, reset(2 * CHANGES_MAX + 1));
    assert_eq!(orders.rows, orders_of(&phone).await);
}

#[tokio::test]
async fn a_window_lets_the_oldest_go() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    phone.set_line(false);
    let three = OrdersRequest { offset: 0, limit: 3 };
    let mut orders = Screen::of(phone.device.observe_orders(three).unwrap());
    assert_eq!(orders.next().await, reset(0));
    place(&phone, teas(&server), 3).await;
    assert_eq!(orders.next().await, changed(3, 0));
    let oldest = orders.rows[2].id;
    place(&phone, teas(&server), 1).await;
    let update = orders.observer.next().await.unwrap().unwrap();
    match &update {
        Update::Changed { upserts, removed, more, .. } => {
            assert_eq!((upserts.len(), removed.as_slice(), *more), (1, [oldest].as_slice(), true));
        }
        Update::Reset { .. } => panic!("{update:?}"),
    }
    orders.take(update);
    assert_eq!(orders.rows, phone.call(move |host, now| host.orders(three, now)).await.rows);
}

#[tokio::test]
async fn a_slow_reader_gets_one_difference() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    phone.set_line(false);
    let mut orders = Screen::of(phone.device.observe_orders(ALL).unwrap());
    assert_eq!(orders.next().await, reset(0));
    for _ in 0..20 {
        place(&phone, teas(&server), 1).await;
    }
    assert_eq!(orders.next().await, changed(20, 0));
    // What rings without a change to this list is not told.
    let offer = teas(&server)[0];
    phone.call(move |host, now| host.set_cart_line(LineRequest { offer, quantity: 2 }, now)).await;
    assert_eq!(orders.observer.next().now_or_never().map(|_| ()), None);
    place(&phone, teas(&server), 1).await;
    assert_eq!(orders.next().await, changed(1, 0));
    assert_eq!(orders.rows, orders_of(&phone).await);
}

#[tokio::test]
async fn a_dropped_wait_loses_nothing() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    phone.set_line(false);
    let mut orders = Screen::of(phone.device.observe_orders(ALL).unwrap());
    for count in 1..=50 {
        place(&phone, teas(&server), 1).await;
        // Dropped at its first wait: for the bell, or for the view.
        if let Some(update) = orders.observer.next().now_or_never() {
            orders.take(update.unwrap().unwrap());
        }
        if count % 10 == 0 {
            while orders.rows.len() < count {
                orders.next().await;
            }
        }
    }
    assert_eq!(orders.rows, orders_of(&phone).await);
}

#[tokio::test]
async fn nothing_is_left_of_an_observer() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::open(DeviceConfig::in_dir(dir.path(), "test/1")).await.unwrap();
    let mut kept = Screen::of(device.observe_status().unwrap());
    assert_eq!(kept.next().await, reset(1));
    for cycle in 0..1_000 {
        let mut orders = device.observe_orders(ALL).unwrap();
        let mut stops = device.observe_stops().unwrap();
        match cycle % 4 {
            // Never read.
            0 => {}
            // Dropped while the view is read.
            1 => drop(stops.next().now_or_never()),
            // Dropped while it waits for a change.
            2 => {
                assert!(matches!(orders.next().await, Ok(Some(Update::Reset { .. }))));
                assert!(orders.next().now_or_never().is_none());
            }
            _ => assert!(matches!(stops.next().await, Ok(Some(Update::Reset { .. })))),
        }
        assert_eq!(device.observers_open(), 3);
        drop((orders, stops));
        assert_eq!(device.observers_open(), 1);
    }
    let full: Vec<_> = (1..OBSERVERS_MAX).map(|_| device.observe_stops().unwrap()).collect();
    assert_eq!(device.observe_orders(ALL).unwrap_err().code, "observe.limit");
    assert_eq!(device.observers_open(), OBSERVERS_MAX, "a refused one has no place");
    drop(full);
    assert!(device.observe_orders(ALL).is_ok());
    // One that is still held does not keep the device open.
    drop(device);
    assert_eq!(kept.observer.next().await, Ok(None));
    assert_eq!(kept.observer.next().await, Ok(None));
}

#[tokio::test]
async fn closing_ends_the_stream() {
    let dir = tempfile::tempdir().unwrap();
    let device = Device::open(DeviceConfig::in_dir(dir.path(), "test/1")).await.unwrap();
    let orders = device.observe_orders(ALL).unwrap().into_stream();
    let unread = device.observe_shop_orders(ALL).unwrap().into_stream();
    let mut orders = Box::pin(orders);
    let first = orders.next().await.unwrap().unwrap();
    assert!(matches!(first, Update::Reset { version: 1, .. }), "nobody is signed in: {first:?}");
    device.close().await.unwrap();
    assert_eq!(orders.next().await, None);
    assert_eq!(Box::pin(unread).next().await, None);
}

#[tokio::test]
async fn a_pause_is_waited_for() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    phone.set_line(false);
    let mut orders = Screen::of(phone.device.observe_orders(ALL).unwrap());
    assert_eq!(orders.next().await, reset(0));
    place(&phone, teas(&server), 1).await;
    // The change was not read yet when the files are closed.
    phone.device.pause().await.unwrap();
    let refused = phone.device.call(|host, now| host.orders(ALL, now)).await;
    assert_eq!(refused.map_err(|error: SoukError| error.code).unwrap_err(), "core.paused");
    let mut opened_meanwhile = Screen::of(phone.device.observe_orders(ALL).unwrap());
    let waiting = async { tokio::join!(orders.next(), opened_meanwhile.next()) };
    let (told, resumed) = tokio::join!(waiting, phone.device.resume());
    resumed.unwrap();
    assert_eq!(told, (reset(1), reset(1)));
    place(&phone, teas(&server), 1).await;
    assert_eq!(orders.next().await, changed(1, 0));
    phone.device.pause().await.unwrap();
    phone.device.resume().await.unwrap();
    assert_eq!(orders.next().await, reset(2), "a pause that nobody noticed");
    assert_eq!(orders.rows, orders_of(&phone).await);
    phone.sync().await;
    orders.until(|rows| rows.iter().all(|row| row.pending.is_none())).await;
}

#[tokio::test]
async fn a_power_cut_shows_the_same_again() {
    let server = market();
    let phone = Phone::joined("kim@example.org", &server).await;
    phone.set_line(false);
    let mut orders = Screen::of(phone.device.observe_orders(ALL).unwrap());
    assert_eq!(orders.next().await, reset(0));
    let order = place(&phone, teas(&server), 3).await[1];
    phone.call(move |host, now| host.pay(PayRequest { order, method: PayMethod::Mandate }, now)).await;
    assert_eq!(orders.next().await, changed(3, 0));
    let again = phone.after_a_power_cut().await;
    let mut reopened = Screen::of(again.device.observe_orders(ALL).unwrap());
    assert_eq!(reopened.next().await, reset(3));
    assert_eq!(reopened.rows, orders.rows);
    // Without a word to anybody.
    drop(phone);
    assert_eq!(orders.observer.next().await, Ok(None));
    again.sync().await;
    reopened.until(|rows| rows.iter().all(|row| row.pending.is_none())).await;
    server.lock().unwrap().assert_streams();
}
