//! What is tapped reaches exactly one outcome: lost replies, duplicates, kills between any two steps.

use proptest::prelude::*;
use souk_device::error::SoukError;
use souk_device::host::HostConfig;
use souk_device::outbox::Tap;
use souk_device::sync::{Event, Notice};
use souk_domain::id::{AccountId, IntentId, OrderId};
use souk_domain::intent::Body;
use souk_domain::order::{Order, OrderState, PayMethod, RailId};
use souk_domain::outcome::Outcome;
use souk_domain::scope::Scope;

use crate::bench::{Bench, Fate, place_order};
use crate::server::{Server, krw};

const PUSH: &str = "/v1/sync/push";

fn market() -> Server {
    Server::with_shop(&[("tea", "Green tea", 12_900, 30), ("cup", "Tea cup", 4_000, 9)])
}

fn order_id(id: IntentId) -> OrderId {
    OrderId::from_bytes(*id.bytes()).unwrap()
}

/// Delivers what is on its way until a request to `path` is the next.
fn until(device: &mut Bench, server: &mut Server, path: &str) {
    for _ in 0..100 {
        if let Some(at) = device.wire.iter().position(|(_, request)| request.path == path) {
            device.wire.swap(0, at);
            return;
        }
        if device.wire.is_empty() {
            let wait = device.host().next_timer().unwrap() - device.now.mono_ms;
            device.pass(wait.max(1));
        } else {
            device.deliver(server, Fate::Good);
        }
    }
    panic!("no request to {path}");
}

/// Device and server agree: one outcome an id on both sides, the same rows.
fn assert_agreed(device: &mut Bench, server: &Server, account: AccountId) {
    for (id, outcome) in device.host().saved().unwrap() {
        let known = server.known.get(&(account, id)).unwrap_or_else(|| panic!("LOST {id}"));
        assert_eq!(outcome.as_ref(), Some(&known.1), "{id}");
    }
    let saved = device.host().saved().unwrap().len();
    let decided = server.known.keys().filter(|(of, _)| *of == account).count();
    assert_eq!(saved, decided, "PHANTOM");
    server.assert_streams();
    for scope in [Scope::Catalogue, Scope::Account(account)] {
        let sums = device.host().scope_sums(&scope).unwrap().unwrap();
        assert!(sums.is_whole, "{scope}");
        assert_eq!((sums.kept, sums.stored), (server.sum(&scope), server.sum(&scope)), "{scope}");
    }
}

#[test]
fn an_order_without_a_network_survives_a_kill_and_is_decided_once() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let tapped = device.place(&server, &[(offer, 2, 12_900)]);
    device.kill();
    device.start();
    assert_eq!(device.host().undecided().unwrap(), 1);
    // The push arrives, its answer does not; then the process dies, starts again and sends it again.
    until(&mut device, &mut server, PUSH);
    device.deliver(&mut server, Fate::AnswerLost);
    device.kill();
    device.start();
    device.heal(&mut server);
    assert!(device.outcome(tapped.id).unwrap().is_accepted());
    assert!(device.notices.iter().any(|notice| matches!(notice, Notice::Decided(_))));
    let order = server.order(order_id(tapped.id)).unwrap();
    assert_eq!((order.state, order.total.minor), (OrderState::Created, 2 * 12_900 + 3_000));
    assert_eq!(server.all::<Order>().len(), 1);
    assert_agreed(&mut device, &server, server.account_of("kim@example.org"));
}

#[test]
fn money_follows_its_order() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let placed = device.place(&server, &[(offer, 1, 12_900)]);
    let pay = Body::PayStart {
        order: order_id(placed.id),
        rail: RailId::new(RailId::SANDBOX).unwrap(),
        method: PayMethod::Mandate,
    };
    let paid = device.tap(Tap::of(pay)).unwrap();
    assert!(paid.predicted.outcome.is_some(), "predicted on top of the pending order: {paid:?}");
    device.heal(&mut server);
    assert!(device.outcome(paid.id).unwrap().is_accepted(), "{:?}", device.outcome(paid.id));
    assert_eq!(server.order(order_id(placed.id)).unwrap().state, OrderState::Open);
}

#[test]
fn a_payment_waits_for_its_order() {
    for fate in [Fate::Lost, Fate::AnswerLost, Fate::Twice] {
        let mut server = market();
        let offer = server.offer("tea");
        let mut device = Bench::joined(1, "kim@example.org", &mut server);
        // Ordered and paid without a network; then both go out at once, on two lanes.
        let placed = device.place(&server, &[(offer, 1, 12_900)]);
        let pay = Body::PayStart {
            order: order_id(placed.id),
            rail: RailId::new(RailId::SANDBOX).unwrap(),
            method: PayMethod::Mandate,
        };
        let paid = device.tap(Tap::of(pay)).unwrap();
        until(&mut device, &mut server, PUSH);
        device.deliver(&mut server, fate);
        device.heal(&mut server);
        assert!(device.outcome(paid.id).unwrap().is_accepted(), "{fate:?} {:?}", device.outcome(paid.id));
        assert_eq!(server.order(order_id(placed.id)).unwrap().state, OrderState::Open);
        server.assert_streams();
    }
}

#[test]
fn what_is_taken_back_is_never_done() {
    for fate in [Fate::Lost, Fate::AnswerLost] {
        let mut server = market();
        let offer = server.offer("tea");
        let mut device = Bench::joined(1, "kim@example.org", &mut server);
        let tapped = device.place(&server, &[(offer, 1, 12_900)]);
        until(&mut device, &mut server, PUSH);
        device.deliver(&mut server, fate);
        let now = device.now;
        device.host().withdraw(tapped.id, now).unwrap();
        device.drain();
        device.heal(&mut server);
        let outcome = device.outcome(tapped.id).unwrap();
        match fate {
            Fate::Lost => assert_eq!(outcome, Outcome::Withdrawn),
            // It was decided before: the stored outcome is the answer.
            _ => assert!(outcome.is_accepted(), "{outcome:?}"),
        }
        assert_eq!(server.all::<Order>().len(), usize::from(outcome.is_accepted()));
        let now = device.now;
        let error = device.host().withdraw(tapped.id, now).unwrap_err();
        assert_eq!(error.code, "intent.decided");
        assert_agreed(&mut device, &server, server.account_of("kim@example.org"));
    }
}

#[test]
fn a_price_that_rose_above_the_agreed_total_is_refused_and_blocks_nothing() {
    let mut server = market();
    let (tea, cup) = (server.offer("tea"), server.offer("cup"));
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let dear = place_order(&server, &[(tea, 1, 12_900)], Some(krw(15_900)));
    let dear = device.tap(dear).unwrap();
    let cheap = device.tap(place_order(&server, &[(cup, 1, 4_000)], Some(krw(7_000)))).unwrap();
    server.seller_acts(Body::SetPrice { offer: tea, price: krw(13_900) });
    device.heal(&mut server);
    assert_eq!(device.outcome(dear.id).unwrap().code(), Some("price.changed"));
    assert!(device.outcome(cheap.id).unwrap().is_accepted());
}

#[test]
fn no_wipe_while_undecided() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    device.place(&server, &[(offer, 1, 12_900)]);
    let now = device.now;
    let error: SoukError = device.host().sign_out(now).unwrap_err();
    assert_eq!((error.code.as_str(), error.facts.int("count")), ("signout.pending", Some(1)));
    // The tokens end: what is queued waits for the next sign-in.
    server.now = server.now.plus(souk_domain::time::Span::from_secs(20));
    server.expire_tokens();
    server.forget_refresh_tokens();
    for _ in 0..20 {
        if device.notices.contains(&Notice::TokensEnded) {
            break;
        }
        device.deliver(&mut server, Fate::Good);
    }
    assert_eq!(device.host().link_word(), "signed_out");
    // Another account does not get in while they wait.
    device.notices.clear();
    let join = souk_device::sync::Join {
        contact: "lee@example.org".to_owned(),
        code: "123456".to_owned(),
        name: "Lee".to_owned(),
        platform: "linux".to_owned(),
        model: String::new(),
        as_courier: false,
    };
    device.event(Event::Join(join));
    device.settle(&mut server);
    assert!(device.notices.contains(&Notice::JoinFailed("signout.pending".to_owned())));
    assert_eq!(device.host().undecided().unwrap(), 1);
    device.join("kim@example.org", &mut server);
    device.heal(&mut server);
    assert_eq!(server.all::<Order>().len(), 1);
    let now = device.now;
    device.host().sign_out(now).unwrap();
    device.drain();
    assert_eq!(device.host().link_word(), "new");
    assert!(device.host().saved().unwrap().is_empty());
}

#[test]
fn an_access_token_that_ended_is_renewed_once() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    device.pass(20_000);
    server.now = server.now.plus(souk_domain::time::Span::from_secs(20));
    server.expire_tokens();
    let tapped = device.place(&server, &[(offer, 1, 12_900)]);
    device.heal(&mut server);
    assert!(device.outcome(tapped.id).unwrap().is_accepted());
    assert!(!device.notices.contains(&Notice::TokensEnded));
    // An hour later the device renews by itself before it asks.
    let requests = device.requests;
    device.pass(3_600_000);
    device.heal(&mut server);
    assert!(device.requests > requests && device.host().link_word() == "ready");
}

#[test]
fn a_revoked_device_keeps_its_outbox_and_does_nothing() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    server.revoke(server.account_of("kim@example.org"));
    let tapped = device.place(&server, &[(offer, 1, 12_900)]);
    device.settle(&mut server);
    assert!(device.notices.contains(&Notice::Revoked));
    assert_eq!(device.host().link_word(), "revoked");
    assert_eq!(device.host().undecided().unwrap(), 1);
    assert!(device.outcome(tapped.id).is_none());
    let error = device.tap(place_order(&server, &[(offer, 1, 12_900)], None)).unwrap_err();
    assert_eq!(error.code, "device.revoked");
}

#[test]
fn the_market_may_lose_a_day_and_the_order_comes_again() {
    for raises_generation in [true, false] {
        let mut server = market();
        let offer = server.offer("tea");
        let mut device = Bench::joined(1, "kim@example.org", &mut server);
        let first = device.place(&server, &[(offer, 1, 12_900)]);
        device.heal(&mut server);
        let backup = server.clone();
        let second = device.place(&server, &[(offer, 2, 12_900)]);
        device.heal(&mut server);
        assert_eq!(server.all::<Order>().len(), 2);
        server = backup;
        server.generation += u32::from(raises_generation);
        let third = device.place(&server, &[(offer, 3, 12_900)]);
        device.heal(&mut server);
        for tapped in [&first, &second, &third] {
            assert!(server.order(order_id(tapped.id)).is_some(), "{raises_generation}");
            assert!(device.outcome(tapped.id).unwrap().is_accepted());
        }
        assert_eq!(device.notices.contains(&Notice::NewGeneration), raises_generation);
        if !raises_generation {
            // Its data went back and nobody said so: the feed ran backwards, only a new generation mends that.
            server.generation += 1;
            device.event(Event::SyncNow);
            device.heal(&mut server);
        }
        assert_agreed(&mut device, &server, server.account_of("kim@example.org"));
    }
}

#[test]
fn an_old_copy_of_the_files_takes_a_new_epoch() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    device.place(&server, &[(offer, 1, 12_900)]);
    device.heal(&mut server);
    let now = device.now;
    device.host().pause(now).unwrap();
    device.kill();
    let copy = tempfile::tempdir().unwrap();
    for file in ["user.db", "cache.db"] {
        std::fs::copy(device.dir.path().join(file), copy.path().join(file)).unwrap();
    }
    device.start();
    device.place(&server, &[(offer, 2, 12_900)]);
    device.heal(&mut server);
    device.kill();
    for file in std::fs::read_dir(device.dir.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    for file in ["user.db", "cache.db"] {
        std::fs::copy(copy.path().join(file), device.dir.path().join(file)).unwrap();
    }
    device.start();
    let third = device.place(&server, &[(offer, 3, 12_900)]);
    device.heal(&mut server);
    assert!(device.outcome(third.id).unwrap().is_accepted());
    assert_eq!(device.host().session().unwrap().epoch, 2);
    assert_eq!(server.all::<Order>().len(), 3);
    server.assert_streams();
}

#[test]
fn an_older_user_db_than_cache_db_knows_is_noticed() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    device.host().pause(now).unwrap();
    device.kill();
    let old = std::fs::read(device.dir.path().join("user.db")).unwrap();
    device.start();
    let now = device.now;
    device.host().pause(now).unwrap();
    device.kill();
    std::fs::write(device.dir.path().join("user.db"), old).unwrap();
    device.start();
    assert!(device.host().open_report().user_rolled_back);
    device.heal(&mut server);
    assert_eq!(device.host().session().unwrap().epoch, 2);
}

/// An act counts as shown once the scope that shows it has been pulled: a shop's cancellation is not shown by the
/// seller's own account, a buyer's is.
#[test]
fn a_cancellation_shows_where_its_order_stands() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut buyer = Bench::joined(1, "kim@example.org", &mut server);
    let placed = buyer.place(&server, &[(offer, 1, 12_900)]);
    buyer.heal(&mut server);
    let mut seller = Bench::joined(2, "seller@example.org", &mut server);
    let home = |device: &mut Bench| {
        let tapped = device.tap(Tap::of(Body::CancelOrder { order: order_id(placed.id) })).unwrap();
        let rows = device.host().outbox_rows().unwrap();
        rows.into_iter().find(|row| row.id == tapped.id).unwrap().home
    };
    assert_eq!(home(&mut seller), Scope::Seller(server.shop.unwrap()).to_string());
    assert_eq!(home(&mut buyer), Scope::Account(server.account_of("kim@example.org")).to_string());
}

/// A bit may flip where SQLite sees nothing: inside a value that every start needs.
#[test]
fn an_unreadable_row_of_the_cache_keeps_no_start_back() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    device.host().pause(now).unwrap();
    device.kill();
    let cache = rusqlite::Connection::open(device.dir.path().join("cache.db")).unwrap();
    let spoilt = cache.execute("UPDATE thing SET body = replace(body, 'policies', 'qolicies')", []).unwrap();
    assert!(spoilt > 0);
    cache.close().unwrap();
    device.start();
    assert!(device.host().open_report().cache_begun_anew);
    device.heal(&mut server);
    assert!(device.host().reference().is_some());
}

#[test]
fn a_tap_without_a_known_clock_gets_its_age_at_the_first_contact() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    // Restarted, no contact since: the wall clock is two days ahead, and the order says that nobody knows.
    device.kill();
    device.now.boot = 2;
    device.now.mono_ms = 5_000;
    device.now.wall = device.now.wall.plus(souk_domain::time::Span::from_days(2));
    device.start();
    let tapped = device.place(&server, &[(offer, 1, 12_900)]);
    assert!(device.wire.iter().all(|(_, request)| request.path != PUSH));
    device.heal(&mut server);
    assert!(device.outcome(tapped.id).unwrap().is_accepted());
}

#[test]
fn reboot_clock_moved_asks() {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    for boot in [2, 3] {
        device.kill();
        device.now.boot = boot;
        device.now.mono_ms = 5_000;
        device.start();
        if boot == 2 {
            device.wire.clear();
            device.place(&server, &[(offer, 1, 12_900)]);
        }
    }
    let tapped = device.host().saved().unwrap()[0].0;
    for _ in 0..10 {
        device.settle(&mut server);
        device.pass(1_000);
    }
    // Nobody knows how old it is: it is asked about, and blocks nothing.
    assert_eq!(device.host().undecided().unwrap(), 1);
    let other = device.place(&server, &[(offer, 1, 12_900)]);
    device.settle(&mut server);
    assert!(device.outcome(other.id).unwrap().is_accepted());
    assert!(server.order(order_id(tapped)).is_none());
    let now = device.now;
    device.host().confirm_parked(tapped, now).unwrap();
    device.drain();
    device.heal(&mut server);
    assert!(device.outcome(tapped).unwrap().is_accepted());
    server.assert_streams();
}

/// One step of a life of a device.
#[derive(Clone, Copy, Debug)]
enum Act {
    Place(u8),
    Cancel,
    Withdraw,
    Deliver(u8),
    Pass(u16),
    Kill,
    Pause,
    SetPrice(u8),
    ExpireTokens,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1u8..4).prop_map(Act::Place),
        1 => Just(Act::Cancel),
        1 => Just(Act::Withdraw),
        10 => (0u8..8).prop_map(Act::Deliver),
        3 => (1u16..5_000).prop_map(Act::Pass),
        2 => Just(Act::Kill),
        1 => Just(Act::Pause),
        1 => (1u8..9).prop_map(Act::SetPrice),
        1 => Just(Act::ExpireTokens),
    ];
    proptest::collection::vec(act, 1..40)
}

fn live(acts: &[Act], seed: u64, change: impl FnOnce(&mut HostConfig)) -> (Bench, Server) {
    let mut server = market();
    let offer = server.offer("tea");
    let mut device = Bench::with_config(seed, change);
    device.join("kim@example.org", &mut server);
    let mut last = None;
    for act in acts {
        match *act {
            Act::Place(quantity) => {
                let order = place_order(&server, &[(offer, quantity.into(), 12_900)], Some(krw(1_000_000)));
                if let Ok(tapped) = device.tap(order) {
                    last = Some(tapped.id);
                }
            }
            Act::Cancel => {
                if let Some(id) = last {
                    let _ = device.tap(Tap::of(Body::CancelOrder { order: order_id(id) }));
                }
            }
            Act::Withdraw => {
                if let Some(id) = last {
                    let now = device.now;
                    let _ = device.host().withdraw(id, now);
                    device.drain();
                }
            }
            Act::Deliver(fate) => {
                if !device.wire.is_empty() {
                    let at = usize::from(fate) % device.wire.len();
                    device.wire.swap(0, at);
                    let fates =
                        [Fate::Good, Fate::Good, Fate::Good, Fate::Lost, Fate::AnswerLost, Fate::Twice];
                    device.deliver(&mut server, fates[usize::from(fate) % fates.len()]);
                }
            }
            Act::Pass(ms) => device.pass(ms.into()),
            Act::Kill => {
                device.kill();
                device.start();
            }
            Act::Pause => {
                let now = device.now;
                device.host().pause(now).unwrap();
                device.drain();
                assert!(device.wire.is_empty(), "requests are under way while paused");
                device.host().resume(now).unwrap();
                device.drain();
            }
            Act::SetPrice(price) => {
                server.seller_acts(Body::SetPrice { offer, price: krw(12_900 + i64::from(price)) });
            }
            Act::ExpireTokens => server.expire_tokens(),
        }
    }
    (device, server)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// P1, P2, P3, P7: whatever happens on the way, each id gets one outcome, and both sides say the same.
    #[test]
    fn every_tap_reaches_one_outcome(acts in acts(), seed in 0u64..1_000) {
        let (mut device, mut server) = live(&acts, seed, |_| {});
        device.heal(&mut server);
        // Screens follow: a last look at everything.
        device.event(Event::SyncNow);
        device.heal(&mut server);
        assert_agreed(&mut device, &server, server.account_of("kim@example.org"));
        let placed = server.known.values().filter(|(_, outcome)| {
            matches!(outcome, Outcome::Accepted { data, .. } if data.text("order").is_some())
        });
        prop_assert_eq!(placed.count(), server.all::<Order>().len());
        prop_assert_eq!(device.host().counts().get("sync_impossible"), None);
    }
}

/// The checks above notice when a rule is broken.
#[test]
fn mutants_are_noticed() {
    fn is_noticed(change: fn(&mut HostConfig)) -> bool {
        std::panic::set_hook(Box::new(|_| {}));
        let noticed = (0..8).any(|seed| {
            std::panic::catch_unwind(|| {
                let mut server = market();
                let offer = server.offer("tea");
                let mut device = Bench::with_config(seed, change);
                device.join("kim@example.org", &mut server);
                device.place(&server, &[(offer, 1, 12_900)]);
                until(&mut device, &mut server, PUSH);
                let fate = if seed % 2 == 0 { Fate::Lost } else { Fate::AnswerLost };
                device.deliver(&mut server, fate);
                device.heal(&mut server);
                assert_agreed(&mut device, &server, server.account_of("kim@example.org"));
            })
            .is_err()
        });
        let _ = std::panic::take_hook();
        noticed
    }
    assert!(!is_noticed(|_| {}));
    assert!(is_noticed(|config| config.mutants.outbox_row_removed_on_send = true));
    assert!(is_noticed(|config| config.mutants.new_id_on_retry = true));
}
