use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// Number, payload, answer of the strict level (spec/money.md 2.6; sources stand in the file).
fn vectors() -> Vec<(usize, &'static str, &'static str)> {
    let rows = include_str!("vectors/mpm.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let columns: Vec<_> = row.split('\t').collect();
        (columns[0].parse().expect("number"), columns[2], columns[3])
    })
    .collect()
}

fn vector(number: usize) -> &'static str {
    vectors()[number - 1].1
}

/// What a level answers, as the spec prints it: `ok`, `ok + warning` or `code at N`.
fn answer(text: &str, level: Level) -> String {
    match parse(text, level) {
        Ok(qr) => {
            let warnings: Vec<_> = qr.warnings.iter().map(|warning| warning.kind.code()).collect();
            if warnings.is_empty() { "ok".to_owned() } else { format!("ok + {}", warnings.join(", ")) }
        }
        Err(CodeError::Missing { path, at }) => format!("qr.missing {path} at {at}"),
        Err(error) => format!("{} at {}", error.code(), error.at()),
    }
}

fn again(text: &str, level: Level) -> Result<String, CodeError> {
    emit(&QrBuild::from_qr(&parse(text, level)?))
}

#[test]
fn all_vectors_are_read_and_written_again() {
    assert_eq!(vectors().len(), 19);
    for (number, payload, _) in vectors() {
        assert_eq!(again(payload, Level::Lossless).as_deref(), Ok(payload), "vector {number}");
    }
}

#[test]
fn strict_answers_of_the_vectors() {
    for (number, payload, strict) in vectors() {
        let strict = strict.trim_end_matches(" (62.09)");
        assert_eq!(answer(payload, Level::EmvStrict), strict, "vector {number}");
    }
    let error = parse(vector(2), Level::EmvStrict).expect_err("62.09");
    assert_eq!(error.to_string(), "the value of object 62.09 breaks its format");
}

fn check_fields(number: usize, expected: Expect) {
    let qr = parse(vector(number), Level::Lossless).expect("reads");
    let fields: Vec<_> = qr.fields().into_iter().map(|(path, value)| format!("{path}={value}")).collect();
    expected.assert_eq(&fields.join("\n"));
}

#[test]
fn fields_of_the_standard_s_example() {
    check_fields(
        1,
        expect![[r#"
            00=01
            01=12
            29.00=D15600000000
            29.05=A93FO3230Q
            31.00=D15600000001
            31.03=12345678
            52=4111
            58=CN
            59=BEST TRANSPORT
            60=BEIJING
            64.00=ZH
            64.01=最佳运输
            64.02=北京
            54=23.72
            53=156
            55=01
            62.03=1234
            62.06=***
            62.07=A6008667
            62.09=ME
            91.00=A011223344998877
            91.07=12345678
            63=A13A"#]],
    );
}

#[test]
fn fields_of_odd_codes() {
    check_fields(
        2,
        expect![[r#"
            00=01
            01=11
            02=0004sook0104card
            52=5411
            53=156
            54=23.72
            55=01
            56=500
            57=5
            58=CN
            59=MORNING MARKET
            60=HANGZHOU
            61=310000
            62.01=12345
            62.02=67890
            62.05=abcde
            62.09=tuvxy
            62.50.00=1
            62.50.01=i
            64.00=ZH
            64.01=晨光市集
            64.02=杭州
            65=00
            80.00=A0112233449988770
            80.07=12345678
            63=A836"#]],
    );
    check_fields(
        17,
        expect![[r#"
            00=01
            01=12
            38.00=A000000727
            38.01.00=970416
            38.01.01=257678859
            38.02=QRIBFTTA
            53=704
            54=1000
            58=VN
            62.08=Chuyen tien
            63=BBB8"#]],
    );
}

#[test]
fn view_of_the_standard_s_example() {
    let qr = parse(vector(1), Level::EmvStrict).expect("reads");
    let mpm = Mpm::new(&qr);
    assert_eq!(mpm.initiation(), Some(Initiation::Dynamic));
    assert_eq!((mpm.mcc(), mpm.currency(), mpm.amount()), (Some("4111"), Some(156), Some("23.72")));
    assert_eq!((mpm.tip(), mpm.country()), (Some(Tip::Ask), Some("CN")));
    assert_eq!(
        (mpm.merchant_name(), mpm.city(), mpm.postcode()),
        (Some("BEST TRANSPORT"), Some("BEIJING"), None)
    );
    assert_eq!((mpm.extra(6), mpm.extra(9), mpm.extra(1)), (Some("***"), Some("ME"), None));
    let language = mpm.language().expect("64");
    assert_eq!((language.language, language.name, language.city), ("ZH", "最佳运输", Some("北京")));
    let payees: Vec<_> = mpm.payees().map(|payee| (payee.id.0, payee.guid)).collect();
    assert_eq!(payees, [(29, Some("D15600000000")), (31, Some("D15600000001"))]);
    let odd = parse(vector(2), Level::Lossless).expect("reads");
    let payees: Vec<_> = Mpm::new(&odd).payees().map(|payee| (payee.id.0, payee.guid, payee.value)).collect();
    assert_eq!(payees, [(2, None, "0004sook0104card")], "02 is no template though it looks like one");
    assert_eq!(
        parse(vector(10), Level::Lossless).map(|qr| (qr.text.chars().count(), qr.text.len())),
        Ok((134, 135))
    );
}

/// spec/money.md 2.7 without the CPM and PIX rows.
#[test]
fn malformed() {
    let (l, s) = (Level::Lossless, Level::EmvStrict);
    let m1 = vector(12).strip_suffix('E').map(|text| format!("{text}0")).expect("ends in E");
    let m2 = vector(8).strip_suffix("780E").map(|text| format!("{text}FFFF")).expect("ends in 780E");
    let m11b = format!("{}6503ABC", vector(12));
    for (text, level, expected) in [
        (m1.as_str(), l, "qr.crc_mismatch at 144"),
        (&m2, l, "qr.crc_mismatch at 102"),
        (
            "00020126240015org.example.pay0101152045411530398653039785802BR5901A6001B6304B3AB",
            l,
            "qr.duplicate_id at 49",
        ),
        ("00020126240015org.example.pay0101152045411AA039865802BR5901A6001B6304F0DE", l, "qr.bad_id at 42"),
        (
            "00020126580014br.gov.bcb.pix0136123e4567-e12b-12d1-a456-4266554400005204000053039865802BR5926ABCDEFGHIJKLMNOPQRSTUVWXYZ6006RECIFE62070503***63049091",
            s,
            "qr.format at 89",
        ),
        (
            "00020101021226240015org.example.pay010115204541153031705403100.535802CO5901A6001B63049D2F",
            l,
            "qr.bad_id at 62",
        ),
        (
            "0002015502010102125802CO5909PANADERIA49250103RBM0014CO.COM.EXA.RED903001061017760016CO.COM.EXA.TRXID5204000053031706304BDA9",
            l,
            "qr.crc_mismatch at 115",
        ),
        ("0002015200530398663049AB4", l, "qr.bad_length at 8"),
        (&m11b, l, "qr.crc_not_last at 144"),
        ("00020126240015org.example.pay0101152045411530398655020", l, "qr.truncated at 49"),
        (
            "00020126240015org.example.pay010115204541153039865502025802BR5901A6001B63043829",
            s,
            "qr.conflict at 49",
        ),
        (
            "00020126240015org.example.pay01011520454115303986540105802BR5901A6001B6304C88A",
            s,
            "qr.format at 49",
        ),
        ("00020", l, "qr.truncated at 0"),
        ("00020126990003abc", l, "qr.truncated at 6"),
        ("", l, "qr.empty at 0"),
        ("5204541100020163040000", l, "qr.bad_first at 0"),
        ("00020152045411", l, "qr.crc_missing at 14"),
        ("0002016304XYZ!", l, "qr.crc_format at 6"),
        ("0002016305ABCDE", l, "qr.crc_format at 6"),
        ("0", l, "qr.truncated at 0"),
        ("000201x", l, "qr.bad_id at 6"),
        ("0002016", l, "qr.truncated at 6"),
        ("000201éé", l, "qr.bad_id at 6"),
    ] {
        assert_eq!(answer(text, level), expected, "{text}");
    }
    let lone_surrogate = parse_bytes(&[0xed, 0xa0, 0xbd], l).map_err(|error| (error.code(), error.at()));
    assert_eq!(lone_surrogate.err(), Some(("qr.bad_text", 0)));
}

/// M5: a good code of 513 characters, and one of 512.
#[test]
fn length_limits() {
    let with_last = |nines: usize| {
        let mut text = "00020126240015org.example.pay010115204541153039865802BR5901A6001B".to_owned();
        for id in 88..=91 {
            text += &format!("{id}950003X.Y0184{}", "9".repeat(84));
        }
        text += &format!("92{:02}0003X.Y01{nines:02}{}", nines + 11, "9".repeat(nines));
        push_crc(&mut text, None);
        text
    };
    let longer = with_last(29);
    assert!(longer.ends_with("6304A46A") && longer.len() == 513);
    assert_eq!(answer(&longer, Level::EmvStrict), "qr.too_long at 512");
    assert_eq!(answer(&longer, Level::Lossless), "ok");
    assert_eq!(answer(&with_last(28), Level::EmvStrict), "ok");
    let bytes = |count: usize| answer(&"0".repeat(count), Level::Lossless);
    assert_eq!(bytes(QR_BYTES_MAX + 1), "qr.too_long at 2953");
    assert_ne!(bytes(QR_BYTES_MAX), "qr.too_long at 2953");
}

/// One object changed at a time in a code that is good otherwise: the answer of the strict level.
#[test]
fn strict_formats() {
    let good = |id: u8, value: &str| {
        let mut build = QrBuild::new();
        build.push(Id(0), "01").push_template(Id(26), &[(Id(0), "org.example.pay"), (Id(1), "1")]);
        build.push(Id(52), "5411").push(Id(53), "986").push(Id(58), "BR").push(Id(59), "A").push(Id(60), "B");
        build.set(Id(id), value);
        answer(&emit(&build).expect("emits"), Level::EmvStrict)
    };
    for (id, value, expected) in [
        (1, "11", "ok"),
        (1, "13", "qr.format at 65"),
        (52, "541", "qr.format at 34"),
        (53, "98A", "qr.format at 42"),
        (54, "98.73", "ok"),
        (54, "98.", "ok"),
        (54, "98,73", "qr.format at 65"),
        (54, "3 705", "qr.format at 65"),
        (54, ".5", "qr.format at 65"),
        (54, "0.00", "qr.format at 65"),
        (54, "1234567890123", "ok"),
        (54, "12345678901234", "qr.format at 65"),
        (54, "1.2.3", "qr.format at 65"),
        (55, "01", "ok"),
        (55, "04", "qr.format at 65"),
        (55, "03", "qr.conflict at 65"),
        (56, "1.00", "qr.conflict at 65"),
        (57, "100", "qr.format at 65"),
        (57, "00.00", "qr.format at 65"),
        (57, "99.99", "qr.conflict at 65"),
        (58, "br", "qr.format at 49"),
        (59, "ABCDEFGHIJKLMNOPQRSTUVWXY", "ok"),
        (59, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "qr.format at 55"),
        (60, "ABCDEFGHIJKLMNO", "ok"),
        (60, "ABCDEFGHIJKLMNOP", "qr.format at 60"),
        (61, "1234567890", "ok"),
        (61, "12345678901", "qr.format at 65"),
        (26, "0101X", "qr.no_guid at 6"),
        (26, "plain", "qr.bad_template at 6"),
        (26, "0001A0101X0101Y", "qr.duplicate_id at 20"),
        (62, "0502AB0902AA", "qr.format at 75"),
        (62, "0903AME", "ok"),
        (62, "0526ABCDEFGHIJKLMNOPQRSTUVWXYZ", "qr.format at 69"),
        (62, "1001A", "ok + rfu_used"),
        (62, "50050101A", "qr.no_guid at 69"),
        (64, "0002KO0102모란", "ok"),
        (64, "0002KO", "qr.missing 64.01 at 75"),
        (65, "anything", "ok + rfu_used"),
        (80, "0001A0102모란", "ok"),
        (80, "0101A", "qr.no_guid at 65"),
    ] {
        assert_eq!(good(id, value), expected, "{id} {value}");
    }
}

#[test]
fn lower_case_checksum() {
    let lower = vector(12).replace("145E", "145e");
    assert_eq!(answer(&lower, Level::Lossless), "ok + crc_case");
    assert_eq!(again(&lower, Level::Lossless).as_deref(), Ok(lower.as_str()));
    assert_eq!(answer(&lower, Level::EmvStrict), "qr.crc_format at 144");
}

#[test]
fn what_cannot_be_emitted() {
    let emitted = |objects: &[(u8, &str)]| {
        let mut build = QrBuild::new();
        for (id, value) in objects {
            build.push(Id(*id), *value);
        }
        emit(&build).map_err(|error| (error.code(), error.at()))
    };
    let long = "x".repeat(100);
    assert_eq!(emitted(&[(0, "01")]).as_deref(), Ok("0002016304AAE6"));
    assert_eq!(emitted(&[]), Err(("qr.bad_first", 0)));
    assert_eq!(emitted(&[(1, "11")]), Err(("qr.bad_first", 0)));
    assert_eq!(emitted(&[(0, "01"), (52, "")]), Err(("qr.bad_length", 8)));
    assert!(emitted(&[(0, "01"), (59, &long[..99])]).is_ok());
    assert_eq!(emitted(&[(0, "01"), (59, &long)]), Err(("qr.bad_length", 8)));
    assert_eq!(emitted(&[(0, "01"), (0, "01")]), Err(("qr.duplicate_id", 6)));
    assert_eq!(emitted(&[(0, "01"), (100, "01")]), Err(("qr.bad_id", 6)));
    assert_eq!(emitted(&[(0, "01"), (63, "ABCD")]), Err(("qr.crc_not_last", 6)));
    let mut edited = QrBuild::from_qr(&parse(vector(12), Level::Lossless).expect("reads"));
    let text = emit(edited.set(Id::AMOUNT, "1.05").remove(Id::EXTRA)).expect("emits");
    let edited = parse(&text, Level::EmvStrict).expect("reads");
    assert_eq!((Mpm::new(&edited).amount(), edited.get(Id::EXTRA)), (Some("1.05"), None));
}

/// spec/money.md 2.7: every single changed digit of every vector is refused.
#[test]
fn every_changed_digit_is_refused() {
    let mut variants = 0;
    for (number, payload, _) in vectors() {
        for place in 0..payload.len() {
            let old = payload.as_bytes()[place];
            if !old.is_ascii_digit() {
                continue;
            }
            for new in (b'0'..=b'9').filter(|new| *new != old) {
                let mut changed = payload.as_bytes().to_vec();
                changed[place] = new;
                variants += 1;
                assert!(parse_bytes(&changed, Level::Lossless).is_err(), "vector {number}, place {place}");
            }
        }
    }
    assert!(variants > 15_000, "{variants}");
}

const LEVELS: [Level; 4] =
    [Level::Lossless, Level::EmvStrict, Level::Profile(Profile::Souk), Level::Profile(Profile::Auto)];

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for level in LEVELS {
            let _ = parse_bytes(&bytes, level);
        }
    }

    /// Texts that look like codes: whatever is accepted is written again.
    #[test]
    fn what_is_read_is_written_again(
        objects in proptest::collection::vec((0u8..100, "[0-9A-Za-z .é한]{1,20}"), 0..12),
    ) {
        let mut text = "000201".to_owned();
        for (id, value) in objects {
            write_object(&mut text, Id(id), &value);
        }
        push_crc(&mut text, None);
        for level in LEVELS {
            if let Ok(qr) = parse(&text, level) {
                prop_assert_eq!(emit(&QrBuild::from_qr(&qr)), Ok(text.clone()));
                let raw: String = qr.objs.iter().map(|obj| qr.raw(obj)).collect();
                prop_assert_eq!(&raw, &text);
            }
        }
    }

    /// What is emitted is read, with the same values.
    #[test]
    fn what_is_emitted_is_read(
        objects in proptest::collection::btree_map(1u8..63, "[0-9A-Za-z .é한]{1,20}", 0..12),
    ) {
        let mut build = QrBuild::new();
        build.push(Id(0), "01");
        for (id, value) in &objects {
            build.push(Id(*id), value.as_str());
        }
        let qr = parse(&emit(&build).expect("emits"), Level::Lossless).expect("reads");
        for (id, value) in objects {
            prop_assert_eq!(qr.get(Id(id)).map(|obj| qr.value(obj)), Some(value.as_str()));
        }
    }
}
