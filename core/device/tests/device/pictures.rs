//! The hand-over by pictures alone: each phone draws its code as a PNG, the other reads the PNG; then one of them comes
//! to a network (spec/logistics.md 4).

use std::sync::{Arc, Mutex};

use souk_codes::label::{self, LabelTexts, Paper};
use souk_codes::qr::Symbol;
use souk_device::facade::requests::{
    DeliverRequest, FixRequest, HandOverRequest, LineRequest, MakeLabelRequest, PayRequest, PlaceOrderRequest,
};
use souk_device::facade::views::OrderRow;
use souk_device::runtime::{Observer, Update};
use souk_device::scan::{Cascade, LumaImage, ScanEngine, Want};
use souk_domain::id::OrderId;
use souk_domain::order::{OrderState, PayMethod};
use souk_domain::parcel::{Level, Parcel, ParcelState};

use crate::line::{Phone, Shared};
use crate::overlay::seoul;
use crate::server::Server;

/// Dots a module, as a screen shows it.
const MODULE_PX: u32 = 6;
const AT_HOME: Option<FixRequest> =
    Some(FixRequest { lat_e7: 375_665_000, lng_e7: 1_269_780_000, accuracy_m: Some(20), age_s: 5 });

/// A code as a screen shows it.
fn drawn(text: &str) -> Vec<u8> {
    Symbol::of_message(text).unwrap().png(MODULE_PX).unwrap()
}

/// The one code in a picture.
fn scanned(png: &[u8]) -> String {
    let (image, mut found) = (LumaImage::read(png).unwrap(), Vec::new());
    let want = Want { prefix: Some("SK1:"), ..Want::default() };
    Cascade::new().scan(&image.plane().unwrap(), &want, &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0).text
}

/// What an observer has to say, until its list has a row of this state.
async fn shown(observer: &mut Observer<OrderRow>, is_there: impl Fn(&OrderRow) -> bool) -> OrderRow {
    let mut rows = Vec::new();
    while let Some(update) = observer.next().await.unwrap() {
        update.apply(&mut rows);
        if let Some(row) = rows.iter().find(|row| is_there(row)) {
            return row.clone();
        }
    }
    panic!("closed: {rows:?}");
}

struct Meeting {
    server: Shared,
    buyer: Phone,
    courier: Phone,
    order: OrderId,
    /// The label as the printer made it.
    label_png: Vec<u8>,
}

/// The order is paid and labelled, the courier is on the round; both lines are down.
async fn at_the_door() -> Meeting {
    let server: Shared = Arc::new(Mutex::new(Server::with_shop(&[("tea", "Green tea", 12_900, 30)])));
    let offer = server.lock().unwrap().offer("tea");
    let buyer = Phone::joined("kim@example.org", &server).await;
    let courier = Phone::joined("courier@example.org", &server).await;
    let order = buyer
        .call(move |host, now| {
            let request = PlaceOrderRequest {
                lines: vec![LineRequest { offer, quantity: 1 }],
                address: Some(seoul()),
                ..PlaceOrderRequest::default()
            };
            let order = host.place_order(&request, now)?.orders[0].order;
            host.pay(PayRequest { order, method: PayMethod::Mandate }, now)?;
            Ok(order)
        })
        .await;
    buyer.sync().await;
    let seller = Phone::joined("seller@example.org", &server).await;
    let request = MakeLabelRequest { order, weight_g: 1_520, courier: None };
    seller.call(move |host, now| host.make_label(request, now)).await;
    seller.sync().await;
    let print = seller.call(move |host, now| host.labels(order, now)).await.remove(0);
    let texts = LabelTexts { from: print.from, to: print.to, ..LabelTexts::default() };
    let label_png = label::png(&print.label, &texts, Paper::Mm100x150).unwrap();
    buyer.sync().await;
    courier.call(|host, now| host.open_shift(8, now)).await;
    courier.sync().await;
    courier.sync().await;
    buyer.set_line(false);
    courier.set_line(false);
    Meeting { server, buyer, courier, order, label_png }
}

/// Everything at the door. What goes from phone to phone are pictures.
async fn hand_over(meeting: &Meeting) {
    let Meeting { server, buyer, courier, label_png, order } = meeting;
    let decided = server.lock().unwrap().decided;
    let mut stops = courier.device.observe_stops().unwrap();
    let mut round = Vec::new();
    stops.next().await.unwrap().unwrap().apply(&mut round);
    assert_eq!((round.len(), round[0].pending), (1, 0));
    // The courier scans the label.
    let label = scanned(label_png);
    let view = courier
        .call(move |host, now| {
            let view = host.scan_parcel(&label, now)?;
            host.load_parcel(&label, None, now)?;
            host.out_for_delivery(&label, None, now)?;
            Ok(view)
        })
        .await;
    assert!(view.is_on_round);
    // The buyer scans it too and shows a code.
    let label = scanned(label_png);
    let code = buyer
        .call(move |host, now| {
            assert!(host.read_label(&label, now)?.order.is_some());
            host.show_handover(&HandOverRequest { label, ..HandOverRequest::default() }, now)
        })
        .await;
    let buyers_screen = drawn(&code.text);
    // The courier scans the screen and shows an acknowledgement.
    let request =
        DeliverRequest { parcel: scanned(label_png), handover: scanned(&buyers_screen), fix: AT_HOME };
    let saved = courier.call(move |host, now| host.deliver(&request, now)).await;
    let update = stops.next().await.unwrap().unwrap();
    assert!(matches!(&update, Update::Changed { upserts, .. } if upserts.len() == 1), "{update:?}");
    update.apply(&mut round);
    assert_eq!((round[0].state, round[0].pending), (ParcelState::Delivered, 3));
    let couriers_screen = drawn(&saved.ack.unwrap());
    // The buyer keeps it.
    let ack = scanned(&couriers_screen);
    buyer.call(move |host, now| host.keep_ack(&ack, now)).await;
    let server = server.lock().unwrap();
    assert_eq!(server.decided, decided, "the server has heard nothing");
    let held = server.order(*order).unwrap();
    assert_eq!((held.released, held.state == OrderState::Completed), (0, false));
}

/// One phone comes to a network, and the money is the seller's; the other changes nothing of it later.
async fn releases(meeting: &Meeting, first: &Phone, second: &Phone) {
    let order = |server: &Shared| server.lock().unwrap().order(meeting.order).unwrap();
    first.sync().await;
    let released = order(&meeting.server);
    assert_eq!(released.state, OrderState::Completed);
    assert_eq!((released.released, released.held()), (released.paid, 0));
    second.sync().await;
    assert_eq!(order(&meeting.server).released, released.released);
    let parcels = meeting.server.lock().unwrap().all::<Parcel>();
    assert_eq!((parcels[0].state, parcels[0].level), (ParcelState::Delivered, Level::E4));
    meeting.server.lock().unwrap().assert_streams();
    // The buyer's screen hears of it by itself.
    let mut orders = meeting.buyer.device.observe_orders(Default::default()).unwrap();
    meeting.buyer.sync().await;
    let row = shown(&mut orders, |row| row.pending.is_none()).await;
    assert_eq!(row.id, meeting.order);
}

#[tokio::test]
async fn only_the_courier_meets_the_network() {
    let meeting = at_the_door().await;
    hand_over(&meeting).await;
    releases(&meeting, &meeting.courier, &meeting.buyer).await;
}

#[tokio::test]
async fn only_the_buyer_meets_the_network() {
    let meeting = at_the_door().await;
    hand_over(&meeting).await;
    releases(&meeting, &meeting.buyer, &meeting.courier).await;
}
