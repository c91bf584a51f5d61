//! The examples and laws of spec/money.md 1.

use proptest::prelude::*;

use super::*;
use crate::num::Rounding;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn any_currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(Currency::all().collect::<Vec<_>>())
}

#[test]
fn parse_table() {
    let (krw, kwd) = (Currency::KRW, Currency::KWD);
    let clf = Currency::from_code("CLF").unwrap();
    for (text, currency, expected) in [
        ("12.30", Currency::EUR, Ok(1230)),
        ("12.3", Currency::EUR, Ok(1230)),
        ("12", Currency::EUR, Ok(1200)),
        ("-0.05", Currency::EUR, Ok(-5)),
        ("-0", Currency::EUR, Ok(0)),
        ("007.10", Currency::EUR, Ok(710)),
        ("12.300", Currency::EUR, Err(MoneyError::Precision)),
        ("12900", krw, Ok(12900)),
        ("12900.0", krw, Err(MoneyError::Precision)),
        ("1.250", kwd, Ok(1250)),
        ("0.0001", clf, Ok(1)),
        ("9007199254740991", krw, Ok(MINOR_MAX)),
        ("-9007199254740991", krw, Ok(-MINOR_MAX)),
        ("9007199254740992", krw, Err(MoneyError::Range)),
        ("90071992547409.91", Currency::EUR, Ok(MINOR_MAX)),
        ("90071992547409.92", Currency::EUR, Err(MoneyError::Range)),
        ("99999999999999999999999999", Currency::EUR, Err(MoneyError::Range)),
        ("", Currency::EUR, Err(MoneyError::Format)),
        ("-", Currency::EUR, Err(MoneyError::Format)),
        (".5", Currency::EUR, Err(MoneyError::Format)),
        ("5.", Currency::EUR, Err(MoneyError::Format)),
        ("+5", Currency::EUR, Err(MoneyError::Format)),
        ("--5", Currency::EUR, Err(MoneyError::Format)),
        ("1,000.00", Currency::EUR, Err(MoneyError::Format)),
        ("1 000", Currency::EUR, Err(MoneyError::Format)),
        ("1e3", Currency::EUR, Err(MoneyError::Format)),
        ("1.2.3", Currency::EUR, Err(MoneyError::Format)),
        ("1.-2", Currency::EUR, Err(MoneyError::Format)),
        ("١٢", Currency::EUR, Err(MoneyError::Format)),
        (" 1", Currency::EUR, Err(MoneyError::Format)),
    ] {
        assert_eq!(Money::parse(text, currency).map(|money| money.minor), expected, "{text:?} {currency}");
    }
}

#[test]
fn texts() {
    for (minor, code, decimal) in [
        (1230, "EUR", "12.30"),
        (-5, "EUR", "-0.05"),
        (0, "EUR", "0.00"),
        (12900, "KRW", "12900"),
        (1250, "KWD", "1.250"),
        (-1, "CLF", "-0.0001"),
        (i64::MIN, "EUR", "-92233720368547758.08"),
    ] {
        let money = Money::new(minor, Currency::from_code(code).unwrap());
        assert_eq!(money.decimal(), decimal);
        assert_eq!(money.to_string(), format!("{decimal} {code}"));
    }
}

#[test]
fn json_forms() {
    let amount = |text: &str| serde_json::from_str::<Money>(text).map_err(|error| error.to_string());
    let balance = |text: &str| serde_json::from_str::<Balance>(text).map_err(|error| error.to_string());
    assert_eq!(serde_json::to_string(&eur(1230)).unwrap(), r#"{"minor":1230,"currency":"EUR"}"#);
    assert_eq!(
        serde_json::to_string(&Balance(eur(i64::MIN))).unwrap(),
        r#"{"minor":"-9223372036854775808","currency":"EUR"}"#
    );
    assert_eq!(amount(r#"{"minor":9007199254740991,"currency":"EUR"}"#), Ok(eur(MINOR_MAX)));
    assert_eq!(balance(r#"{"minor":"-9223372036854775808","currency":"EUR"}"#), Ok(Balance(eur(i64::MIN))));
    assert!(serde_json::to_string(&eur(MINOR_MAX)).is_ok());
    assert!(serde_json::to_string(&eur(MINOR_MAX + 1)).unwrap_err().to_string().contains("money.range"));
    for (text, wanted) in [
        (r#"{"minor":9007199254740992,"currency":"EUR"}"#, "money.range"),
        (r#"{"minor":-9007199254740992,"currency":"EUR"}"#, "money.range"),
        (r#"{"minor":1,"currency":"XXX"}"#, "money.currency"),
        (r#"{"minor":"1","currency":"EUR"}"#, "invalid type"),
        (r#"{"minor":1.0,"currency":"EUR"}"#, "invalid type"),
        (r#"{"minor":1,"currency":"EUR","exponent":2}"#, "unknown field"),
        (r#"{"minor":1}"#, "missing field"),
    ] {
        assert!(amount(text).unwrap_err().contains(wanted), "{text}");
    }
    for text in ["+1", "01", "-0", "1.0", "", "9223372036854775808"] {
        let json = format!(r#"{{"minor":"{text}","currency":"EUR"}}"#);
        assert!(balance(&json).unwrap_err().contains("money.format"), "{text}");
    }
}

#[test]
fn arithmetic_is_checked() {
    let (max, min, won) = (eur(i64::MAX), eur(i64::MIN), Money::new(1, Currency::KRW));
    assert_eq!(eur(5).add(eur(-7)), Ok(eur(-2)));
    assert_eq!(eur(5).less(eur(7)), Ok(eur(-2)));
    assert_eq!(eur(199).mul(3), Ok(eur(597)));
    assert_eq!(eur(5).min(eur(-7)), Ok(eur(-7)));
    assert_eq!(eur(5).max(eur(-7)), Ok(eur(5)));
    assert_eq!(eur(5).exceeds(eur(5)), Ok(false));
    assert_eq!(Money::sum(Currency::EUR, [eur(1), eur(2)]), Ok(eur(3)));
    assert_eq!(Money::sum(Currency::EUR, []), Ok(eur(0)));
    for overflow in [max.add(eur(1)), min.less(eur(1)), min.neg(), max.mul(2)] {
        assert_eq!(overflow, Err(MoneyError::Overflow));
    }
    for mixed in [
        eur(1).add(won),
        eur(1).less(won),
        eur(1).min(won),
        eur(1).max(won),
        Money::sum(Currency::EUR, [won]),
    ] {
        assert_eq!(mixed, Err(MoneyError::Currency));
    }
    assert_eq!(eur(1).exceeds(won), Err(MoneyError::Currency));
    assert_eq!(eur(100).allocate(&[1, 1, 1]), Ok(vec![eur(34), eur(33), eur(33)]));
}

#[test]
fn rate_examples() {
    for (amount, fee) in [(10, 0), (30, 2), (50, 2), (1999, 100), (2372, 119), (12345, 617), (-30, -2)] {
        assert_eq!(Bp(500).of(eur(amount)), Ok(eur(fee)), "5 % of {amount}");
        assert_eq!(Ppm(50_000).of(eur(amount)), Ok(eur(fee)), "50,000 ppm of {amount}");
    }
    // spec/market.md 5.3, vectors A, B, E, F.
    let won = |minor| Money::new(minor, Currency::KRW);
    assert_eq!(Ppm(100_000).within(won(31_595), Rounding::HalfUp), Ok(won(2872)));
    assert_eq!(
        Ppm(88_750).rounded(Money::new(6546, Currency::USD), Rounding::HalfUp),
        Ok(Money::new(581, Currency::USD))
    );
    assert_eq!(
        Ppm(50_000).within(Money::new(3750, Currency::KWD), Rounding::HalfUp),
        Ok(Money::new(179, Currency::KWD))
    );
    for (net, commission, tax) in [(23_485, 705, 71), (8110, 243, 24), (19_115, 573, 57)] {
        assert_eq!(Bp(300).of(won(net)), Ok(won(commission)));
        assert_eq!(Ppm(100_000).rounded(won(commission), Rounding::HalfUp), Ok(won(tax)));
    }
    assert_eq!(Bp(20_000).of(eur(i64::MAX)), Err(MoneyError::Overflow));
    assert_eq!(Ppm(-1_000_000).within(eur(1), Rounding::HalfEven), Err(MoneyError::Overflow));
}

#[test]
fn codes_are_the_messages() {
    use MoneyError::{Currency, Format, Overflow, Precision, Range, Weights};
    for error in [Overflow, Currency, Range, Precision, Format, Weights] {
        assert_eq!(error.code(), error.to_string());
    }
}

proptest! {
    #[test]
    fn parse_of_format_is_the_amount(minor in -MINOR_MAX..=MINOR_MAX, currency in any_currency()) {
        let money = Money::new(minor, currency);
        prop_assert_eq!(Money::parse(&money.decimal(), currency), Ok(money));
        let json = serde_json::to_string(&money).unwrap();
        prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
    }

    #[test]
    fn difference_to_itself_is_nothing(minor in any::<i64>(), currency in any_currency()) {
        let money = Money::new(minor, currency);
        prop_assert!(money.less(money).unwrap().is_zero());
    }

    #[test]
    fn parse_never_panics(text in "\\PC{0,24}", currency in any_currency()) {
        if let Ok(money) = Money::parse(&text, currency) {
            prop_assert!(money.in_range().is_ok());
        }
    }

    /// Half-even takes nothing from ties: over a full period of amounts the sum of fees is exact.
    #[test]
    fn ties_favour_nobody(bp in 1..=10_000u32) {
        let fees: i64 = (0..20_000).map(|minor| Bp(bp).of(eur(minor)).unwrap().minor).sum();
        let exact: i64 = (0..20_000).sum::<i64>() * i64::from(bp);
        prop_assert!((fees * 10_000 - exact).abs() <= 10_000);
    }
}

/// No float stands near money: neither type is named in the sources of these rules (spec/money.md 1).
#[test]
fn no_float_in_the_sources() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open: Vec<_> =
        ["money", "money.rs", "num.rs", "ledger", "ledger.rs", "order", "order.rs", "escrow", "escrow.rs"]
            .iter()
            .map(|name| root.join(name))
            .filter(|path| path.exists())
            .collect();
    let (floats, mut files) = (["f32", "f64"], 0);
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let here = path.ends_with("money/tests.rs");
        let found =
            words.find(|word| floats.contains(word) || floats.iter().any(|float| word.ends_with(float)));
        assert!(here || found.is_none(), "{}: {found:?}", path.display());
        files += 1;
    }
    assert!(files > 10, "the sources are not where this test looks");
}
