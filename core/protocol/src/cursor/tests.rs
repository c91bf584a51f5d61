use proptest::prelude::*;

use super::*;

fn vector() -> Cursor {
    let id = |text: &str| <[u8; 16]>::try_from(souk_domain::id::unhex(text).unwrap()).unwrap();
    let bucket = |number| Bucket::new(number).unwrap();
    Cursor {
        account: id("018f3c2a5b007abc8def0123456789ab"),
        device: id("019a2f00000071118222333344445555"),
        generation: 7,
        schema: 3,
        issued_at: Time::from_micros(1_795_348_800_123_456),
        scope: "acct".to_owned(),
        parts: vec![(bucket(417), 90_311), (bucket(687), 12)],
    }
}

const KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut i = 0;
    while i < 32 {
        key[i] = i as u8;
        i += 1;
    }
    key
};
const NONCE: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/// spec/sync.md 4.6.
#[test]
fn vector_of_the_spec() {
    let cursor = vector();
    assert_eq!(cursor.encode().unwrap().len(), 76);
    let text = cursor.seal(5, &KEY, &NONCE).unwrap();
    assert_eq!(
        text,
        "AQUAAQIDBAUGBwgJCgtGA1kn777CYTHMeIqSrB_kKNcdG_B7Xw0p5ce2Li1E51QQrvyowRKYd6R5jVSwUoquXQHuOaKj2D42KhkY4_XvkPvE1dPRJmEcVKpidNjNrNaGdMDF9hkZ15UlLg"
    );
    let opened = Cursor::open(&text, |id| (id == 5).then_some(&KEY));
    assert_eq!(opened, Ok(cursor));
}

#[test]
fn forged_cut_and_foreign_cursors_are_refused() {
    let text = vector().seal(5, &KEY, &NONCE).unwrap();
    let code = |text: &str, key: &[u8; 32]| {
        Cursor::open(text, |id| (id == 5).then_some(key)).map_err(|refusal| refusal.code)
    };
    assert_eq!(Cursor::open(&text, |_| None).map_err(|refusal| refusal.code), Err("cursor.key"));
    assert_eq!(code(&text, &[9; 32]), Err("scope.unknown"));
    for at in 0..text.len() {
        let mut bad = text.clone().into_bytes();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        assert!(code(&String::from_utf8(bad).unwrap(), &KEY).is_err(), "{at}");
        assert!(code(&text[..at], &KEY).is_err(), "{at}");
    }
    assert_eq!(code(&"A".repeat(CURSOR_CHARS_MAX + 1), &KEY), Err("scope.unknown"));
}

#[test]
fn bound_to_scope_account_and_device() {
    let account: souk_domain::id::AccountId = "018f3c2a5b007abc8def0123456789ab".parse().unwrap();
    let scope = Scope::Account(account);
    let cursor = Cursor { scope: scope.to_string(), ..vector() };
    assert!(cursor.is_of(&scope, &cursor.account, &cursor.device));
    assert!(!cursor.is_of(&Scope::Route(account), &cursor.account, &cursor.device));
    assert!(!cursor.is_of(&scope, &[1; 16], &cursor.device));
    assert!(!cursor.is_of(&scope, &cursor.account, &[1; 16]));
    let public = Cursor { scope: "cat/all".into(), account: [0; 16], device: [0; 16], ..vector() };
    assert!(public.is_of(&Scope::Catalogue, &[7; 16], &[8; 16]));
    assert!(!Cursor { scope: "cat/all".into(), ..vector() }.is_of(&Scope::Catalogue, &[7; 16], &[8; 16]));
}

#[test]
fn limits_at_the_edge() {
    let with = |parts: usize| Cursor { parts: vec![(Bucket::PUBLIC, 1); parts], ..vector() };
    // 14 + 56 + 10 per part + 16 bytes, four characters for three bytes.
    let fits = (CURSOR_CHARS_MAX * 3 / 4 - 86) / 10;
    assert_eq!(with(fits).seal(5, &KEY, &NONCE).unwrap().len(), 4_088);
    assert_eq!(with(fits + 1).seal(5, &KEY, &NONCE).map_err(|refusal| refusal.code), Err("cursor.too_long"));
    let scope = |length: usize| Cursor { scope: "s".repeat(length), ..vector() }.encode().is_ok();
    assert!(scope(255));
    assert!(!scope(256));
    assert!(with(65_535).encode().is_ok());
    assert!(with(65_536).encode().is_err());
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        if let Some(cursor) = Cursor::decode(&bytes) {
            prop_assert_eq!(cursor.encode().unwrap(), bytes);
        }
        prop_assert!(Cursor::open(&text, |_| Some(&KEY)).is_err());
    }

    #[test]
    fn plain_form_round_trips(
        account: [u8; 16], device: [u8; 16], generation: u32, schema: u32, at: i64,
        scope in "[a-z/0-9]{0,40}", parts in prop::collection::vec((0u16..1024, any::<u64>()), 0..20),
    ) {
        let parts = parts.into_iter().map(|(bucket, seq)| (Bucket::new(bucket).unwrap(), seq)).collect();
        let cursor = Cursor { account, device, generation, schema, issued_at: Time::from_micros(at), scope, parts };
        prop_assert_eq!(Cursor::decode(&cursor.encode().unwrap()), Some(cursor));
    }
}
