//! Two phones without a network: label, proof, acknowledgement; and every code that stops a wrong one.

use souk_device::error::SoukError;
use souk_device::facade::requests::{
    AttemptRequest, DeliverRequest, FixRequest, HandOverRequest, LineRequest, MakeLabelRequest, PayRequest,
    PlaceOrderRequest, TakeVerdict,
};
use souk_device::sync::Event;
use souk_domain::id::OrderId;
use souk_domain::order::{OrderState, PayMethod};
use souk_domain::parcel::{Level, Parcel, ParcelState};

use crate::bench::Bench;
use crate::overlay::seoul;
use crate::server::Server;

const AT_HOME: Option<FixRequest> =
    Some(FixRequest { lat_e7: 375_665_000, lng_e7: 1_269_780_000, accuracy_m: Some(20), age_s: 5 });

pub(crate) struct Door {
    pub(crate) server: Server,
    pub(crate) buyer: Bench,
    pub(crate) courier: Bench,
    pub(crate) order: OrderId,
    pub(crate) label: String,
    pub(crate) number: String,
}

/// A paid, labelled order; the courier has opened the shift; from here on there is no network.
pub(crate) fn at_the_door() -> Door {
    let mut server = Server::with_shop(&[("tea", "Green tea", 12_900, 30), ("cup", "Tea cup", 4_000, 9)]);
    let mut buyer = Bench::joined(1, "kim@example.org", &mut server);
    let mut courier = Bench::joined(20, "courier@example.org", &mut server);
    let (order, label, number) = labelled(&mut server, &mut buyer);
    let now = courier.now;
    courier.host().open_shift(8, now).unwrap();
    courier.drain();
    courier.heal(&mut server);
    courier.event(Event::SyncNow);
    courier.heal(&mut server);
    let now = courier.now;
    courier.host().load_parcel(&label, None, now).unwrap();
    courier.host().out_for_delivery(&number, None, now).unwrap();
    courier.drain();
    Door { server, buyer, courier, order, label, number }
}

/// An order that is paid and has its label: order, label text, printed number.
pub(crate) fn labelled(server: &mut Server, buyer: &mut Bench) -> (OrderId, String, String) {
    let now = buyer.now;
    let request = PlaceOrderRequest {
        lines: vec![LineRequest { offer: server.offer("tea"), quantity: 1 }],
        address: Some(seoul()),
        ..PlaceOrderRequest::default()
    };
    let order = buyer.host().place_order(&request, now).unwrap().orders[0].order;
    buyer.host().pay(PayRequest { order, method: PayMethod::Mandate }, now).unwrap();
    buyer.drain();
    buyer.heal(server);
    let mut seller = Bench::joined(90 + server.decided, "seller@example.org", server);
    let now = seller.now;
    seller.host().make_label(MakeLabelRequest { order, weight_g: 1_520, courier: None }, now).unwrap();
    seller.drain();
    seller.heal(server);
    let now = seller.now;
    let print = seller.host().labels(order, now).unwrap().remove(0);
    buyer.event(Event::SyncNow);
    buyer.heal(server);
    (order, print.text, print.number)
}

impl Door {
    pub(crate) fn show(&mut self) -> String {
        let now = self.buyer.now;
        let request = HandOverRequest { label: self.label.clone(), ..HandOverRequest::default() };
        let code = self.buyer.host().show_handover(&request, now).unwrap().text;
        self.buyer.drain();
        code
    }

    pub(crate) fn deliver(
        &mut self,
        handover: &str,
    ) -> Result<souk_device::facade::views::ScanSavedView, SoukError> {
        let now = self.courier.now;
        let request =
            DeliverRequest { parcel: self.number.clone(), handover: handover.to_owned(), fix: AT_HOME };
        let saved = self.courier.host().deliver(&request, now);
        self.courier.drain();
        saved
    }

    pub(crate) fn parcel(&self) -> Parcel {
        self.server.all::<Parcel>().into_iter().find(|parcel| parcel.order == self.order).unwrap()
    }
}

#[test]
fn two_phones_hand_over_without_a_network() {
    for courier_first in [true, false] {
        let mut door = at_the_door();
        let now = door.buyer.now;
        let label = door.buyer.host().read_label(&door.label, now).unwrap();
        assert_eq!((label.order, label.piece, label.pieces), (Some(door.order), 1, 1));
        assert_eq!(label.weight_g, 1_520);
        let code = door.show();
        // Killed right after showing: counter and confirmation are on the disk.
        door.buyer.kill();
        door.buyer.start();
        assert_eq!(door.buyer.host().undecided().unwrap(), 1);
        let saved = door.deliver(&code).unwrap();
        assert!(!saved.again);
        door.courier.kill();
        door.courier.start();
        let ack = saved.ack.unwrap();
        let now = door.courier.now;
        assert_eq!(door.courier.host().show_ack(&door.number, now).unwrap(), ack);
        let now = door.buyer.now;
        door.buyer.host().keep_ack(&ack, now).unwrap();
        let stops = {
            let now = door.courier.now;
            door.courier.host().stops(now).unwrap()
        };
        assert_eq!((stops[0].state, stops[0].pending), (ParcelState::Delivered, 3));
        // Either phone that meets the network closes the condition; the second changes no money.
        let (first, second) = if courier_first {
            (&mut door.courier, &mut door.buyer)
        } else {
            (&mut door.buyer, &mut door.courier)
        };
        first.heal(&mut door.server);
        let released = door.server.order(door.order).unwrap();
        assert_eq!(released.state, OrderState::Completed, "{courier_first}");
        second.heal(&mut door.server);
        assert_eq!(door.server.order(door.order).unwrap().released, released.released);
        assert_eq!(door.parcel().state, ParcelState::Delivered);
        assert_eq!(door.parcel().level, Level::E4, "label, key and place");
        door.server.assert_streams();
    }
}

#[test]
fn the_same_code_again_gives_the_first_result() {
    let mut door = at_the_door();
    let code = door.show();
    let first = door.deliver(&code).unwrap();
    let again = door.deliver(&code).unwrap();
    assert_eq!((again.again, again.ack), (true, first.ack));
    let now = door.courier.now;
    let error = door.courier.host().load_parcel(&door.label, None, now).unwrap_err();
    assert_eq!(error.code, "label.already_delivered");
    assert_eq!(door.courier.host().undecided().unwrap(), 3, "one event each, no second");
}

#[test]
fn counters_rise_and_one_confirmation_is_enough() {
    let mut door = at_the_door();
    let (first, second) = (door.show(), door.show());
    assert_ne!(first, second);
    assert_eq!(door.buyer.host().undecided().unwrap(), 1);
    // The courier scans the second; the first is another code of the same key and is no second delivery.
    let saved = door.deliver(&second).unwrap();
    let again = door.deliver(&first).unwrap();
    assert_eq!((saved.again, again.again, again.ack), (false, true, saved.ack));
    assert_eq!(door.courier.host().undecided().unwrap(), 3);
}

/// Codes of spec/logistics.md 4.5, columns L and H.
#[test]
fn what_is_wrong_is_named() {
    let mut door = at_the_door();
    let mut stranger = Bench::joined(40, "lee@example.org", &mut door.server);
    let (_, other_label, other_number) = labelled(&mut door.server, &mut stranger);
    let now = stranger.now;
    let read = |bench: &mut Bench, text: &str| bench.host().read_label(text, now).unwrap_err().code;
    // L
    assert_eq!(read(&mut stranger, &door.label), "label.not_mine");
    assert_eq!(read(&mut stranger, "hello"), "proof.prefix");
    assert_eq!(read(&mut stranger, "SK1:~~~"), "proof.base45");
    assert_eq!(read(&mut stranger, "SK1:ABC"), "proof.length");
    let forged = flip(&other_label, 50);
    assert_eq!(read(&mut stranger, &forged), "proof.signature");
    // H
    let code = door.show();
    let forged = flip(&code, 16);
    assert_eq!(door.deliver(&forged).unwrap_err().code, "proof.signature");
    assert_eq!(door.deliver(&door.label.clone()).unwrap_err().code, "proof.length");
    let now = stranger.now;
    let request = HandOverRequest { label: other_label.clone(), ..HandOverRequest::default() };
    let theirs = stranger.host().show_handover(&request, now).unwrap().text;
    stranger.drain();
    assert_eq!(door.deliver(&theirs).unwrap_err().code, "handover.key", "another buyer's code");
    let now = door.courier.now;
    let request = DeliverRequest { parcel: other_number, handover: theirs, fix: None };
    let error = door.courier.host().deliver(&request, now).unwrap_err();
    assert_eq!(error.code, "handover.not_on_manifest", "made after the last pull");
    let error = door.courier.host().load_parcel("S123", None, now).unwrap_err();
    assert!(error.code.starts_with("id."), "{error}");
    let attempt =
        AttemptRequest { parcel: door.number.clone(), reason: "no_such_reason".to_owned(), fix: None };
    assert_eq!(door.courier.host().record_attempt(&attempt, now).unwrap_err().code, "custody.reason");
    // Nothing of all this was recorded.
    assert_eq!(door.courier.host().undecided().unwrap(), 2);
    // Late, and early.
    door.courier.now = door.courier.now.plus_ms(15 * 60_000);
    assert_eq!(door.deliver(&code).unwrap_err().code, "handover.late");
    door.courier.now.mono_ms = 5_000;
    door.courier.now.boot = 77;
    door.courier.now.wall = door.courier.now.wall.minus(souk_domain::time::Span::from_minutes(40));
    assert_eq!(door.deliver(&code).unwrap_err().code, "handover.early");
}

#[test]
fn two_parcels_of_one_buyer_are_not_mixed_up() {
    let mut door = at_the_door();
    let (_, second_label, second_number) = labelled(&mut door.server, &mut door.buyer);
    door.courier.event(Event::SyncNow);
    door.courier.heal(&mut door.server);
    let now = door.courier.now;
    door.courier.host().load_parcel(&second_label, None, now).unwrap();
    let code = door.show();
    let request = DeliverRequest { parcel: second_number, handover: code.clone(), fix: None };
    assert_eq!(door.courier.host().deliver(&request, now).unwrap_err().code, "handover.parcel");
    assert!(door.deliver(&code).is_ok());
}

#[test]
fn a_counter_used_by_other_bytes_is_a_replay() {
    let mut door = at_the_door();
    let now = door.buyer.now;
    door.buyer.host().pause(now).unwrap();
    door.buyer.kill();
    let backup = std::fs::read(door.buyer.dir.path().join("user.db")).unwrap();
    door.buyer.start();
    let first = door.show();
    let now = door.buyer.now;
    door.buyer.host().pause(now).unwrap();
    door.buyer.kill();
    std::fs::write(door.buyer.dir.path().join("user.db"), backup).unwrap();
    std::fs::remove_file(door.buyer.dir.path().join("cache.db")).unwrap();
    door.buyer.start();
    door.buyer.pass(5_000);
    let second = door.show();
    assert_ne!(first, second);
    let now = door.courier.now;
    let refused =
        HandOverRequest { label: door.label.clone(), verdict: TakeVerdict::Refuse, cod_agreed: false };
    let now_buyer = door.buyer.now;
    assert!(door.buyer.host().show_handover(&refused, now_buyer).is_ok());
    let request = DeliverRequest { parcel: door.number.clone(), handover: first, fix: None };
    assert!(door.courier.host().deliver(&request, now).is_ok());
    let request = DeliverRequest { parcel: door.number.clone(), handover: second, fix: None };
    assert_eq!(door.courier.host().deliver(&request, now).unwrap_err().code, "handover.replay");
}

#[test]
fn a_refused_parcel_goes_back() {
    let mut door = at_the_door();
    let now = door.buyer.now;
    let request =
        HandOverRequest { label: door.label.clone(), verdict: TakeVerdict::Refuse, cod_agreed: false };
    let code = door.buyer.host().show_handover(&request, now).unwrap().text;
    door.buyer.drain();
    assert_eq!(door.deliver(&code).unwrap().kind, "refused");
    let now = door.courier.now;
    door.courier.host().scan_back(&door.label, false, None, now).unwrap();
    door.courier.drain();
    door.courier.heal(&mut door.server);
    door.buyer.heal(&mut door.server);
    assert_eq!(door.parcel().state, ParcelState::Returning);
    assert_eq!(door.server.order(door.order).unwrap().released, 0);
}

#[test]
fn a_shift_is_closed_when_every_parcel_has_its_word() {
    let mut door = at_the_door();
    door.courier.heal(&mut door.server);
    let now = door.courier.now;
    let error = door.courier.host().close_shift(now).map(|saved| saved.warning);
    let code = error.unwrap_or_else(|error| Some(error.code));
    assert_eq!(code.as_deref(), Some("shift.parcels_open"));
    let attempt =
        AttemptRequest { parcel: door.number.clone(), reason: "consignee_not_home".to_owned(), fix: AT_HOME };
    door.courier.host().record_attempt(&attempt, now).unwrap();
    // The same again within a minute is the same attempt.
    assert!(door.courier.host().record_attempt(&attempt, now).unwrap().again);
    door.courier.drain();
    door.courier.heal(&mut door.server);
    door.courier.event(Event::SyncNow);
    door.courier.heal(&mut door.server);
    let now = door.courier.now;
    let closed = door.courier.host().close_shift(now).unwrap();
    door.courier.drain();
    door.courier.heal(&mut door.server);
    assert!(door.courier.outcome(closed.id).unwrap().is_accepted(), "{:?}", door.courier.outcome(closed.id));
    let now = door.courier.now;
    let shift = door.courier.host().shift(now).unwrap().unwrap();
    assert!(!shift.is_open);
    assert_eq!(shift.report.unwrap().attempted, 1);
}

/// The same message with one bit of one byte turned.
pub(crate) fn flip(text: &str, at: usize) -> String {
    let mut bytes = souk_codes::proof::from_text(text).unwrap();
    bytes[at] ^= 1;
    souk_codes::proof::text(&bytes)
}
