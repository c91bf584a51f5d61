//! Rows come down: pages, checksums, resets, damage, a start without a network.

use rusqlite::Connection;
use souk_device::outbox::Tap;
use souk_device::sync::{Event, Notice};
use souk_domain::intent::Body;
use souk_domain::scope::Scope;

use crate::bench::{Bench, Fate};
use crate::server::{Server, krw};

fn market() -> Server {
    Server::with_shop(&[
        ("tea", "Green tea", 12_900, 30),
        ("cup", "Tea cup", 4_000, 9),
        ("pot", "Tea pot", 22_000, 3),
    ])
}

fn assert_whole(device: &mut Bench, server: &Server, scopes: &[Scope]) {
    for scope in scopes {
        let sums = device.host().scope_sums(scope).unwrap().unwrap();
        assert!(sums.is_whole, "{scope}");
        assert_eq!((sums.kept, sums.stored), (server.sum(scope), server.sum(scope)), "{scope}");
    }
}

#[test]
fn all_scopes_become_fresh_and_equal_the_server() {
    let mut server = market();
    server.page_rows = 2;
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let account = server.account_of("kim@example.org");
    let scopes = [Scope::Reference, Scope::Catalogue, Scope::Account(account)];
    assert_whole(&mut device, &server, &scopes);
    let tea = server.offer("tea");
    server.seller_acts(Body::SetPrice { offer: tea, price: krw(9_900) });
    device.event(Event::Hint(Scope::Catalogue));
    device.pass(3_000);
    device.settle(&mut server);
    assert_whole(&mut device, &server, &scopes);
}

#[test]
fn guests_see_the_catalogue() {
    let mut server = market();
    let mut device = Bench::new(1);
    device.settle(&mut server);
    assert_whole(&mut device, &server, &[Scope::Reference, Scope::Catalogue]);
    assert_eq!(device.host().link_word(), "new");
}

#[test]
fn pull_ignores_push() {
    let mut server = market();
    let tea = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    device.place(&server, &[(tea, 1, 12_900)]);
    server.seller_acts(Body::SetPrice { offer: tea, price: krw(9_900) });
    device.event(Event::SyncNow);
    for _ in 0..50 {
        // Every push vanishes.
        while let Some((_, request)) = device.wire.first() {
            let fate = if request.path == "/v1/sync/push" { Fate::Lost } else { Fate::Good };
            device.deliver(&mut server, fate);
        }
        device.pass(1_000);
    }
    assert_eq!(device.host().undecided().unwrap(), 1);
    assert_whole(&mut device, &server, &[Scope::Catalogue]);
}

#[test]
fn a_lost_row_is_found_by_the_checksum_and_costs_one_scope() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    device.kill();
    let cache = Connection::open(device.dir.path().join("cache.db")).unwrap();
    assert_eq!(cache.execute("DELETE FROM product WHERE names = 'Tea cup'", []).unwrap(), 1);
    cache.execute("UPDATE scope SET sum = sum + 1 WHERE scope = 'cat/all'", []).unwrap();
    drop(cache);
    device.start();
    device.settle(&mut server);
    assert!(device.notices.contains(&Notice::SumDiffers(Scope::Catalogue)));
    assert_whole(&mut device, &server, &[Scope::Catalogue]);
    assert_eq!(device.host().counts().get("sync_sum_mismatch"), Some(&1));
}

#[test]
fn a_kill_between_any_two_pages_loses_nothing() {
    let mut server = market();
    server.page_rows = 1;
    for steps in 0..8 {
        let mut device = Bench::new(steps);
        for _ in 0..steps {
            if !device.wire.is_empty() {
                device.deliver(&mut server, Fate::Good);
            }
        }
        device.kill();
        device.start();
        device.settle(&mut server);
        assert_whole(&mut device, &server, &[Scope::Reference, Scope::Catalogue]);
    }
}

#[test]
fn damaged_cache_is_fetched_again_and_own_orders_stay() {
    let mut server = market();
    let tea = server.offer("tea");
    for junk in [&b"this is no database, but it is long enough to be read as one page of it"[..], &[0; 8192]]
    {
        let mut device = Bench::joined(1, "kim@example.org", &mut server);
        device.place(&server, &[(tea, 1, 12_900)]);
        device.kill();
        let path = device.dir.path().join("cache.db");
        std::fs::remove_file(device.dir.path().join("cache.db-wal")).ok();
        let mut bytes = std::fs::read(&path).unwrap();
        let end = junk.len().min(bytes.len());
        bytes[..end].copy_from_slice(&junk[..end]);
        std::fs::write(&path, bytes).unwrap();
        device.start();
        assert!(device.host().open_report().cache_begun_anew);
        assert_eq!(device.host().undecided().unwrap(), 1);
        device.heal(&mut server);
        assert_whole(&mut device, &server, &[Scope::Catalogue]);
    }
}

#[test]
fn the_cache_of_another_device_is_not_taken() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let mut other = Bench::joined(50, "lee@example.org", &mut server);
    for bench in [&mut device, &mut other] {
        let now = bench.now;
        bench.host().pause(now).unwrap();
        bench.kill();
    }
    std::fs::copy(other.dir.path().join("cache.db"), device.dir.path().join("cache.db")).unwrap();
    device.start();
    assert!(device.host().open_report().cache_begun_anew);
}

#[test]
fn a_file_of_a_newer_program_is_refused_untouched() {
    for file in ["user.db", "cache.db"] {
        let mut device = Bench::new(1);
        device.kill();
        let path = device.dir.path().join(file);
        let conn = Connection::open(&path).unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(conn);
        let before = std::fs::read(&path).unwrap();
        let config = souk_device::store::FilesConfig::in_dir(device.dir.path());
        let error = souk_device::store::DeviceFiles::open(&config, [0; 16]).unwrap_err();
        assert_eq!(error.code(), "store.newer", "{file}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{file}");
    }
}

#[test]
fn a_member_no_more_loses_the_rows() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let shop = Scope::Seller(server.shop.unwrap());
    device.event(Event::Follow(shop.clone()));
    device.settle(&mut server);
    assert_eq!(device.host().scope_sums(&shop).unwrap(), None);
    assert!(device.host().is_quiet());
}

/// Changes `cache.db` behind the device's back while it is down, and starts it again as after a kill.
fn spoil(device: &mut Bench, sql: &str) {
    device.kill();
    let cache = Connection::open(device.dir.path().join("cache.db")).unwrap();
    cache.execute_batch(sql).unwrap();
    drop(cache);
    device.start();
    let now = device.now;
    while device.host().idle(now).unwrap() {}
    device.drain();
}

#[test]
fn what_a_medium_has_changed_is_found_after_a_kill_without_a_word_from_the_server() {
    let spoilt = [
        "DELETE FROM product WHERE names = 'Tea cup'",
        "UPDATE product SET ver = ver + 4096 WHERE names = 'Tea cup'",
        "UPDATE scope SET sum = sum + 1 WHERE scope = 'cat/all'",
    ];
    for sql in spoilt {
        let mut server = market();
        let mut device = Bench::joined(1, "kim@example.org", &mut server);
        spoil(&mut device, sql);
        assert_eq!(device.host().counts().get("recount_differs"), Some(&1), "{sql}");
        device.heal(&mut server);
        assert_whole(&mut device, &server, &[Scope::Catalogue]);
        // Found before the server's sum could differ, and only once.
        assert!(!device.notices.contains(&Notice::SumDiffers(Scope::Catalogue)), "{sql}");
    }
}

/// A bit may flip in the text of a table as well.
#[test]
fn a_cache_with_tables_that_are_not_ours_keeps_no_start_back() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    for sql in ["ALTER TABLE scope RENAME COLUMN mark_decided_no TO mark_decided_np", "DROP TABLE scope"] {
        spoil(&mut device, sql);
        assert!(device.host().open_report().cache_begun_anew, "{sql}");
        device.heal(&mut server);
        assert_whole(&mut device, &server, &[Scope::Reference, Scope::Catalogue]);
    }
}

#[test]
fn a_clean_exit_reckons_nothing_anew() {
    let mut server = market();
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    let now = device.now;
    device.host().pause(now).unwrap();
    spoil(&mut device, "UPDATE scope SET sum = sum + 1 WHERE scope = 'cat/all'");
    assert!(!device.host().open_report().unclean_exit);
    assert_eq!(device.host().counts().get("recount_differs"), None);
    // The end of the next pull finds it as well.
    device.event(Event::SyncNow);
    device.heal(&mut server);
    assert!(device.notices.contains(&Notice::SumDiffers(Scope::Catalogue)));
    assert_whole(&mut device, &server, &[Scope::Catalogue]);
}

#[test]
fn a_table_that_is_not_ours_any_more_is_made_anew_while_the_device_runs() {
    let mut server = market();
    let tea = server.offer("tea");
    let mut device = Bench::joined(1, "kim@example.org", &mut server);
    device.place(&server, &[(tea, 1, 12_900)]);
    spoil(&mut device, "ALTER TABLE product RENAME COLUMN body TO bodx");
    device.heal(&mut server);
    let mut seller = Bench::joined(2, "seller@example.org", &mut server);
    seller.tap(Tap::of(Body::SetPrice { offer: tea, price: krw(13_100) })).unwrap();
    seller.heal(&mut server);
    device.event(Event::SyncNow);
    device.heal(&mut server);
    assert_eq!(device.host().counts().get("cache_begun_anew"), Some(&1));
    assert_eq!(device.host().undecided().unwrap(), 0);
    assert_whole(&mut device, &server, &[Scope::Reference, Scope::Catalogue]);
}
