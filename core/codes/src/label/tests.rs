use super::*;
use crate::proof::MinimumLevel;

fn label(flags: LabelFlags) -> Vec<u8> {
    let label = LabelL {
        key_id: 1,
        waybill: 0x3684_0000_0000_0007,
        route: [539, 31, 1],
        day: 2517,
        flags,
        piece: 1,
        pieces: 2,
        weight_10g: 152,
        order_commitment: [1; 8],
        nonce: [2; 4],
    };
    label.encode(&[3; 64])
}

fn texts() -> LabelTexts {
    LabelTexts {
        route: Some("539-031-01".to_owned()),
        bag: "SEOUL EAST HUB".to_owned(),
        to: vec!["K*m".to_owned(), "146 Donggyo-ro, Mapo-gu".to_owned(), "010-****-5678".to_owned()],
        from: vec!["Moran Market".to_owned(), "79 Dunchon-daero, Seongnam".to_owned()],
        cod: Some("23.72 EUR".to_owned()),
        promised_day: Some("Tue 24 Nov".to_owned()),
        custom: vec!["Thank you!".to_owned()],
    }
}

fn code(result: Result<Raster, LabelError>) -> Result<(u32, u32), &'static str> {
    result.map(|raster| (raster.width(), raster.height())).map_err(|error| error.code())
}

#[test]
fn sizes_of_the_paper() {
    let flags = LabelFlags::COD.with_minimum_level(MinimumLevel::E3) | LabelFlags::FRAGILE;
    assert_eq!(code(render(&label(flags), &texts(), Paper::Mm100x150)), Ok((799, 1199)));
    assert_eq!(code(render(&label(flags), &texts(), Paper::Mm76x130)), Ok((607, 1039)));
}

#[test]
fn equal_input_gives_equal_bytes() {
    let draw = || png(&label(LabelFlags::NONE), &texts(), Paper::Mm100x150).expect("draws");
    assert_eq!(draw(), draw());
}

#[test]
fn refused() {
    let refused = |message: &[u8], change: fn(&mut LabelTexts)| {
        let mut texts = texts();
        change(&mut texts);
        code(render(message, &texts, Paper::Mm76x130)).err()
    };
    let (plain, cod) = (label(LabelFlags::NONE), label(LabelFlags::COD));
    assert_eq!(refused(&plain, |_| {}), None);
    assert_eq!(refused(&plain, |t| t.cod = None), None);
    assert_eq!(refused(&cod, |t| t.cod = None), Some("label.field_missing"));
    assert_eq!(refused(&plain, |t| t.to.clear()), Some("label.field_missing"));
    assert_eq!(refused(&plain, |t| t.from = vec![" ".to_owned()]), Some("label.field_missing"));
    // The recipient's zone holds 9 lines of 19 letters at 24 dots.
    assert_eq!(refused(&plain, |t| t.to = vec!["x".repeat(9 * 19)]), None);
    assert_eq!(refused(&plain, |t| t.to = vec!["x".repeat(9 * 19 + 1)]), Some("label.text_too_long"));
    assert_eq!(refused(&plain, |t| t.custom = vec!["x".repeat(FIELD_CHARACTERS_MAX)]), None);
    assert_eq!(
        refused(&plain, |t| t.custom = vec!["x".repeat(FIELD_CHARACTERS_MAX + 1)]),
        Some("label.text_too_long")
    );
    assert_eq!(refused(&plain[..99], |_| {}), Some("proof.length"));
}

/// All warnings at once fit on both papers; a day as long as a sentence does not, and nothing is left out silently.
#[test]
fn marks_are_never_cut() {
    for paper in [Paper::Mm100x150, Paper::Mm76x130] {
        let all = label(LabelFlags(0b11_1111_0011));
        assert!(render(&all, &texts(), paper).is_ok());
        let long = LabelTexts { promised_day: Some("x".repeat(150)), ..texts() };
        assert_eq!(code(render(&all, &long, paper)).err(), Some("label.text_too_long"));
    }
}

#[test]
fn printable() {
    assert!(is_printable("12 Long Street ~!"));
    assert!(!is_printable("모란") && !is_printable("é"));
}

#[test]
fn unknown_route_is_printed_as_question_marks() {
    let with = |route: Option<&str>| {
        let texts = LabelTexts { route: route.map(str::to_owned), ..texts() };
        render(&label(LabelFlags::NONE), &texts, Paper::Mm100x150).expect("draws")
    };
    assert_eq!(with(None), with(Some("???")));
    assert_ne!(with(None), with(Some("1-1-1")));
}
