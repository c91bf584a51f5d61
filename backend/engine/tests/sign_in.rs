//! Registration, tokens and queries of people.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod market;

use futures::executor::block_on;
use market::{BUYER, COURIER, Market, SELLER, START, accepted};
use souk_crypto::sign::{Ed25519Key, Signer};
use souk_domain::ledger::AccountCode;
use souk_domain::outcome::Outcome;
use souk_domain::party::{AccountRoles, DeviceKey};
use souk_domain::time::Span;
use souk_engine::sign_in::{
    ACCESS_LIFE, CODE_LIFE, CODE_TRIES_MAX, CODES_LIVE_MAX, CodeDesk, Registration, epoch_of, revoke,
};
use souk_protocol::auth::{RegisterRequest, TokenResponse, registration_digest};
use souk_protocol::limits::CODE_PER_HOUR_MAX;
use souk_protocol::orders::PageQuery;
use souk_protocol::views::OrderWord;

const CONTACT: &str = "buyer@example.org";

fn request(market: &Market, key: &Ed25519Key, contact: &str) -> RegisterRequest {
    let device_key = DeviceKey::new(key.public_key());
    let (challenge, until) = market.reader.challenge(&device_key, market.now);
    assert_eq!(until, market.now.plus(Span::from_secs(120)));
    let d = registration_digest(&challenge, &key.public_key());
    RegisterRequest {
        contact: contact.to_owned(),
        code: "123456".to_owned(),
        challenge,
        key: device_key,
        sig: key.sign_deterministic(&d),
        name: "Kim".to_owned(),
        platform: "linux".to_owned(),
        model: "desk".to_owned(),
        replaces: None,
        as_courier: false,
    }
}

fn register(market: &mut Market, request: &RegisterRequest) -> (Registration, TokenResponse) {
    let mut registration = market.reader.register(request, AccountRoles::default(), market.now).unwrap();
    let outcome = market.server(registration.claim().unwrap());
    registration.claimed(&outcome).unwrap();
    let outcome = market.server(registration.enrol());
    assert_eq!(registration.enrolled(&outcome), Ok(1));
    let tokens = market.reader.tokens(registration.account(), registration.device(), market.now, &random(1));
    let outcome = market.server(tokens.issue());
    let response = tokens.clone().given(&outcome).unwrap();
    let registered = market.reader.registered(&registration, 1, tokens, None);
    assert_eq!((registered.device, registered.server_keys.len()), (registration.device(), 1));
    (registration, response)
}

fn random(number: u8) -> [u8; 64] {
    std::array::from_fn(|i| number.wrapping_mul(31).wrapping_add(i as u8))
}

#[test]
fn a_registration_and_its_repeats() {
    let mut market = Market::new(0);
    let key = Ed25519Key::from_seed([42; 32]);
    let good = request(&market, &key, CONTACT);
    let (first, tokens) = register(&mut market, &good);
    let caller = block_on(market.reader.authenticate(&tokens.access, market.now)).unwrap();
    assert_eq!((caller.account.id, caller.device.id), (first.account(), first.device()));
    assert_eq!((caller.account.name.as_str(), caller.device.label.as_str()), ("Kim", "linux desk"));
    // The answer was lost: the same request again gives the same device.
    let (again, _) = register(&mut market, &good);
    assert_eq!((again.account(), again.device()), (first.account(), first.device()));
    // Another device of the same contact: the same account.
    market.wait(Span::from_secs(5));
    let other = Ed25519Key::from_seed([43; 32]);
    let second = request(&market, &other, " Buyer@Example.org ");
    let (second, _) = register(&mut market, &second);
    assert_eq!(second.account(), first.account());
    assert_ne!(second.device(), first.device());
    let devices = block_on(market.store().devices_of(first.account())).unwrap();
    assert_eq!(devices.len(), 2);
}

#[test]
fn registrations_that_are_refused() {
    let mut market = Market::new(0);
    let key = Ed25519Key::from_seed([42; 32]);
    let good = request(&market, &key, CONTACT);
    let code = |market: &Market, request: &RegisterRequest| {
        market
            .reader
            .register(request, AccountRoles::default(), market.now)
            .map_err(|refusal| refusal.code)
            .err()
    };
    assert_eq!(code(&market, &good), None);
    let mut bad = good.clone();
    bad.sig[0] ^= 1;
    assert_eq!(code(&market, &bad), Some("auth.signature"));
    // A challenge of another key, signed well.
    let other = Ed25519Key::from_seed([43; 32]);
    let mut bad = request(&market, &other, CONTACT);
    bad.challenge = good.challenge;
    bad.sig = other.sign_deterministic(&registration_digest(&bad.challenge, &other.public_key()));
    assert_eq!(code(&market, &bad), Some("auth.challenge"));
    let mut bad = good.clone();
    bad.contact = "nobody".to_owned();
    assert_eq!(code(&market, &bad), Some("auth.contact"));
    market.wait(Span::from_secs(120));
    assert_eq!(code(&market, &good), None, "at its last moment");
    market.wait(Span::from_micros(1));
    assert_eq!(code(&market, &good), Some("auth.challenge"));
}

#[test]
fn access_tokens_end() {
    let mut market = Market::new(0);
    let good = request(&market, &Ed25519Key::from_seed([42; 32]), CONTACT);
    let (registration, tokens) = register(&mut market, &good);
    let code = |market: &Market, text: &str| {
        block_on(market.reader.authenticate(text, market.now)).map_err(|error| error.code()).err()
    };
    assert_eq!(code(&market, &tokens.access), None);
    assert_eq!(code(&market, &tokens.refresh), Some("token.unknown"), "a refresh token opens nothing");
    let last = if tokens.access.ends_with('A') { 'Q' } else { 'A' };
    let changed = format!("{}{last}", &tokens.access[..tokens.access.len() - 1]);
    for bad in ["", "x", &changed, &tokens.access[1..]] {
        assert_eq!(code(&market, bad), Some("token.unknown"), "{bad}");
    }
    market.wait(ACCESS_LIFE);
    assert_eq!(code(&market, &tokens.access), None);
    market.wait(Span::from_micros(1));
    assert_eq!(code(&market, &tokens.access), Some("token.expired"));
    let (again, ask) = block_on(market.reader.rotation(&tokens.refresh, market.now, &random(2))).unwrap();
    let outcome = market.server(ask);
    let tokens = again.given(&outcome).unwrap();
    assert_eq!(code(&market, &tokens.access), None);
    accepted(&market.server(revoke(registration.account(), registration.device())));
    assert_eq!(code(&market, &tokens.access), Some("device.revoked"));
    let (again, ask) = block_on(market.reader.rotation(&tokens.refresh, market.now, &random(3))).unwrap();
    assert_eq!(again.given(&market.server(ask)).unwrap_err().code, "device.revoked");
}

/// A former refresh token is good until its successor has been used once; used after that, the device is cut off.
#[test]
fn refresh_tokens_rotate() {
    let mut market = Market::new(0);
    let good = request(&market, &Ed25519Key::from_seed([42; 32]), CONTACT);
    let (_, first) = register(&mut market, &good);
    let rotate = |market: &mut Market, refresh: &str, number: u8| {
        let (tokens, ask) = block_on(market.reader.rotation(refresh, market.now, &random(number)))
            .map_err(|error| error.code())?;
        let outcome = market.server(ask);
        tokens.given(&outcome).map_err(|refusal| refusal.code)
    };
    let lost = rotate(&mut market, &first.refresh, 10).unwrap();
    // The answer was lost: the former one is good still.
    let second = rotate(&mut market, &first.refresh, 11).unwrap();
    let third = rotate(&mut market, &second.refresh, 12).unwrap();
    assert!(block_on(market.reader.authenticate(&third.access, market.now)).is_ok());
    assert_eq!(rotate(&mut market, "AA.AA", 13).map(|_| ()), Err("token.unknown"));
    assert_eq!(rotate(&mut market, &first.refresh, 14).map(|_| ()), Err("token.reused"));
    for tokens in [&lost, &second, &third] {
        let caller = block_on(market.reader.authenticate(&tokens.access, market.now));
        assert_eq!(caller.map_err(|error| error.code()).err(), Some("device.revoked"));
    }
    assert_eq!(rotate(&mut market, &third.refresh, 15).map(|_| ()), Err("device.revoked"));
}

#[test]
fn codes_have_limits() {
    let market = Market::new(0);
    let reader = &market.reader;
    let mut desk = CodeDesk::default();
    let mut now = START;
    assert_eq!(desk.issue(reader, "nobody", now, 0).map_err(|refusal| refusal.code), Err("auth.contact"));
    let code = desk.issue(reader, CONTACT, now, 4_000_007).unwrap().unwrap();
    assert_eq!(code, "000007");
    let prove = |desk: &mut CodeDesk, code: &str, now| {
        desk.prove(reader, CONTACT, code, now).map_err(|refusal| refusal.code)
    };
    assert_eq!(prove(&mut desk, "000008", now), Err("auth.code"));
    assert_eq!(prove(&mut desk, &code, now), Ok(()));
    assert_eq!(prove(&mut desk, &code, now), Ok(()), "answers get lost");
    for _ in 0..CODE_TRIES_MAX {
        assert_eq!(prove(&mut desk, "000008", now), Err("auth.code"));
    }
    assert_eq!(prove(&mut desk, &code, now), Err("auth.code"), "too many tries");
    for _ in 1..CODE_PER_HOUR_MAX {
        assert!(desk.issue(reader, CONTACT, now, 1).unwrap().is_some());
    }
    assert_eq!(prove(&mut desk, "000001", now.plus(CODE_LIFE)), Ok(()));
    assert_eq!(prove(&mut desk, "000001", now.plus(CODE_LIFE).plus(Span::from_micros(1))), Err("auth.code"));
    assert_eq!(desk.issue(reader, CONTACT, now, 1), Ok(None), "too many in an hour");
    now = now.plus(Span::from_hours(1));
    assert!(desk.issue(reader, CONTACT, now, 1).unwrap().is_some());
}

#[test]
fn live_codes_have_a_bound() {
    let market = Market::new(0);
    let mut desk = CodeDesk::default();
    let contact = |number: usize| format!("buyer{number}@example.org");
    let issue = |desk: &mut CodeDesk, number: usize, now| {
        desk.issue(&market.reader, &contact(number), now, 1).unwrap().is_some()
    };
    for number in 0..CODES_LIVE_MAX {
        assert!(issue(&mut desk, number, START));
    }
    assert!(!issue(&mut desk, CODES_LIVE_MAX, START), "the memory is full");
    assert!(issue(&mut desk, 0, START), "who has one may have another");
    let later = START.plus(Span::from_hours(1));
    assert!(issue(&mut desk, CODES_LIVE_MAX, later), "the old ones are over");
}

#[test]
fn queries_of_orders_and_money() {
    let mut market = Market::open_shop(2);
    let shop = market.shop.unwrap();
    let offer = market.put_product("A-1", 10_000, 9);
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(market.paid(BUYER, &[(offer, 1, 10_000)]));
        market.wait(Span::from_secs(1));
    }
    let (buyer, seller) = (market.people[BUYER].account, market.people[SELLER].account);
    let stranger = market.people[BUYER + 1].account;
    let order = |account| block_on(market.reader.order(account, orders[0], market.now));
    let own = order(buyer).unwrap();
    assert!(own.order.fees.is_none() && own.address.is_some() && own.payment.is_some());
    assert_eq!(own.word, OrderWord::Paid);
    let sold = order(seller).unwrap();
    assert!(sold.order.fees.is_some() && sold.address.is_some());
    assert_eq!(order(stranger).map_err(|error| error.code()).err(), Some("order.not_party"));

    let page = |account, after: Option<String>, limit| {
        let query = PageQuery { after, limit };
        block_on(market.reader.shop_orders(account, shop, &query, market.now)).map_err(|error| error.code())
    };
    let first = page(seller, None, Some(2)).unwrap();
    assert_eq!(first.orders.iter().map(|order| order.id).collect::<Vec<_>>(), [orders[2], orders[1]]);
    let second = page(seller, first.next.clone(), Some(2)).unwrap();
    assert_eq!(second.orders.iter().map(|order| order.id).collect::<Vec<_>>(), [orders[0]]);
    assert_eq!(second.next, None);
    assert_eq!(page(buyer, None, None).err(), Some("order.not_party"));
    assert_eq!(page(seller, Some("x".to_owned()), None).err(), Some("request.form"));
    assert_eq!(page(seller, None, Some(201)).err(), Some("request.too_large"));

    let balance = |account| block_on(market.reader.shop_balance(account, shop, market.now));
    let held = balance(seller).unwrap();
    assert_eq!((held.escrow.0.minor, held.pending.0.minor), (39_000, 0));
    assert_eq!(balance(buyer).map_err(|error| error.code()).err(), Some("order.not_party"));

    market.deliver(BUYER, orders[0]);
    let (reader, now) = (market.reader.clone(), market.now);
    let held = block_on(reader.shop_balance(seller, shop, now)).unwrap();
    let pending = market.balance(AccountCode::SellerPending, *shop.bytes());
    assert_eq!((held.escrow.0.minor, held.pending.0.minor), (26_000, pending));
    let courier = market.people[COURIER].account;
    let earned = market.balance(AccountCode::CourierPayable, *courier.bytes());
    let owed = |account| block_on(reader.courier_balance(account, now)).unwrap().payable;
    assert_eq!(owed(courier).iter().map(|sum| sum.0.minor).collect::<Vec<_>>(), [earned]);
    assert!(earned > 0 && owed(seller).is_empty(), "shipping is the courier's");
    let query = PageQuery { after: None, limit: Some(1) };
    let statement = block_on(reader.shop_statement(seller, shop, &query, now)).unwrap();
    assert_eq!(statement.lines[0].balance.0.minor, pending);
    assert_eq!((statement.lines.len(), statement.next), (1, None));

    assert!(block_on(reader.blockers_overdue(now)).unwrap().is_empty());
    assert_eq!(block_on(reader.blockers_overdue(now.plus(Span::from_days(8)))).unwrap().len(), 1);
    let proven = block_on(reader.verify_ledger()).unwrap();
    assert_eq!(proven.len(), 1);
    assert!(proven[0].sum_minor.values().all(|sum| *sum == 0));
    let hash = block_on(reader.state_hash()).unwrap();
    assert_eq!(hash, block_on(reader.state_hash()).unwrap());
    let outcome: Outcome = market.act(BUYER, souk_domain::intent::Body::Ship { order: orders[1] }).1;
    market::refused(&outcome, "order.not_party");
    assert_eq!(hash, block_on(market.reader.state_hash()).unwrap(), "a refusal moves nothing");
    market.paid(BUYER, &[(offer, 1, 10_000)]);
    assert_ne!(hash, block_on(market.reader.state_hash()).unwrap());
    assert!(epoch_of(&Outcome::Expired).is_err());
}
