use super::*;
use crate::emv::{CodeError, Id, Level, Profile, QrBuild, emit, parse};
use proptest::prelude::*;

/// spec/money.md 2.5.
const S1_LINE: &str = include_str!("vectors/s1.txt");
const S1: &str = S1_LINE.trim_ascii_end();

fn fields() -> PayFields {
    PayFields {
        guid: GUID_DEFAULT.to_owned(),
        payee: 0x018f_3c2a_5b00_7abc_8def_0123_4567_89ab_u128.to_be_bytes(),
        order: Some(PayOrder {
            order: 0x018f_3c2a_5b01_7abc_8def_0123_4567_89ac_u128.to_be_bytes(),
            nonce: [0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6],
            expiry_minutes: 29_922_495,
        }),
        key_id: 1,
        mcc: 5499,
        currency: 978,
        amount: Some("23.72".to_owned()),
        country: "PT".to_owned(),
        merchant_name: "Mercearia da Ana".to_owned(),
        city: "Lisboa".to_owned(),
        language: None,
    }
}

fn sticker() -> PayFields {
    PayFields { order: None, amount: None, key_id: DEVICE_KEY_ID, ..fields() }
}

fn korean() -> PayFields {
    let language = PayLanguage {
        language: "ko".to_owned(),
        name: "모란 상회".to_owned(),
        city: Some("성남".to_owned()),
    };
    PayFields { language: Some(language), merchant_name: "Souk seller".to_owned(), ..fields() }
}

#[test]
fn vector_s1() {
    assert_eq!(S1.len(), 316);
    let read = PayCode::read(S1).expect("reads");
    assert_eq!(read.fields, fields());
    let draft = fields().unsigned().expect("good");
    assert_eq!(draft.signing_bytes(), read.signing_bytes);
    assert_eq!(read.signing_bytes, S1.split("80630012").next().expect("a front").as_bytes());
    assert_eq!(draft.sign(&read.signature), S1);
    assert_eq!(read.signature[..4], [0x3f, 0x47, 0x51, 0xbb]);
    for level in [Profile::Souk, Profile::Auto] {
        assert!(parse(S1, Level::Profile(level)).is_ok());
    }
    assert_eq!((read.is_expired(29_922_495), read.is_expired(29_922_496)), (false, true));
}

#[test]
fn static_and_korean_codes() {
    for good in [sticker(), korean()] {
        let text = good.unsigned().expect("good").sign(&[9; 64]);
        let read = PayCode::read(&text).expect("reads");
        assert_eq!((&read.fields, read.signature), (&good, [9; 64]));
        assert_eq!(read.is_expired(u32::MAX), good.order.is_some());
    }
}

#[test]
fn fields_that_no_code_can_hold() {
    let refused = |change: fn(&mut PayFields)| {
        let mut fields = fields();
        change(&mut fields);
        fields.unsigned().map_err(|error| error.code()).err()
    };
    let order = |fields: &mut PayFields, minutes| {
        if let Some(order) = &mut fields.order {
            order.expiry_minutes = minutes;
        }
    };
    assert_eq!(refused(|_| {}), None);
    assert_eq!(refused(|f| f.guid = "org.example.pay".to_owned()), Some("qr.profile_format"));
    assert_eq!(refused(|f| f.guid = String::new()), Some("qr.profile_format"));
    assert_eq!(refused(|f| f.guid = "kr.example".to_owned()), None);
    assert_eq!(refused(|f| f.key_id = 0), Some("qr.profile_format"));
    assert_eq!(refused(|f| f.key_id = SERVER_KEY_ID_MAX), None);
    assert_eq!(refused(|f| f.key_id = DEVICE_KEY_ID + 1), Some("qr.profile_format"));
    assert_eq!(refused(|f| f.mcc = 9_999), None);
    assert_eq!(refused(|f| f.mcc = 10_000), Some("qr.profile_format"));
    assert_eq!(refused(|f| f.currency = 8), None);
    assert_eq!(refused(|f| f.currency = 1_000), Some("qr.profile_format"));
    assert_eq!(refused(|f| f.amount = Some("1,5".to_owned())), Some("qr.format"));
    assert_eq!(refused(|f| f.amount = Some("0".to_owned())), Some("qr.format"));
    assert_eq!(refused(|f| f.amount = None), Some("qr.profile_missing"));
    assert_eq!(refused(|f| f.country = "pt".to_owned()), Some("qr.format"));
    assert_eq!(refused(|f| f.merchant_name = "모란".to_owned()), Some("qr.format"));
    assert_eq!(refused(|f| f.merchant_name = String::new()), Some("qr.bad_length"));
    assert_eq!(refused(|f| f.city = "x".repeat(16)), Some("qr.format"));
    let mut edge = fields();
    order(&mut edge, EXPIRY_MINUTES_MAX);
    assert!(edge.unsigned().is_ok());
    order(&mut edge, EXPIRY_MINUTES_MAX + 1);
    assert_eq!(edge.unsigned().map_err(|error| error.code()).err(), Some("qr.profile_format"));
}

/// Codes with a good checksum that are not a payment code in its one form.
#[test]
fn altered_codes() {
    let altered = |change: &dyn Fn(&mut QrBuild) -> &mut QrBuild| {
        let mut build = QrBuild::from_qr(&parse(S1, Level::Lossless).expect("reads"));
        change(&mut build);
        PayCode::read(&emit(&build).expect("emits")).map_err(|error| error.code())
    };
    let half = |text: &'static str| [(Id(0), GUID_DEFAULT), (Id(1), text)];
    let again = S1.split("0143").nth(1).and_then(|rest| rest.get(..43)).expect("a half");
    let template = |id: u8, children: &[(Id, &str)]| {
        let mut build = QrBuild::new();
        build.push(Id(0), "01").push_template(Id(id), children);
        let text = emit(&build).expect("emits");
        text[10..text.len() - 8].to_owned()
    };
    let short = template(80, &half("AA"));
    let extra = template(80, &[(Id(0), GUID_DEFAULT), (Id(1), again), (Id(2), "x")]);
    let third = template(82, &half("AA"));
    assert_eq!(altered(&|b| b).map(|code| code.fields), Ok(fields()));
    assert_eq!(altered(&|b| b.remove(Id(81))).err(), Some("qr.profile_missing"));
    assert_eq!(altered(&|b| b.remove(Id(26)).push(Id(2), "4000")).err(), Some("qr.profile_missing"));
    assert_eq!(altered(&|b| b.set(Id(80), short.as_str())).err(), Some("qr.profile_format"));
    assert_eq!(altered(&|b| b.set(Id(80), extra.as_str())).err(), Some("qr.profile_format"));
    assert_eq!(altered(&|b| b.push(Id(82), third.as_str())).err(), Some("qr.profile_format"));
    assert_eq!(altered(&|b| b.remove(Id(61)).push(Id(61), "1000")).err(), Some("qr.profile_format"));
    assert_eq!(altered(&|b| b.set(Id(1), "11")).err(), Some("qr.profile_format"));
    let payee = template(26, &[(Id(0), GUID_DEFAULT), (Id(1), "AY88KlsAeryN7wEjRWeJqw"), (Id(5), "01")]);
    assert_eq!(altered(&|b| b.set(Id(26), payee.as_str())).err(), Some("qr.profile_missing"));
    let two = altered(&|b| {
        let value = payee.as_str();
        let (first, second) = (Id(80), Id(81));
        b.remove(first)
            .remove(second)
            .push(Id(27), value)
            .push(first, short.as_str())
            .push(second, short.as_str())
    });
    assert_eq!(two.err(), Some("qr.profile_format"));
}

/// A changed amount keeps a good checksum, and changes what is signed.
#[test]
fn signed_is_everything_but_the_signature() {
    let original = PayCode::read(S1).expect("reads");
    let qr = parse(S1, Level::Lossless).expect("reads");
    for obj in qr.objs.iter().filter(|obj| matches!(obj.id.0, 26 | 52..=60)) {
        let value = qr.value(obj);
        for (place, old) in value.char_indices() {
            for new in ["1", "2", "B", "C"] {
                let mut changed = value.to_owned();
                changed.replace_range(place..place + old.len_utf8(), new);
                let mut build = QrBuild::from_qr(&qr);
                let text = emit(build.set(obj.id, changed.as_str())).expect("emits");
                if let Ok(read) = PayCode::read(&text) {
                    assert_eq!(read.signing_bytes == original.signing_bytes, changed == value, "{text}");
                }
            }
        }
    }
}

#[test]
fn names_in_ascii() {
    for (name, expected) in [
        ("Mercearia da Ana", "Mercearia da Ana"),
        ("  Café\u{301}  Ärger & Söhne ", "Caf rger & Shne"),
        ("모란상회", "Souk"),
        ("모란 - 상회", "Souk"),
        ("모란 24 상회", "24"),
        ("A very long name of a shop x that goes on", "A very long name of a sho"),
        ("A very long name of a shop", "A very long name of a sho"),
        ("123456789012345678901234 6", "123456789012345678901234"),
    ] {
        assert_eq!(ascii_text(name, 25, "Souk"), expected);
    }
}

proptest! {
    #[test]
    fn round_trip(
        ids in any::<([u8; 16], [u8; 16], [u8; 6])>(), minutes in 0u32..=EXPIRY_MINUTES_MAX, key_id in 1u8..=0x80,
        numbers in (0u16..10_000, 0u16..1_000), amount in "[1-9][0-9]{0,8}(\\.[0-9]{1,3})?",
        country in "[A-Z]{2}", names in ("[ -~]{1,25}", "[ -~]{1,15}"), halves in any::<([u8; 32], [u8; 32])>(),
        own in proptest::option::of(("[a-z]{2}", ".{1,24}", proptest::option::of(".{1,14}"))),
    ) {
        let (payee, order, nonce) = ids;
        let fields = PayFields {
            guid: GUID_DEFAULT.to_owned(),
            payee,
            order: Some(PayOrder { order, nonce, expiry_minutes: minutes }),
            key_id,
            mcc: numbers.0,
            currency: numbers.1,
            amount: Some(amount),
            country,
            merchant_name: names.0,
            city: names.1,
            language: own.map(|(language, name, city)| PayLanguage { language, name, city }),
        };
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&halves.0);
        signature[32..].copy_from_slice(&halves.1);
        let draft = fields.unsigned().map_err(|e| TestCaseError::fail(e.to_string()))?;
        let read = PayCode::read(&draft.sign(&signature)).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&read.signing_bytes, draft.signing_bytes());
        prop_assert_eq!((read.fields, read.signature), (fields, signature));
    }

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = PayCode::read(&text);
    }

    #[test]
    fn single_changes_are_refused(place in 0usize..316, new in any::<char>()) {
        let mut changed: Vec<char> = S1.chars().collect();
        prop_assume!(changed[place] != new);
        changed[place] = new;
        let changed: String = changed.into_iter().collect();
        let read: Result<PayCode, CodeError> = PayCode::read(&changed);
        prop_assert!(read.is_err());
    }
}
