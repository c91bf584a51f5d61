//! Pulls: pages, checksums, resets, rights, and that a device's copy is the server's rows after every step.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod market;

use std::collections::BTreeMap;

use futures::executor::block_on;
use market::{BUYER, COURIER, Market, SELLER, accepted, krw};
use souk_crypto::rowsum;
use souk_domain::bookkeeping::Lane;
use souk_domain::id::{Bucket, DeviceId};
use souk_domain::intent::Body;
use souk_domain::scope::EntityKind;
use souk_domain::time::Span;
use souk_engine::Mutants;
use souk_engine::keys::rotate_cursor_key;
use souk_protocol::limits::PULL_SCOPES_MAX;
use souk_protocol::sync::{
    Applied, PullRequest, PullResponse, ResetWhy, RowsPage, ScopeAsked, ScopeKind, Sum, Touch, rows_of,
};

/// Version and members of a row.
type Versioned = (u64, serde_json::Map<String, serde_json::Value>);

/// A device's copy of one scope.
#[derive(Default)]
struct Copy {
    cursor: Option<String>,
    rows: BTreeMap<(EntityKind, [u8; 16]), Versioned>,
    applied: Vec<Applied>,
    pages: usize,
}

impl Copy {
    fn take(&mut self, page: RowsPage) -> Option<(Sum, u64)> {
        self.pages += 1;
        let rows = rows_of(page.blocks).unwrap();
        assert_eq!(rows.unknown, 0);
        for put in rows.puts {
            self.rows.insert((put.entity, put.id), (put.ver, put.row));
        }
        for gone in rows.removed {
            self.rows.remove(&(gone.entity, gone.id));
        }
        self.applied.extend(page.applied);
        self.cursor = Some(page.c);
        assert_eq!(page.more, page.sum.is_none());
        assert_eq!(page.more, page.n.is_none());
        page.sum.zip(page.n)
    }

    fn sum(&self) -> Sum {
        let share = |((kind, id), (ver, _)): (&(EntityKind, [u8; 16]), &Versioned)| {
            rowsum::h(kind.number().into(), id, *ver)
        };
        Sum(self.rows.iter().map(share).fold(0, u64::wrapping_add))
    }

    fn count(&self, kind: EntityKind) -> usize {
        self.rows.keys().filter(|(entity, _)| *entity == kind).count()
    }
}

fn request(scopes: Vec<ScopeAsked>, max_bytes: Option<usize>) -> PullRequest {
    PullRequest {
        v: 1,
        schema: 1,
        app: "test/1".to_owned(),
        epoch: 1,
        generation: 0,
        scopes,
        touch: Vec::new(),
        max_bytes,
    }
}

fn asked(id: &str, c: Option<String>) -> ScopeAsked {
    ScopeAsked { id: id.to_owned(), c }
}

fn try_pull(market: &Market, who: usize, request: &PullRequest) -> Result<PullResponse, &'static str> {
    let person = &market.people[who];
    let caller = block_on(market.reader.caller(person.account, person.device, market.now)).unwrap();
    block_on(market.reader.pull(Some(&caller), request, market.now)).map_err(|error| error.code())
}

fn pull_one(market: &Market, who: usize, request: &PullRequest) -> ScopeKind {
    try_pull(market, who, request).unwrap().scopes.remove(0).what
}

/// Pulls a scope to its end in pages of so many bytes; sums and counts must fit.
fn follow(market: &Market, who: usize, scope: &str, copy: &mut Copy, max_bytes: Option<usize>) {
    for _ in 0..1_000 {
        let ask = request(vec![asked(scope, copy.cursor.clone())], max_bytes);
        let ScopeKind::Rows(page) = pull_one(market, who, &ask) else { panic!("no rows of {scope}") };
        if let Some((sum, n)) = copy.take(page) {
            assert_eq!(sum, copy.sum(), "{scope}");
            assert_eq!(n, copy.rows.len() as u64, "{scope}");
            return;
        }
    }
    panic!("{scope} does not end");
}

#[test]
fn a_copy_is_the_servers_rows_after_every_step() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let shop = format!("seller/{}", market.shop.unwrap());
    let scopes = [(BUYER, "acct"), (SELLER, shop.as_str()), (COURIER, "route"), (BUYER, "cat/all")];
    let mut copies: Vec<Copy> = scopes.iter().map(|_| Copy::default()).collect();
    let all = |market: &mut Market, copies: &mut Vec<Copy>| {
        market.relay();
        for ((who, scope), copy) in scopes.iter().zip(copies.iter_mut()) {
            follow(market, *who, scope, copy, None);
            let mut fresh = Copy::default();
            follow(market, *who, scope, &mut fresh, Some(700));
            assert_eq!(fresh.rows, copy.rows, "{scope} from nothing");
        }
    };
    all(&mut market, &mut copies);
    assert_eq!(copies[3].count(EntityKind::Card), 1);
    let line = |quantity| Body::SetCartLine { offer, quantity, seen: krw(10_000) };
    let bucket = market.people[BUYER].account.bucket();
    let id = market.mint(bucket);
    accepted(&market.send(BUYER, id, line(2), &[]));
    all(&mut market, &mut copies);
    assert_eq!(copies[0].count(EntityKind::CartLine), 1);
    let id = market.mint(bucket);
    accepted(&market.send(BUYER, id, line(0), &[]));
    all(&mut market, &mut copies);
    assert_eq!(copies[0].count(EntityKind::CartLine), 0, "a row that leaves its scope is removed");

    let order = market.paid(BUYER, &[(offer, 1, 10_000)]);
    all(&mut market, &mut copies);
    assert_eq!(copies[0].count(EntityKind::Order), 1, "a new part is found");
    let applied = |copy: &Copy, bucket: Bucket, lane| {
        let of = copy.applied.iter().filter(|applied| (applied.bucket, applied.lane) == (bucket, lane));
        of.map(|applied| applied.last).max()
    };
    assert_eq!(applied(&copies[0], market.shop_bucket(), Lane::Order), Some(1));
    assert_eq!(applied(&copies[0], market.shop_bucket(), Lane::Money), Some(1));
    assert_eq!(applied(&copies[0], bucket, Lane::Bulk), Some(2));

    let parcel = market.label(order);
    all(&mut market, &mut copies);
    assert_eq!(copies[2].count(EntityKind::Stop), 1);
    let certificate = market.open_shift();
    use souk_codes::proof::EventKind;
    for kind in [EventKind::PickedUp, EventKind::OutForDelivery] {
        accepted(&market.scan(parcel.id, kind, &certificate, &[]));
        all(&mut market, &mut copies);
    }
    let proof = market.handover(BUYER, &parcel);
    accepted(&market.scan(parcel.id, EventKind::Delivered, &certificate, &proof));
    all(&mut market, &mut copies);
    assert_eq!(copies[2].count(EntityKind::Stop), 0, "a finished stop leaves the route");
}

#[test]
fn pages_are_small_and_none_is_empty() {
    let mut market = Market::open_shop(1);
    for number in 0..60 {
        market.put_product(&format!("A-{number}"), 10_000, 5);
    }
    market.relay();
    let mut copy = Copy::default();
    follow(&market, BUYER, "cat/all", &mut copy, Some(1));
    assert_eq!(copy.count(EntityKind::Card), 60);
    assert!(copy.pages >= 60, "a row goes in whatever its size, and no second one: {}", copy.pages);
    let mut large = Copy::default();
    follow(&market, BUYER, "cat/all", &mut large, None);
    assert_eq!((large.pages, large.rows == copy.rows), (1, true));
    let mut snapshot = Copy::default();
    loop {
        let page = block_on(market.reader.snapshot(snapshot.cursor.as_deref(), 25, market.now)).unwrap().page;
        if snapshot.take(page).is_some() {
            break;
        }
    }
    assert_eq!((snapshot.rows == copy.rows, snapshot.pages), (true, 3));
    // Whoever has read the snapshot goes on by pull.
    market.put_product("B-1", 10_000, 5);
    market.relay();
    follow(&market, BUYER, "cat/all", &mut snapshot, None);
    assert_eq!(snapshot.count(EntityKind::Card), 61);
}

#[test]
fn reference_data_is_one_row() {
    let market = Market::new(1);
    let mut copy = Copy::default();
    follow(&market, BUYER, "ref/main", &mut copy, None);
    assert_eq!(copy.count(EntityKind::Reference), 1);
    let before = copy.cursor.clone();
    follow(&market, BUYER, "ref/main", &mut copy, None);
    assert_eq!(copy.rows.len(), 1);
    assert_eq!(before, copy.cursor, "the same cursor at the same time is the same text");
}

#[test]
fn rights_are_looked_up_at_every_pull() {
    let market = Market::open_shop(2);
    let shop = format!("seller/{}", market.shop.unwrap());
    let account = |who: usize| format!("acct/{}", market.people[who].account);
    let route = |who: usize| format!("route/{}", market.people[who].account);
    let gone = |who: usize, scope: &str| {
        matches!(pull_one(&market, who, &request(vec![asked(scope, None)], None)), ScopeKind::Gone)
    };
    for (who, scope, is_gone) in [
        (BUYER, "acct".to_owned(), false),
        (BUYER, account(BUYER), false),
        (BUYER, account(BUYER + 1), true),
        (BUYER, route(COURIER), true),
        (COURIER, route(COURIER), false),
        (COURIER, "route".to_owned(), false),
        (BUYER, shop.clone(), true),
        (COURIER, shop.clone(), true),
        (SELLER, shop, false),
        (BUYER, "cat/all".to_owned(), false),
        (BUYER, "ref/main".to_owned(), false),
        (BUYER, "cat/food".to_owned(), true),
        (BUYER, "seller/zz".to_owned(), true),
        (BUYER, String::new(), true),
    ] {
        assert_eq!(gone(who, &scope), is_gone, "{who} {scope}");
    }
}

#[test]
fn cursors_are_bound_and_resets_have_reasons() {
    let mut market = Market::open_shop(2);
    let kind = |market: &Market, who: usize, scope: &str, cursor: &str| match pull_one(
        market,
        who,
        &request(vec![asked(scope, Some(cursor.to_owned()))], None),
    ) {
        ScopeKind::Rows(_) => "rows",
        ScopeKind::Reset { why: ResetWhy::Gen } => "gen",
        ScopeKind::Reset { why: ResetWhy::Key } => "key",
        ScopeKind::Reset { why: ResetWhy::Schema } => "schema",
        ScopeKind::Reset { why: ResetWhy::Floor } => "floor",
        ScopeKind::Later { .. } => "later",
        ScopeKind::Gone => "gone",
    };
    let mut copy = Copy::default();
    follow(&market, BUYER, "acct", &mut copy, None);
    let cursor = copy.cursor.unwrap();
    assert_eq!(kind(&market, BUYER, "acct", &cursor), "rows");
    assert_eq!(kind(&market, BUYER + 1, "acct", &cursor), "gone", "another account");
    assert_eq!(kind(&market, BUYER, "route", &cursor), "gone", "another scope");
    for bad in ["", "AQ", "!!", &cursor[..cursor.len() - 1]] {
        assert_eq!(kind(&market, BUYER, "acct", bad), "key", "{bad}");
    }
    for at in 0..cursor.len() {
        let mut flipped: Vec<char> = cursor.chars().collect();
        flipped[at] = if flipped[at] == 'A' { 'B' } else { 'A' };
        let flipped: String = flipped.into_iter().collect();
        assert_eq!(kind(&market, BUYER, "acct", &flipped), "key", "at {at}");
    }
    // Two keys later the old cursors are still good, three later they are not.
    for turn in 1..=3 {
        block_on(rotate_cursor_key(market.store(), [turn; 32])).unwrap();
        market.restart();
        let expected = if turn < 3 { "rows" } else { "key" };
        assert_eq!(kind(&market, BUYER, "acct", &cursor), expected, "turn {turn}");
    }
}

#[test]
fn a_cursor_ahead_of_the_data_raises_the_generation() {
    let mut market = Market::open_shop(1);
    let copy_file = |market: &Market| {
        block_on(market.store().checkpoint()).unwrap();
        std::fs::read(market.dir.path().join("souk.db")).unwrap()
    };
    let backup = copy_file(&market);
    let offer = market.put_product("A-1", 10_000, 5);
    let line = Body::SetCartLine { offer, quantity: 2, seen: krw(10_000) };
    let id = market.mint(market.people[BUYER].account.bucket());
    accepted(&market.send(BUYER, id, line, &[]));
    let mut copy = Copy::default();
    follow(&market, BUYER, "acct", &mut copy, None);
    let former = market.reader.generation();

    market.replace_file(&backup);
    assert_eq!(market.reader.generation(), former, "nobody said so");
    let ask = request(vec![asked("acct", copy.cursor.clone())], None);
    let response = try_pull(&market, BUYER, &ask).unwrap();
    assert_eq!(response.generation, former + 1);
    assert!(matches!(response.scopes[0].what, ScopeKind::Reset { why: ResetWhy::Gen }));
    // The next pull with that cursor says so too, and raises nothing again.
    let response = try_pull(&market, BUYER, &ask).unwrap();
    assert_eq!(response.generation, former + 1);
    let mut anew = Copy::default();
    follow(&market, BUYER, "acct", &mut anew, None);
    assert_eq!(anew.count(EntityKind::CartLine), 0);
    market.restart();
    assert_eq!(market.reader.generation(), former + 1, "it is durable");
}

#[test]
fn touched_parts_are_looked_at_before_their_hand_off() {
    let mut market = Market::open_shop(1);
    let offer = market.put_product("A-1", 10_000, 5);
    let id = market.mint(market.shop_bucket());
    let body = market.place_body(&[(offer, 1, 10_000)]);
    let now = market.now;
    let signed = market.people[BUYER].text(id, &body, &market::address(), now);
    let item = market.people[BUYER].item(Lane::Order, id.bucket(), signed);
    let souk_engine::Answer::Items { touch, .. } = market.push(BUYER, vec![item]) else { panic!("items") };
    assert_eq!(touch, [Touch { bucket: market.shop_bucket(), seq: 1 }]);
    let orders = |touch: Vec<Touch>| {
        let ask = PullRequest { touch, ..request(vec![asked("acct", None)], None) };
        let ScopeKind::Rows(page) = pull_one(&market, BUYER, &ask) else { panic!("rows") };
        let mut copy = Copy::default();
        copy.take(page);
        copy.count(EntityKind::Order)
    };
    assert_eq!((orders(Vec::new()), orders(touch)), (0, 1));
}

#[test]
fn whole_requests_that_are_refused() {
    let mut market = Market::new(1);
    let good = request(vec![asked("acct", None)], None);
    let many = vec![asked("acct", None); PULL_SCOPES_MAX + 1];
    assert_eq!(try_pull(&market, BUYER, &PullRequest { v: 0, ..good.clone() }).err(), Some("app.too_old"));
    assert_eq!(
        try_pull(&market, BUYER, &PullRequest { scopes: many, ..good.clone() }).err(),
        Some("request.too_large")
    );
    let (account, device) = (market.people[BUYER].account, market.people[BUYER].device);
    accepted(&market.server(souk_engine::sign_in::raise_epoch(account, device, 1)));
    assert_eq!(try_pull(&market, BUYER, &good).err(), Some("device.epoch"));
    assert!(try_pull(&market, BUYER, &PullRequest { epoch: 2, ..good }).is_ok());
    let nobody = DeviceId::from_bytes([77; 16]).unwrap();
    let caller = block_on(market.reader.caller(account, nobody, market.now));
    assert_eq!(caller.map_err(|error| error.code()).err(), Some("device.unknown"));
}

/// What a commit moves on is told to whoever listens, once a part.
#[test]
fn hints_follow_commits() {
    let mut market = Market::open_shop(1);
    let (tell, told) = std::sync::mpsc::channel();
    market.engine.on_hints(Box::new(move |hints| tell.send(hints.to_vec()).unwrap()));
    let offer = market.put_product("A-1", 10_000, 5);
    market.wait(Span::from_secs(1));
    let (_, outcome) = market.place(BUYER, &[(offer, 1, 10_000)]);
    accepted(&outcome);
    let (_, refused) = market.place(BUYER, &[(offer, 9, 10_000)]);
    market::refused(&refused, "stock.short");
    let hints: Vec<String> = told
        .try_iter()
        .map(|hints| hints.iter().map(|hint| format!("{} ", hint.scope.to_string().split_at(4).0)).collect())
        .collect();
    assert_eq!(hints, ["sell ", "acct sell "]);
}

/// Leaving a scope in silence is what mutant 24 does: the copy keeps a row that the sum does not have.
#[test]
fn a_silent_leave_shows_in_the_sum() {
    let mut market = Market::with(1, Mutants { leaving_is_silent: true, ..Mutants::NONE });
    market.make_shop();
    let offer = market.put_product("A-1", 10_000, 5);
    let bucket = market.people[BUYER].account.bucket();
    let mut copy = Copy::default();
    for quantity in [1, 0] {
        let id = market.mint(bucket);
        accepted(&market.send(BUYER, id, Body::SetCartLine { offer, quantity, seen: krw(10_000) }, &[]));
        let ask = request(vec![asked("acct", copy.cursor.clone())], None);
        if let Ok(response) = try_pull(&market, BUYER, &ask)
            && let ScopeKind::Rows(page) = response.scopes[0].what.clone()
        {
            copy.take(page);
        }
    }
    assert_eq!(copy.count(EntityKind::CartLine), 1);
}
