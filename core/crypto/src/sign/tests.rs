//! The published vectors, and those of the specs that are signed with them.

use proptest::prelude::*;

use super::*;
use crate::hash::digest;
use crate::vectors::{array, bytes, hex};

/// Private key of RFC 8032, 7.1, test 2 (the device key of the specs' examples).
const RFC_8032_TEST_2: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
/// Key pair of RFC 6979, A.2.5.
const RFC_6979_SECRET: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const RFC_6979_PUBLIC: &str = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
/// Public key of the buyer's phone in spec/logistics.md 4.8.
const BUYER_PUBLIC: &str = "04212e05756a397ae5485a420810eaba8305378368e6fa6bbb202784e6fe45f7a1c35a3c81f246b2d93c85bd1e1ee4ccee0d1d894d5e1f201249a04fc88231ab30";
/// `bind` of spec/money.md 3.1 with its test values: payee, order, nonce.
const BIND: &str = "018f3c2a5b007abc8def0123456789ab018f3c2a5b017abc8def0123456789aca1b2c3d4e5f6";

fn platform_key() -> Ed25519Key {
    Ed25519Key::from_seed(std::array::from_fn(|i| i as u8))
}

fn device_key() -> Ed25519Key {
    Ed25519Key::from_seed(array(RFC_8032_TEST_2))
}

fn p256_key() -> P256Key {
    P256Key::from_parts(&array(RFC_6979_SECRET), &array(RFC_6979_PUBLIC)).unwrap()
}

fn es256(public: &str) -> PublicKey {
    PublicKey::from_bytes(Alg::Es256, &bytes(public)).unwrap()
}

/// D, and the Ed25519 signature over it.
fn check_ed25519(key: &Ed25519Key, d: &[u8; 32], expect_d: &str, expect_signature: &str) {
    if !expect_d.is_empty() {
        assert_eq!(hex(d), expect_d);
    }
    let signature = key.sign_deterministic(d);
    assert_eq!(hex(&signature), expect_signature);
    assert_eq!(key.public_key().verify(d, &signature), Ok(()));
}

#[test]
fn public_keys() {
    let platform = platform_key().public_key();
    assert_eq!(hex(platform.bytes()), "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    let device = device_key().public_key();
    assert_eq!(hex(device.bytes()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_eq!(hex(&device.key_id()), "39f713d0a644253f");
    assert_eq!(hex(&p256_key().public_key().key_id()), "b18b86ce1389e46d");
    assert_eq!(es256(RFC_6979_PUBLIC), p256_key().public_key());
    assert_eq!(hex(&es256(BUYER_PUBLIC).key_id())[..8], *"d053005d");
    assert_eq!(device.key_id32()[..8], device.key_id());
    assert_eq!(format!("{device:?}"), "PublicKey(Ed25519, 39f713d0a644253f)");
}

/// spec/sync.md 3.3: the signed intent.
#[test]
fn intent_vector() {
    let text = r#"{"account":"018f3c2a5b007abc8def0123456789ab","body":{"lines":[{"offer":"000000000000000001a1000000000042","q":2,"seen":12900}],"note":"문 앞에","policy":"all_or_nothing"},"dev_seq":31,"device":"019a2f00000071118222333344445555","epoch":2,"id":"01a20320a20076858b22334455667788","kind":"PlaceOrder","made_at":1795348800123456,"made_err_ms":80,"max_total":{"currency":"KRW","minor":25800},"not_after":1795435200000000,"v":1}"#;
    assert_eq!(text.len(), 426);
    let hash = digest("souk/body/v1/", &[text.as_bytes()]);
    assert_eq!(hex(&hash), "fdc531ee5bbfd96f71fc378c000a19350b63f2042a54f6c10ac96a3e9f19dba5");
    let id = bytes("01a20320a20076858b22334455667788");
    let d = digest("souk/intent/v1/", &[&id, &hash, &31u64.to_be_bytes(), &2u32.to_be_bytes()]);
    check_ed25519(
        &device_key(),
        &d,
        "b775f302512cc76095d0e2234661ec43cf2824f3365235e96ad530d6e4d3ec20",
        "41e13d65ee7077e66bc6ab9a3b416331294f48b65c29c31d992fc4c0279a6ee1d5ae49e67aca3c689a0d92de585368c175c2a73447f8a58a730033a4466ff40d",
    );
}

/// spec/sync.md 12.2: the proof on a request.
#[test]
fn request_proof_vector() {
    let token: [u8; 32] = std::array::from_fn(|i| i as u8);
    let lines = format!(
        "POST\n/v1/sync/push\n{}\n1795348800\n000102030405060708090a0b0c0d0e0f\n{}",
        hex(&hash::sha256(b"{}")),
        hex(&hash::sha256(&token)),
    );
    check_ed25519(
        &device_key(),
        &digest("souk/proof/v1/", &[lines.as_bytes()]),
        "6ccf3e41c133e6689c66ef4826a3380469d2fb7569fa6a8601214a4d30af1a49",
        "eac4211341b915b3f4c4e4360feee98a0118ff06a72102d8f04b7c71fa7aff8c6ef02f2a103f14bbfe07c6b829d626ebd99c54c3172656bcf10b02f47a631105",
    );
}

/// spec/logistics.md 4.8: label and hand-over.
#[test]
fn label_and_handover_vectors() {
    let label = bytes("41071025b5814f426f15021b001f000109d50001010200989d7cade9c252e17b0badcafe");
    let d = digest("souk/pod/v1/", &[b"L", &label]);
    let signature = "8d22a4616fba775348beac26f704aaa2273ac52ecc585d4f392885d9ec4f58c8f2ff48c5709e519c0bf35a91da36297160bbb28631a8d2727c9d599872e03d05";
    check_ed25519(
        &platform_key(),
        &d,
        "bc9ba4e19a7782808be271683c0973a750553e12cf96728402dbc3d05aa256a2",
        signature,
    );
    assert_eq!(hex(&hash::h8(&[label, bytes(signature)].concat())), "9bbbe7d716e5a475");

    let handover = bytes("5201d053005d1025b5814f426f156b024ca0040c000000119bbbe7d716e5a475");
    let d = digest("souk/pod/v1/", &[b"H", &handover]);
    assert_eq!(hex(&d), "8ec41de6f4550ed9ac8065d83c95d773f45f3f630f1a94a15d133819f87abdbc");
    let signature = "b272c6bf7a2268de084da357e539b861ea8d5038ff5772e7d6f978ddd602e27a457ca6d8ab134bc359da9d4b108609237d8f0ef21c1cdd6ef65f2d9558f69e41";
    assert_eq!(es256(BUYER_PUBLIC).verify(&d, &array(signature)), Ok(()));
    assert_eq!(hex(&hash::h8(&[handover, bytes(signature)].concat())), "c256072ca54e0251");
}

/// spec/money.md 3.2: answer P with both algorithms, receipt Q, voucher V.
#[test]
fn payment_vectors() {
    let bind = bytes(BIND);
    let body = bytes("5900b18b86ce1389e46d00000007000000000000094403d201c894b3311ddecb7f540bde701b20c0");
    let d = digest("souk/pay/v1/", &[b"P", &body, &bind]);
    assert_eq!(hex(&d), "cde14de70fab3b81c883f632b69597536f57baf7ed551ab57186ebff15824a95");
    let signature = "c8a3aa7e48fdc51aaeb76629b40a2214f50aae254522860cbfdf0b45c0176cfc5eea257ab1c8f8e4b8c21380b502740e224d62c750ad7553a280fb1eb6b80b6c";
    assert_eq!(es256(RFC_6979_PUBLIC).verify(&d, &array(signature)), Ok(()));

    let body = bytes("490039f713d0a644253f00000007000000000000094403d201c894b3311ddecb7f540bde701b20c0");
    check_ed25519(
        &device_key(),
        &digest("souk/pay/v1/", &[b"P", &body, &bind]),
        "",
        "c8e3f12107c62a81c897891d646aebe4701434e0d26a6853350bb0179257c5d8bff04d39fe53629288014f01e35ca21287e7c6ebcc18f70ece448aab7758c70c",
    );

    let body = bytes("4a010100000000000000094403d26b02d940000f311ddecb7f540bde701b20c0073bd24c");
    check_ed25519(
        &platform_key(),
        &digest("souk/pay/v1/", &[b"Q", &body, &bind]),
        "",
        "5ca347340f6411872556c62a389c913d833109d0752b831ef239d0e5ae1b7a1f8cc4f4cedbc324073d0ea28c31623e23119e015c8e56100e03054e36e57e0f08",
    );

    let voucher = bytes("4b01010303d2000027100000138801c89a50000000070200");
    let body = [voucher, es256(RFC_6979_PUBLIC).to_64().to_vec()].concat();
    assert_eq!(body.len(), 88);
    check_ed25519(
        &platform_key(),
        &digest("souk/pay/v1/", &[b"V", &body]),
        "1362fe1005779fd9719ea61a8c05feef936458adb0554aba1804669c1273f95d",
        "8e27040b4c68a9921106ed26454f1ccf0e8d4ddca0e8e4b8d26bb809b519915958dce8f5faea97bbeef63adf08eef9358eae9665890cc7fc0fa8f96f3c3f830c",
    );
}

/// We make low s alone; high s verifies too, and DER of both becomes the same bytes.
#[test]
fn both_forms_of_s() {
    let d = digest("souk/test/v1/", &[b"s"]);
    let key = p256_key();
    for _ in 0..32 {
        let low = key.sign(&d).unwrap();
        assert!(low[32] <= 0x7f, "s is at most n / 2");
        assert_eq!(es256::low_s(low), low);
        let high = mirrored(low);
        assert_ne!(high, low);
        assert_eq!(es256::low_s(high), low);
        for signature in [low, high] {
            assert_eq!(key.public_key().verify(&d, &signature), Ok(()));
            assert_eq!(signature_from_der(&der(&signature)), Ok(low));
        }
        assert_eq!(sign_checked(&key, &d).map(|s| s.len()), Ok(64));
    }
}

/// n - s by the borrow of school, independent of `low_s`.
fn mirrored(signature: [u8; 64]) -> [u8; 64] {
    let n: [u8; 32] = array("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let mut out = signature;
    let mut take = 0u16;
    for i in (0..32).rev() {
        let need = u16::from(signature[32 + i]) + take;
        take = u16::from(u16::from(n[i]) < need);
        out[32 + i] = (256 * take + u16::from(n[i]) - need) as u8;
    }
    out
}

/// DER of r||s.
fn der(signature: &[u8; 64]) -> Vec<u8> {
    let mut body = Vec::new();
    for half in signature.chunks(32) {
        let digits: Vec<u8> = half.iter().copied().skip_while(|b| *b == 0).collect();
        let pad = digits[0] >= 0x80;
        body.extend([2, digits.len() as u8 + u8::from(pad)]);
        body.extend(pad.then_some(0));
        body.extend(digits);
    }
    [vec![0x30, body.len() as u8], body].concat()
}

#[test]
fn malformed_der_is_refused() {
    let good = der(&p256_key().sign(&[7; 32]).unwrap());
    assert!(signature_from_der(&good).is_ok());
    for bad in [
        "",
        "30",
        "3000",
        "300602010102",       // s is missing
        "30060201010201",     // cut off
        "3006020101020101ff", // bytes behind
        "3007020101020101ff", // bytes behind, inside
        "300602010102010000", // the same with zeros
        "3006020100020101",   // r = 0
        "30060201ff020101",   // r negative
        "300702020001020101", // r padded
        "30050200020101",     // r empty
        "308106020101020101", // long form of a short length
        "3006030101020101",   // not an integer
        "3106020101020101",   // not a sequence
    ] {
        assert_eq!(signature_from_der(&bytes(bad)), Err(SignError::BadSignature), "{bad}");
    }
    let long = [bytes("3026022101"), vec![1; 32], bytes("020101")].concat(); // r of 33 bytes
    assert_eq!(signature_from_der(&long), Err(SignError::BadSignature));
    let short = signature_from_der(&bytes("3006020101020102")).unwrap();
    assert_eq!((short[31], short[63]), (1, 2));
}

#[test]
fn malformed_keys_are_refused() {
    let good = bytes(RFC_6979_PUBLIC);
    let mut compressed = good[..33].to_vec();
    compressed[0] = 3;
    let mut head = good.clone();
    head[0] = 6;
    let mut padded = [1; 64];
    padded[..32].copy_from_slice(device_key().public_key().bytes());
    assert_eq!(PublicKey::from_bytes(Alg::Es256, &compressed), Err(KeyInvalid::Length));
    assert_eq!(PublicKey::from_bytes(Alg::Es256, &head), Err(KeyInvalid::Form));
    assert_eq!(PublicKey::from_bytes(Alg::Es256, &[]), Err(KeyInvalid::Length));
    assert_eq!(PublicKey::from_bytes(Alg::Ed25519, &good), Err(KeyInvalid::Length));
    assert_eq!(PublicKey::from_64(Alg::Ed25519, &padded), Err(KeyInvalid::Form));
    assert_eq!(PublicKey::from_64(Alg::Ed25519, &[0; 64]), Err(KeyInvalid::Weak));
    assert_eq!(Alg::try_from(2), Err(KeyInvalid::Algorithm));
    assert_eq!([0, 1].map(|b| Alg::try_from(b).map(u8::from)), [Ok(0), Ok(1)]);

    // A point beside the curve is a key that verifies nothing.
    let mut beside = good;
    beside[64] ^= 1;
    let d = [9; 32];
    let signature = p256_key().sign(&d).unwrap();
    let beside = PublicKey::from_bytes(Alg::Es256, &beside).unwrap();
    assert_eq!(beside.verify(&d, &signature), Err(SignatureInvalid));
    let other: [u8; 65] = array(BUYER_PUBLIC);
    assert_eq!(P256Key::from_parts(&array(RFC_6979_SECRET), &other).err(), Some(KeyInvalid::Form));
    assert_eq!(P256Key::from_pkcs8(b"not a key").err(), Some(KeyInvalid::Form));
}

#[test]
fn stored_key_comes_back() {
    let document = P256Key::generate_pkcs8().unwrap();
    let (a, b) = (P256Key::from_pkcs8(&document).unwrap(), P256Key::from_pkcs8(&document).unwrap());
    assert_eq!(a.public_key(), b.public_key());
    assert_eq!(b.public_key().verify(&[1; 32], &a.sign(&[1; 32]).unwrap()), Ok(()));
    assert!(!format!("{a:?} {:?}", platform_key()).contains("pair"));
}

/// A signer whose hardware lies.
struct Broken;
impl Signer for Broken {
    fn public_key(&self) -> PublicKey {
        platform_key().public_key()
    }
    fn sign(&self, d: &[u8; 32]) -> Result<[u8; 64], SignError> {
        Ok(device_key().sign_deterministic(d))
    }
}

#[test]
fn wrong_signature_of_a_signer_is_found() {
    assert_eq!(sign_checked(&Broken, &[1; 32]), Err(SignError::BadSignature));
    for error in [SignError::Cancelled, SignError::LockedOut, SignError::KeyGone, SignError::Unavailable] {
        assert_eq!(error.to_string(), error.code());
    }
}

proptest! {
    /// Any changed bit of message or signature, and any other key, is refused; both key forms come back.
    #[test]
    fn only_the_signed_bytes_verify(seed: [u8; 32], d: [u8; 32], byte in 0usize..96, bit in 0u8..8) {
        let key = Ed25519Key::from_seed(seed);
        let public = key.public_key();
        let signature = key.sign_deterministic(&d);
        prop_assert_eq!(public.verify(&d, &signature), Ok(()));
        let mut both = [&d[..], &signature[..]].concat();
        both[byte] ^= 1 << bit;
        let (d2, signature2): ([u8; 32], [u8; 64]) = (both[..32].try_into().unwrap(), both[32..].try_into().unwrap());
        prop_assert_eq!(public.verify(&d2, &signature2), Err(SignatureInvalid));
        prop_assert_eq!(platform_key().public_key().verify(&d, &signature), Err(SignatureInvalid));
        prop_assert_eq!(PublicKey::from_64(public.alg(), &public.to_64()), Ok(public));
        prop_assert_eq!(PublicKey::from_bytes(public.alg(), public.bytes()), Ok(public));
    }

    /// Outside bytes never panic.
    #[test]
    fn any_der_is_answered(der in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = signature_from_der(&der);
    }
}
