use expect_test::expect;
use proptest::prelude::*;
use souk_crypto::sign::{Ed25519Key, Signer as _};

use super::*;

fn request() -> RegisterRequest {
    let key = Ed25519Key::from_seed([7; 32]);
    let challenge = [3; 32];
    let sig = key.sign(&registration_digest(&challenge, &key.public_key())).unwrap();
    RegisterRequest {
        contact: "buyer@example.com".into(),
        code: "012345".into(),
        challenge,
        key: DeviceKey::new(key.public_key()),
        sig,
        name: "Kim".into(),
        platform: "linux".into(),
        model: String::new(),
        replaces: None,
        as_courier: false,
    }
}

#[test]
fn registration_is_checked() {
    let code = |change: fn(&mut RegisterRequest)| {
        let mut request = request();
        change(&mut request);
        request.check().map_err(|refusal| refusal.code)
    };
    assert_eq!(code(|_| ()), Ok(()));
    assert_eq!(code(|r| r.contact = "nobody".into()), Err("auth.contact"));
    assert_eq!(code(|r| r.code = "12345".into()), Err("auth.code"));
    assert_eq!(code(|r| r.code = "1234567".into()), Err("auth.code"));
    assert_eq!(code(|r| r.code = "12345x".into()), Err("auth.code"));
    assert_eq!(code(|r| r.challenge[0] ^= 1), Err("auth.signature"));
    assert_eq!(code(|r| r.sig[5] ^= 1), Err("auth.signature"));
    assert_eq!(code(|r| r.model = "m".repeat(LABEL_CHARS_MAX)), Ok(()));
    assert_eq!(code(|r| r.model = "m".repeat(LABEL_CHARS_MAX + 1)), Err("request.too_large"));
}

#[test]
fn contacts() {
    for (contact, expect) in [
        (" Kim@Example.COM ", Ok("kim@example.com")),
        ("+821012345678", Ok("+821012345678")),
        ("821012345678", Err(())),
        ("+0123456789", Err(())),
        ("+123456", Err(())),
        ("a@b", Err(())),
        ("a@.com", Err(())),
        ("a b@example.com", Err(())),
        ("a@b@example.com", Err(())),
        ("", Err(())),
    ] {
        let got = canonical_contact(contact).map_err(|_| ());
        assert_eq!(got.as_deref(), expect.as_ref().map(|text| *text), "{contact}");
    }
    let long = |length: usize| format!("{}@example.com", "a".repeat(length - 12));
    assert!(canonical_contact(&long(CONTACT_CHARS_MAX)).is_ok());
    assert!(canonical_contact(&long(CONTACT_CHARS_MAX + 1)).is_err());
}

#[test]
fn tokens_carry_their_bucket() {
    for number in [0u16, 1, 417, 687, 1023] {
        let bucket = Bucket::new(number).unwrap();
        let text = token_text(bucket, &[0xab; 32]);
        assert_eq!(text.len(), 46);
        assert_eq!(parse_token(&text), Ok((bucket, [0xab; 32])), "{text}");
    }
    expect!["aE.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
        .assert_eq(&token_text(Bucket::new(417).unwrap(), &[0; 32]));
    for bad in
        ["", ".", "aE", "aE.", "aEA.AAAA", "aF.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "aE.AAAA", "é.A"]
    {
        assert_eq!(parse_token(bad).map_err(|refusal| refusal.code), Err("token.unknown"), "{bad}");
    }
}

#[test]
fn forms_on_the_wire() {
    let text = serde_json::to_string(&request()).unwrap();
    expect![[r#"{"contact":"buyer@example.com","code":"012345","challenge":"0303030303030303030303030303030303030303030303030303030303030303","key":"ed25519:ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c","sig":"f1_UCkHjsJ_C4RwmSiJMOfbRwpWVmfq92frx-o0tvN2wnV1nnh1C3hw7SUx-MKYgW87JghpwT8SYRZWPohh6Bg","name":"Kim","platform":"linux"}"#]].assert_eq(&text);
    assert_eq!(serde_json::from_str::<RegisterRequest>(&text).unwrap(), request());
    let response = RegisterResponse {
        account: "018f3c2a5b007abc8def0123456789ab".parse().unwrap(),
        device: "019a2f00000071118222333344445555".parse().unwrap(),
        epoch: 1,
        tokens: TokenResponse {
            access: "aE.x".into(),
            access_until: Time::from_secs(900),
            refresh: "aE.y".into(),
            refresh_until: Time::from_secs(7_776_000),
            now: Time::from_secs(0),
        },
        generation: 1,
        shop: None,
        server_keys: vec![ServerKey { id: 1, public: [9; 32] }],
    };
    let text = serde_json::to_string(&response).unwrap();
    expect![[r#"{"account":"018f3c2a5b007abc8def0123456789ab","device":"019a2f00000071118222333344445555","epoch":1,"access":"aE.x","access_until":900000000,"refresh":"aE.y","refresh_until":7776000000000,"now":0,"gen":1,"server_keys":[{"id":1,"public":"0909090909090909090909090909090909090909090909090909090909090909"}]}"#]].assert_eq(&text);
    assert_eq!(serde_json::from_str::<RegisterResponse>(&text).unwrap(), response);
    assert!(!format!("{response:?}").contains("aE."), "tokens never reach a log");
}

proptest! {
    #[test]
    fn any_text_is_a_token_or_refused(text in ".{0,60}") {
        if let Ok((bucket, secret)) = parse_token(&text) {
            prop_assert_eq!(token_text(bucket, &secret), text);
        }
    }
}
