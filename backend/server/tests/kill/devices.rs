//! People with real device cores, each with its own files: two phones that buy, a shop, a courier. They act on what their
//! device shows and never look at the server; what they did waits in the outbox while the backend is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use souk_device::error::SoukError;
use souk_device::facade::requests::{
    DeliverRequest, HandOverRequest, LineRequest, MakeLabelRequest, OrdersRequest, PayRequest,
    PlaceOrderRequest, TakeVerdict,
};
use souk_device::facade::views::{OrdersPage, StopRow};
use souk_device::runtime::Device;
use souk_domain::id::{OfferId, OrderId, Waybill};
use souk_domain::order::PayMethod;
use souk_domain::parcel::ParcelState;
use souk_protocol::views::OrderWord;
use souk_server::people;
use souk_testkit::market::Seeded;
use tokio::time::Instant;

use crate::direct::{LOOK_AGAIN, PATIENCE, Pulse};
use crate::site::{COURIER, DEVICE_SELLER, Site};

/// Orders that a buyer has under way at most.
const OPEN_ORDERS_MAX: usize = 3;
/// Orders that a buyer makes at least, however late it has signed in.
const ORDERS_MIN: u32 = 4;
/// Paid orders that the shop gives the money back for, in a thousand.
const GIVEN_BACK: u64 = 200;
const ALL: OrdersRequest = OrdersRequest { offset: 0, limit: 10_000 };
const SHIFT_HOURS: u8 = 12;

/// What the people share: things that one sees at the other.
pub(crate) struct Stage {
    url: String,
    folder: std::path::PathBuf,
    pulse: Arc<Pulse>,
    offers: Vec<OfferId>,
    /// Labels on parcels, by number.
    labels: Mutex<BTreeMap<String, String>>,
    /// Who opens for which parcel.
    doors: Mutex<BTreeMap<Waybill, Device>>,
    devices: Mutex<Vec<(String, Device)>>,
}

impl Stage {
    pub(crate) fn new(site: &Site, pulse: &Arc<Pulse>, offers: Vec<OfferId>) -> Arc<Stage> {
        Arc::new(Stage {
            url: site.url.clone(),
            folder: site.device(""),
            pulse: Arc::clone(pulse),
            offers,
            labels: Mutex::default(),
            doors: Mutex::default(),
            devices: Mutex::default(),
        })
    }

    /// All devices that are signed in.
    pub(crate) fn devices(&self) -> Vec<(String, Device)> {
        self.devices.lock().unwrap().clone()
    }

    /// Tells every device that there is a network, so that none waits out its delay.
    pub(crate) async fn network_up(&self) {
        for (_, device) in self.devices() {
            device.network_up().await.unwrap();
        }
    }

    /// A device in its folder, signed in however often that has to be tried.
    async fn device(&self, contact: &str) -> Device {
        let device = people::open(&self.folder.join(contact), Some(&self.url)).await.unwrap();
        let until = Instant::now() + PATIENCE;
        while !people::is_signed_in(&device).await.unwrap() {
            // A code is good for several tries and three are sent an hour; a killed backend has forgotten them all.
            let answer = match device.sandbox_code(contact).await {
                Ok(Some(code)) => device.join(contact, &code, contact, false).await,
                Ok(None) => device.request_code(contact).await,
                Err(error) => Err(error),
            };
            assert!(Instant::now() < until, "{contact} cannot sign in: {answer:?}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        device.set_foreground(true).await.unwrap();
        self.devices.lock().unwrap().push((contact.to_owned(), device.clone()));
        device
    }

    /// For the message of a run that hangs.
    pub(crate) async fn under_way(&self) -> String {
        let mut text = String::new();
        for (name, device) in self.devices() {
            let acts = device.call(|host, now| host.pending_acts(now)).await;
            text.push_str(&format!("\n{name}: {acts:?}"));
            for order in device.call(|host, now| host.orders(ALL, now)).await.map_or(vec![], open_rows) {
                text.push_str(&format!("\n  {order:?}"));
            }
        }
        text
    }
}

fn open_rows(page: OrdersPage) -> Vec<(OrderId, OrderWord)> {
    page.rows.iter().map(|row| (row.id, row.word)).filter(|(_, word)| !is_ended(*word)).collect()
}

fn is_ended(word: OrderWord) -> bool {
    matches!(word, OrderWord::Released | OrderWord::Refunded | OrderWord::Cancelled)
}

/// What a device refuses because it knows of another act meanwhile is no failure; what comes of it is checked at the end.
fn may_refuse<T>(result: Result<T, SoukError>) -> Option<T> {
    const LAWFUL: [&str; 3] = ["order.state", "offer.gone", "stop.unknown"];
    match result {
        Ok(value) => Some(value),
        Err(error) if LAWFUL.contains(&error.code.as_str()) => None,
        Err(error) => panic!("a device refuses {error}"),
    }
}

/// A buyer: orders, pays, opens the door.
pub(crate) async fn buyer(stage: Arc<Stage>, number: u64, mut random: Seeded) {
    let contact = format!("phone{number}@kill.souk.invalid");
    let device = stage.device(&contact).await;
    let mut paying = BTreeSet::new();
    let mut placed = 0;
    loop {
        let page = device.call(|host, now| host.orders(ALL, now)).await.unwrap();
        let mut under_way = 0;
        for row in &page.rows {
            under_way += usize::from(!is_ended(row.word));
            let id = row.id;
            match row.word {
                OrderWord::AwaitingPayment if row.pending.is_none() && paying.insert(id) => {
                    let request = PayRequest { order: id, method: PayMethod::Mandate };
                    device.call(move |host, now| host.pay(request, now)).await.unwrap();
                }
                OrderWord::LabelMade | OrderWord::Shipped | OrderWord::OutForDelivery => {
                    let order = device.call(move |host, now| host.order(id, now)).await.unwrap();
                    let mut doors = stage.doors.lock().unwrap();
                    doors.extend(order.parcels.iter().map(|parcel| (parcel.waybill, device.clone())));
                }
                _ => {}
            }
        }
        let is_closing = stage.pulse.is_closing() && placed >= ORDERS_MIN;
        if is_closing && under_way == 0 && device.call(|host, _| host.undecided()).await.unwrap() == 0 {
            return;
        }
        if !is_closing && under_way < OPEN_ORDERS_MAX && random.chance(400) {
            let offer = *random.pick(&stage.offers);
            let quantity = 1 + random.below(3) as u32;
            let request = PlaceOrderRequest {
                lines: vec![LineRequest { offer, quantity }],
                address: Some(people::example_address("Lee Jun")),
                ..PlaceOrderRequest::default()
            };
            let answer = device.call(move |host, now| host.place_order(&request, now)).await;
            placed += u32::from(may_refuse(answer).is_some());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// A shop: makes the label of what is paid and sticks it on, or gives the money back.
pub(crate) async fn seller(stage: Arc<Stage>, mut random: Seeded) {
    let device = stage.device(DEVICE_SELLER).await;
    let mut packed = BTreeSet::new();
    while !stage.pulse.is_ended() {
        let is_mine = device.call(|host, now| host.my_shop(now)).await.is_ok();
        let rows = match is_mine {
            true => device.call(|host, now| host.shop_orders(ALL, now)).await.unwrap().rows,
            false => Vec::new(),
        };
        for row in rows {
            let order = row.id;
            match row.word {
                OrderWord::Paid if row.pending.is_none() && packed.insert(order) => {
                    if random.chance(GIVEN_BACK) {
                        may_refuse(device.call(move |host, now| host.refund_order(order, now)).await);
                    } else {
                        let request = MakeLabelRequest { order, weight_g: 700, courier: None };
                        may_refuse(device.call(move |host, now| host.make_label(request, now)).await);
                    }
                }
                OrderWord::LabelMade => {
                    // While the act is pending the device expects a label and has none.
                    let labels = device.call(move |host, now| host.labels(order, now)).await;
                    let mut stuck_on = stage.labels.lock().unwrap();
                    for print in labels.unwrap_or_default() {
                        stuck_on.insert(print.number, print.text);
                    }
                }
                _ => {}
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    until_decided(&device).await;
}

/// A courier: opens a shift, loads, drives, hands over.
pub(crate) async fn courier(stage: Arc<Stage>) {
    let device = stage.device(COURIER).await;
    let mut is_asked_for = false;
    while !stage.pulse.is_ended() {
        tokio::time::sleep(LOOK_AGAIN).await;
        let shift = device.call(|host, now| host.shift(now)).await.unwrap();
        if !shift.is_some_and(|shift| shift.is_open) {
            // The role comes with the first pull.
            let ask = move |host: &mut souk_device::host::DeviceHost, now| host.open_shift(SHIFT_HOURS, now);
            is_asked_for = is_asked_for || device.call(ask).await.is_ok();
            continue;
        }
        for stop in device.call(|host, now| host.stops(now)).await.unwrap() {
            let label = stage.labels.lock().unwrap().get(&stop.number).cloned();
            if let Some(label) = label {
                go(&stage, &device, stop, label).await;
            }
        }
    }
    until_decided(&device).await;
}

/// The next scan of one parcel.
async fn go(stage: &Stage, device: &Device, stop: StopRow, label: String) {
    match stop.state {
        ParcelState::Ready => {
            may_refuse(device.call(move |host, now| host.load_parcel(&label, None, now)).await);
        }
        ParcelState::PickedUp => {
            may_refuse(device.call(move |host, now| host.out_for_delivery(&label, None, now)).await);
        }
        ParcelState::OutForDelivery => {
            let Some(buyer) = stage.doors.lock().unwrap().get(&stop.waybill).cloned() else { return };
            let request = HandOverRequest { label, verdict: TakeVerdict::Accept, cod_agreed: false };
            let code = buyer.call(move |host, now| host.show_handover(&request, now)).await.unwrap();
            let request = DeliverRequest { parcel: stop.number, handover: code.text, fix: None };
            let saved = device.call(move |host, now| host.deliver(&request, now)).await.unwrap();
            if let Some(ack) = saved.ack {
                buyer.call(move |host, now| host.keep_ack(&ack, now)).await.unwrap();
            }
        }
        _ => {}
    }
}

async fn until_decided(device: &Device) {
    let until = Instant::now() + PATIENCE;
    while device.call(|host, _| host.undecided()).await.unwrap() > 0 {
        assert!(Instant::now() < until, "acts wait in vain");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
