use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd hex");
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

fn fixed<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().expect("length")
}

/// spec/logistics.md 4.8: label of parcel 1 of 2, route 539-31-1, 2026-11-22, COD, 1.52 kg.
fn label() -> (LabelL, Signature, &'static str, &'static str) {
    let label = LabelL {
        key_id: 7,
        waybill: 0x1025_b581_4f42_6f15,
        route: [539, 31, 1],
        day: 2517,
        flags: LabelFlags::COD,
        piece: 1,
        pieces: 2,
        weight_10g: 152,
        order_commitment: fixed("9d7cade9c252e17b"),
        nonce: fixed("0badcafe"),
    };
    (
        label,
        fixed(concat!(
            "8d22a4616fba775348beac26f704aaa2273ac52ecc585d4f392885d9ec4f58c8",
            "f2ff48c5709e519c0bf35a91da36297160bbb28631a8d2727c9d599872e03d05"
        )),
        "41071025b5814f426f15021b001f000109d50001010200989d7cade9c252e17b0badcafe",
        "SK1:.98%12P.M+0A.1E:B0V00100.A1100X50H30-+JG:LLPOXMSJL1 TP+$H6ZKR5E$3F$89FYLBAVWPL7/4X-OM$P$ZB7A7K-GF*T3ABHWU:89UAECEA:M1AKBHQRYA5DACRPMMC69RQ-XFVEBNNE6W7",
    )
}

/// spec/logistics.md 4.8: accepted 2026-11-22 02:00:00 UTC, 60 s, lock and COD, counter 17, bound to the label.
fn handover() -> (HandoverH, Signature, &'static str, &'static str) {
    let handover = HandoverH {
        algorithm: Algorithm::Es256,
        verdict: Verdict::Accept,
        key_id: fixed("d053005d"),
        waybill: 0x1025_b581_4f42_6f15,
        time_s: 1_795_312_800,
        validity: VALIDITY_STEPS_DEFAULT,
        flags: HandoverFlags::USER_CHECKED | HandoverFlags::COD_AGREED,
        counter: 17,
        bound_h8: fixed("9bbbe7d716e5a475"),
    };
    (
        handover,
        fixed(concat!(
            "b272c6bf7a2268de084da357e539b861ea8d5038ff5772e7d6f978ddd602e27a",
            "457ca6d8ab134bc359da9d4b108609237d8f0ef21c1cdd6ef65f2d9558f69e41"
        )),
        "5201d053005d1025b5814f426f156b024ca0040c000000119bbbe7d716e5a475",
        "SK1:NGA6FQ320%12P.M+0A.1EYND-U91N0000H00.UJ-DTB+2QZK7PMT5P JFQBDA21ATK1:S-DNFTTG6ARCWUNE/7RQCFL2RISSDZ874LASL0Q97GB$*J042:61D*F1+1-O3V:RQ6VEY54BBD0K",
    )
}

fn cert() -> CertK {
    CertK {
        key_id: 1,
        party: [7; 8],
        not_after_s: 1_795_400_000,
        role: CertRole::Courier,
        hours: 10,
        public_key: PublicKey::P256([9; 64]),
    }
}

fn ack() -> AckA {
    AckA {
        algorithm: Algorithm::Es256,
        verdict: AckVerdict::Delivered,
        courier_party: [7; 8],
        waybill: 0x1025_b581_4f42_6f15,
        handover_h8: fixed("c256072ca54e0251"),
        time_s: 1_795_312_830,
        device_seq: 4711,
        certificate: None,
    }
}

fn custody() -> CustodyC {
    CustodyC {
        algorithm: Algorithm::Es256,
        kind: EventKind::Delivered,
        flags: CustodyFlags::COD_TAKEN,
        waybill: 0x1025_b581_4f42_6f15,
        index: 4,
        reason: None,
        evidence: EvidenceType::HandoverBound,
        giver_party: [1; 8],
        taker_party: [2; 8],
        signer_key_id: [3; 8],
        device_epoch: 1,
        attempt: 1,
        device_seq: 4711,
        wall_time_us: 1_795_312_830_000_000,
        boot_ms: 86_400_000,
        boot_id: 0xdead_beef,
        latitude_e7: 0,
        longitude_e7: 0,
        accuracy_m: 0,
        fix_age_s: 0,
        server_time_us: 1_795_312_829_500_000,
        node: [0; 8],
        evidence_hash: [5; 32],
        prev: [6; 32],
    }
    .with_fix(Some(Fix {
        latitude_e7: 375_665_000,
        longitude_e7: 1_269_780_000,
        accuracy_m: Some(12),
        age_s: 3,
    }))
}

fn receipt() -> ReceiptR {
    ReceiptR {
        key_id: 1,
        device_key_id: [3; 8],
        device_epoch: 1,
        contiguous_seq: 4711,
        server_time_us: 1_795_312_840_000_000,
        rolling_hash: [8; 32],
    }
}

fn header() -> ManifestHeader {
    ManifestHeader {
        key_id: 1,
        version: 3,
        shift_id: 42,
        courier_party: [7; 8],
        valid_from_s: 1_795_300_000,
        valid_to_s: 1_795_386_400,
        flags: 0,
        stop_list_h8: [4; 8],
    }
}

fn parcel(waybill: u64) -> ManifestParcel {
    let buyer_key = match waybill % 3 {
        0 => None,
        1 => Some(PublicKey::Ed25519([11; 32])),
        _ => Some(PublicKey::P256([12; 64])),
    };
    ManifestParcel {
        waybill,
        label_h8: [1; 8],
        buyer_key,
        policy: 5,
        stop: 6,
        next_index: 2,
        handover_counter: 17,
        chain_tip: [9; 32],
    }
}

fn void(number: u32) -> [u8; 8] {
    u64::from(number).to_be_bytes()
}

fn manifest(parcels: u64, voids: u32) -> Result<ManifestM, ProofError> {
    ManifestM::new(header(), (1..=parcels).rev().map(parcel).collect(), (0..voids).map(void).collect())
}

/// One whole message of every kind.
fn messages() -> Vec<(MessageType, Vec<u8>)> {
    let signature = [0x5a; 64];
    let certificate = Some(SignedCert { cert: cert(), signature: [0xc3; 64] });
    vec![
        (MessageType::Label, label().0.encode(&signature)),
        (MessageType::Handover, handover().0.encode(&signature)),
        (MessageType::Ack, ack().encode(&signature)),
        (MessageType::AckWithCert, AckA { certificate, ..ack() }.encode(&signature)),
        (MessageType::Custody, custody().encode(&signature)),
        (MessageType::Cert, cert().encode(&signature)),
        (MessageType::Receipt, receipt().encode(&signature)),
        (MessageType::Manifest, manifest(3, 2).expect("small").encode(&signature)),
    ]
}

/// Decodes as `kind` and writes again: body, signature and the whole message.
fn again(kind: MessageType, message: &[u8]) -> Result<(Vec<u8>, Signature, Vec<u8>), ProofError> {
    Ok(match kind {
        MessageType::Label => LabelL::decode(message).map(|(m, s)| (m.body(), s, m.encode(&s)))?,
        MessageType::Handover => HandoverH::decode(message).map(|(m, s)| (m.body(), s, m.encode(&s)))?,
        MessageType::Ack | MessageType::AckWithCert => {
            AckA::decode(message).map(|(m, s)| (m.body(), s, m.encode(&s)))?
        }
        MessageType::Custody => CustodyC::decode(message).map(|(m, s)| (m.body(), s, m.encode(&s)))?,
        MessageType::Manifest => ManifestM::decode(message).map(|(m, s)| (m.body(), s, m.encode(&s)))?,
        MessageType::Cert => CertK::decode(message).map(|(m, s)| (m.body(), s, m.encode(&s)))?,
        MessageType::Receipt => ReceiptR::decode(message).map(|(m, s)| (m.body(), s, m.encode(&s)))?,
    })
}

#[test]
fn label_vector() {
    let (label, signature, body, label_text) = label();
    assert_eq!(label.body(), hex(body));
    let message = label.encode(&signature);
    assert_eq!((message.len(), text(&message).len()), (100, 154));
    assert_eq!(text(&message), label_text);
    assert_eq!(from_text(label_text), Ok(message.clone()));
    assert_eq!(LabelL::decode(&message), Ok((label, signature)));
}

#[test]
fn handover_vector() {
    let (handover, signature, body, handover_text) = handover();
    assert_eq!(handover.body(), hex(body));
    assert_eq!(handover.validity_s(), 60);
    let message = handover.encode(&signature);
    assert_eq!((message.len(), text(&message).len()), (96, 148));
    assert_eq!(text(&message), handover_text);
    assert_eq!(from_text(handover_text), Ok(message.clone()));
    assert_eq!(HandoverH::decode(&message), Ok((handover, signature)));
}

#[test]
fn sizes_and_heads() {
    let sizes: Vec<_> =
        messages().iter().map(|(_, m)| (m[0], m.len(), text(m).len(), MessageType::of(m).ok())).collect();
    let kind = Some;
    assert_eq!(
        sizes,
        [
            (0x41, 100, 154, kind(MessageType::Label)),
            (0x52, 96, 148, kind(MessageType::Handover)),
            (0x53, 98, 151, kind(MessageType::Ack)),
            (0x57, 241, 366, kind(MessageType::AckWithCert)),
            (0x54, 224, 340, kind(MessageType::Custody)),
            (0x46, 143, 219, kind(MessageType::Cert)),
            (0x48, 120, 184, kind(MessageType::Receipt)),
            (0x45, 48 + 3 * 124 + 2 * 8 + 64, 754, kind(MessageType::Manifest)),
        ]
    );
}

#[test]
fn every_message_round_trips() {
    for (kind, message) in messages() {
        let (body, signature, whole) = again(kind, &message).expect("decodes");
        assert_eq!(whole, message);
        assert!(message.starts_with(&body) && !body.is_empty());
        assert_eq!(signature, [0x5a; 64]);
    }
}

/// spec/logistics.md 4.5, rows 1-4: the first failure in this order is the answer.
#[test]
fn frame_errors_in_order() {
    assert_eq!(from_text("sk1:AB").map_err(|e| e.code()), Err("proof.prefix"));
    assert_eq!(from_text("").map_err(|e| e.code()), Err("proof.prefix"));
    assert_eq!(from_text("SK1:GGW").map_err(|e| (e.code(), e.at())), Err(("proof.base45", 4)));
    assert_eq!(from_text("SK1:BB8 ").map_err(|e| (e.code(), e.at())), Err(("proof.base45", 7)));
    let full = format!("SK1:{}", "0".repeat(TEXT_LEN_MAX - 4 - 1)); // 4,291 characters: 1430 triples and one left
    assert_eq!(from_text(&full).map_err(|e| e.at()), Err(4 + 4_290));
    assert_eq!(from_text(&format!("{full}00")).map_err(|e| e.at()), Err(TEXT_LEN_MAX));
    for (kind, message) in messages() {
        let mut short = message.clone();
        short.pop();
        short[0] = 0; // wrong in everything: length is named first
        let length = again(kind, &short).expect_err("short").code();
        let expected = match kind {
            MessageType::Custody => "custody.length",
            MessageType::Manifest => "proof.version", // its length is known only after its counts
            _ => "proof.length",
        };
        assert_eq!(length, expected, "{kind:?}");
        let with_head = |head: u8| {
            let mut message = message.clone();
            message[0] = head;
            again(kind, &message).map_err(|e| e.code()).err()
        };
        assert_eq!(with_head(0x80 | 0x30 | 15), Some("proof.version"), "{kind:?}");
        assert_eq!(with_head(0x40 | 0x30 | 15), Some("proof.type"), "{kind:?}");
        assert_eq!(with_head(0x40 | 0x20 | kind.number()), Some("proof.alg"), "{kind:?}");
    }
}

/// Fields with a fixed range: the last good and the first bad value.
#[test]
fn field_edges() {
    let check = |kind: MessageType, at: usize, value: u8| {
        let (_, mut message) = messages().into_iter().find(|(k, _)| *k == kind).expect("kind");
        message[at] = value;
        again(kind, &message).map(|_| ()).map_err(|e| (e.code(), e.at()))
    };
    for (kind, at, good, bad) in [
        (MessageType::Label, 20, 2, 3), // piece of 2
        (MessageType::Label, 20, 1, 0),
        (MessageType::Handover, 1, 4, 5),
        (MessageType::Handover, 18, 20, 21),
        (MessageType::Handover, 18, 1, 0),
        (MessageType::Ack, 1, 4, 5),
        (MessageType::Cert, 14, 24, 25),
        (MessageType::Cert, 14, 1, 0),
        (MessageType::Cert, 14, 4 << 5 | 1, 5 << 5 | 1),
        (MessageType::AckWithCert, 98 + 14, 24, 25),
        (MessageType::Custody, 1, 27, 28),
        (MessageType::Custody, 14, 51, 52),
        (MessageType::Custody, 14, 35, 36),
        (MessageType::Custody, 15, 11, 12),
    ] {
        assert_eq!(check(kind, at, good), Ok(()), "{kind:?} {at} {good}");
        assert_eq!(check(kind, at, bad), Err(("proof.field", at)), "{kind:?} {at} {bad}");
    }
    let delegate = HandoverH { verdict: Verdict::Delegate, validity: DELEGATE_HOURS_MAX, ..handover().0 };
    assert_eq!(delegate.validity_s(), 72 * 3_600);
    assert!(HandoverH::decode(&delegate.encode(&[0; 64])).is_ok());
    let longer = HandoverH { validity: DELEGATE_HOURS_MAX + 1, ..delegate };
    assert!(HandoverH::decode(&longer.encode(&[0; 64])).is_err());
}

#[test]
fn flags_and_levels() {
    let flags = LabelFlags::COD.with_minimum_level(MinimumLevel::E3) | LabelFlags::TEST;
    assert_eq!(flags.0, 0b10_0000_1001);
    assert_eq!(flags.minimum_level(), MinimumLevel::E3);
    assert_eq!(flags.with_minimum_level(MinimumLevel::Any).minimum_level(), MinimumLevel::Any);
    assert!(flags.has(LabelFlags::COD) && !flags.without(LabelFlags::COD).has(LabelFlags::COD));
    assert_eq!((EventKind::ALL.len(), EvidenceType::ALL.len(), Reason::ALL.len()), (27, 12, 35 + 12));
}

#[test]
fn place_of_a_custody_event() {
    let fix = custody().fix().expect("a fix");
    assert_eq!((fix.accuracy_m, fix.age_s), (Some(12), 3));
    let nowhere = custody().with_fix(None);
    assert_eq!((nowhere.fix(), nowhere.accuracy_m), (None, u16::MAX));
    assert_eq!(nowhere.body()[68..72], [0x80, 0, 0, 0]);
}

#[test]
fn manifest_limits() {
    let full = manifest(200, 600).expect("fits");
    assert_eq!(full.encode(&[0; 64]).len(), 29_712);
    let (most, over) = (MANIFEST_PARCELS_MAX as u64, MANIFEST_VOIDS_MAX as u32 + 1);
    let largest = manifest(most, over - 1).expect("fits").encode(&[1; 64]);
    assert!(ManifestM::decode(&largest).is_ok());
    assert_eq!(manifest(most + 1, 0).map_err(|e| e.code()), Err("manifest.too_large"));
    assert_eq!(manifest(0, over).map_err(|e| e.code()), Err("manifest.too_large"));
    let mut counts = largest;
    counts[28..30].copy_from_slice(&251u16.to_be_bytes());
    assert_eq!(ManifestM::decode(&counts).map_err(|e| e.code()), Err("manifest.too_large"));
    counts[28..30].copy_from_slice(&249u16.to_be_bytes());
    assert_eq!(ManifestM::decode(&counts).map_err(|e| e.code()), Err("proof.length"));
}

#[test]
fn manifest_is_sorted_and_searched() {
    let manifest =
        ManifestM::new(header(), vec![parcel(9), parcel(3)], vec![void(2), void(1), void(2)]).expect("small");
    assert_eq!(manifest.parcels().iter().map(|p| p.waybill).collect::<Vec<_>>(), [3, 9]);
    assert_eq!(manifest.voids(), [void(1), void(2)]);
    assert_eq!(manifest.parcel(9).map(|p| p.waybill), Some(9));
    assert_eq!(manifest.parcel(4), None);
    assert!(manifest.is_void(&void(1)) && !manifest.is_void(&void(3)));
    let twice = ManifestM::new(header(), vec![parcel(9), parcel(9)], vec![]);
    assert_eq!(twice.map_err(|e| (e.code(), e.at())), Err(("proof.field", 48 + 124)));
    let mut unsorted = manifest.encode(&[0; 64]);
    unsorted[48..56].copy_from_slice(&10u64.to_be_bytes());
    assert_eq!(ManifestM::decode(&unsorted).map_err(|e| e.code()), Err("proof.field"));
}

#[test]
fn public_keys() {
    let point = [&[4u8][..], &[9; 64]].concat();
    assert_eq!(PublicKey::from_travel_bytes(&point), Some(PublicKey::P256([9; 64])));
    assert_eq!(PublicKey::P256([9; 64]).travel_bytes(), point);
    assert_eq!(PublicKey::Ed25519([9; 32]).travel_bytes(), [9; 32]);
    assert_eq!(PublicKey::from_travel_bytes(&[9; 33]), None);
    assert_eq!(PublicKey::from_travel_bytes(&[&[3u8][..], &[9; 64]].concat()), None);
    assert_eq!(PublicKey::from_travel_bytes(&[]), None);
    let ed25519 = CertK { public_key: PublicKey::Ed25519([9; 32]), ..cert() };
    assert_eq!(CertK::decode(&ed25519.encode(&[0; 64])).map(|(cert, _)| cert), Ok(ed25519));
}

/// spec/logistics.md 4.10, row 1: no flipped bit goes unseen by whoever checks the signature.
#[test]
fn every_single_bit_flip_is_refused_or_changes_what_is_signed() {
    for (kind, message) in messages() {
        let signed = again(kind, &message).expect("decodes");
        for bit in 0..message.len() * 8 {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok((body, signature, whole)) = again(kind, &flipped) {
                assert_eq!(whole, flipped, "{kind:?} bit {bit}: what was read is what came");
                let behind = kind == MessageType::AckWithCert && bit / 8 >= AckA::LEN;
                assert!(behind || body != signed.0 || signature != signed.1, "{kind:?} bit {bit}");
            }
        }
    }
}

const KINDS: [MessageType; 8] = [
    MessageType::Label,
    MessageType::Handover,
    MessageType::Ack,
    MessageType::Custody,
    MessageType::Manifest,
    MessageType::Cert,
    MessageType::AckWithCert,
    MessageType::Receipt,
];

proptest! {
    /// Any bytes: no panic, and whatever is read is written again byte for byte.
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for kind in KINDS {
            if let Ok((_, _, whole)) = again(kind, &bytes) {
                prop_assert_eq!(&whole, &bytes);
            }
        }
    }

    /// Good frames with any content.
    #[test]
    fn what_is_read_is_written_again(which in 0usize..8, noise in proptest::collection::vec(any::<u8>(), 600)) {
        let (kind, mut message) = messages().swap_remove(which);
        let length = message.len();
        message[1..].copy_from_slice(&noise[..length - 1]);
        if let Ok((_, _, whole)) = again(kind, &message) {
            prop_assert_eq!(whole, message);
        }
    }

    #[test]
    fn labels_round_trip(
        numbers in any::<(u8, u64, [u16; 3], u16, u16, u16)>(), piece in 1u8..=255, more in any::<u8>(),
        order_commitment in any::<[u8; 8]>(), nonce in any::<[u8; 4]>(), signature in any::<[u8; 32]>(),
    ) {
        let (key_id, waybill, route, day, flags, weight_10g) = numbers;
        let flags = LabelFlags(flags);
        let pieces = piece.saturating_add(more);
        let label =
            LabelL { key_id, waybill, route, day, flags, piece, pieces, weight_10g, order_commitment, nonce };
        let mut whole = [0; 64];
        whole[..32].copy_from_slice(&signature);
        let read = from_text(&text(&label.encode(&whole))).and_then(|bytes| LabelL::decode(&bytes));
        prop_assert_eq!(read, Ok((label, whole)));
    }

    #[test]
    fn handovers_round_trip(
        numbers in any::<([u8; 4], u64, u32, u8, u32, [u8; 8])>(), validity in 1u8..=20, verdict in 1u8..=4,
        hardware in any::<bool>(),
    ) {
        let (key_id, waybill, time_s, flags, counter, bound_h8) = numbers;
        let algorithm = if hardware { Algorithm::Es256 } else { Algorithm::Ed25519 };
        let verdict = Verdict::from_number(verdict).expect("1 to 4");
        let flags = HandoverFlags(flags);
        let handover =
            HandoverH { algorithm, verdict, key_id, waybill, time_s, validity, flags, counter, bound_h8 };
        prop_assert_eq!(HandoverH::decode(&handover.encode(&[7; 64])), Ok((handover, [7; 64])));
    }

    #[test]
    fn manifests_round_trip(waybills in proptest::collection::btree_set(any::<u64>(), 0..20), voids in 0u32..20) {
        let parcels = waybills.into_iter().map(parcel).collect();
        let manifest = ManifestM::new(header(), parcels, (0..voids).map(void).collect()).expect("small");
        prop_assert_eq!(ManifestM::decode(&manifest.encode(&[7; 64])), Ok((manifest, [7; 64])));
    }
}
