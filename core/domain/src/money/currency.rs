//! Currencies: the whole ISO 4217 list in one table (spec/money.md 1).
//!
//! Not here: codes without a minor unit (XAU, XDR, XTS, XXX …), because no amount can be written in them, and
//! codes that ISO has withdrawn. Rates between currencies do not exist at this level.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MoneyError;

/// A currency of ISO 4217: alphabetic code, numeric code and exponent of its minor unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(u16);

/// One row of the list.
struct Row {
    alpha: [u8; 3],
    numeric: u16,
    exponent: u8,
}

const fn row(alpha: &[u8; 3], numeric: u16, exponent: u8) -> Row {
    Row { alpha: *alpha, numeric, exponent }
}

impl Currency {
    /// Euro.
    pub const EUR: Currency = Currency::named(b"EUR");
    /// US dollar.
    pub const USD: Currency = Currency::named(b"USD");
    /// Pound sterling.
    pub const GBP: Currency = Currency::named(b"GBP");
    /// Korean won, without a minor unit.
    pub const KRW: Currency = Currency::named(b"KRW");
    /// Yen, without a minor unit.
    pub const JPY: Currency = Currency::named(b"JPY");
    /// Kuwaiti dinar, three decimals.
    pub const KWD: Currency = Currency::named(b"KWD");

    /// For the constants above: an unknown name runs off the table, which is an error of the build.
    const fn named(alpha: &[u8; 3]) -> Currency {
        let mut index = 0;
        loop {
            let row = &TABLE[index as usize].alpha;
            if row[0] == alpha[0] && row[1] == alpha[1] && row[2] == alpha[2] {
                return Currency(index);
            }
            index += 1;
        }
    }

    /// By alphabetic code in upper case. Refuses what is not on the list: `money.currency`.
    pub fn from_code(code: &str) -> Result<Currency, MoneyError> {
        let index = TABLE.binary_search_by(|row| row.alpha.as_slice().cmp(code.as_bytes()));
        Ok(Currency(index.map_err(|_| MoneyError::Currency)? as u16))
    }

    /// By numeric code. Refuses what is not on the list: `money.currency`.
    pub fn from_numeric(numeric: u16) -> Result<Currency, MoneyError> {
        let index = TABLE.iter().position(|row| row.numeric == numeric);
        Ok(Currency(index.ok_or(MoneyError::Currency)? as u16))
    }

    /// The alphabetic code, three upper-case letters.
    pub fn code(self) -> &'static str {
        // The table is ASCII.
        std::str::from_utf8(&TABLE[usize::from(self.0)].alpha).unwrap_or_default()
    }

    /// The numeric code, 1..999.
    pub fn numeric(self) -> u16 {
        TABLE[usize::from(self.0)].numeric
    }

    /// Decimals of the minor unit, 0..4.
    pub fn exponent(self) -> u8 {
        TABLE[usize::from(self.0)].exponent
    }

    /// All currencies, by alphabetic code.
    pub fn all() -> impl Iterator<Item = Currency> {
        (0..TABLE.len() as u16).map(Currency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;
    fn from_str(code: &str) -> Result<Currency, MoneyError> {
        Currency::from_code(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Currency::from_code(&code).map_err(serde::de::Error::custom)
    }
}

/// ISO 4217 list one with its amendments up to 2026 (BGN left it on 2026-01-01), sorted by alphabetic code.
#[rustfmt::skip]
static TABLE: [Row; 165] = [
    row(b"AED", 784, 2), row(b"AFN", 971, 2), row(b"ALL", 8, 2), row(b"AMD", 51, 2), row(b"AOA", 973, 2),
    row(b"ARS", 32, 2), row(b"AUD", 36, 2), row(b"AWG", 533, 2), row(b"AZN", 944, 2), row(b"BAM", 977, 2),
    row(b"BBD", 52, 2), row(b"BDT", 50, 2), row(b"BHD", 48, 3), row(b"BIF", 108, 0), row(b"BMD", 60, 2),
    row(b"BND", 96, 2), row(b"BOB", 68, 2), row(b"BOV", 984, 2), row(b"BRL", 986, 2), row(b"BSD", 44, 2),
    row(b"BTN", 64, 2), row(b"BWP", 72, 2), row(b"BYN", 933, 2), row(b"BZD", 84, 2), row(b"CAD", 124, 2),
    row(b"CDF", 976, 2), row(b"CHE", 947, 2), row(b"CHF", 756, 2), row(b"CHW", 948, 2),
    row(b"CLF", 990, 4), row(b"CLP", 152, 0), row(b"CNY", 156, 2), row(b"COP", 170, 2),
    row(b"COU", 970, 2), row(b"CRC", 188, 2), row(b"CUP", 192, 2), row(b"CVE", 132, 2),
    row(b"CZK", 203, 2), row(b"DJF", 262, 0), row(b"DKK", 208, 2), row(b"DOP", 214, 2),
    row(b"DZD", 12, 2), row(b"EGP", 818, 2), row(b"ERN", 232, 2), row(b"ETB", 230, 2),
    row(b"EUR", 978, 2), row(b"FJD", 242, 2), row(b"FKP", 238, 2), row(b"GBP", 826, 2),
    row(b"GEL", 981, 2), row(b"GHS", 936, 2), row(b"GIP", 292, 2), row(b"GMD", 270, 2),
    row(b"GNF", 324, 0), row(b"GTQ", 320, 2), row(b"GYD", 328, 2), row(b"HKD", 344, 2),
    row(b"HNL", 340, 2), row(b"HTG", 332, 2), row(b"HUF", 348, 2), row(b"IDR", 360, 2),
    row(b"ILS", 376, 2), row(b"INR", 356, 2), row(b"IQD", 368, 3), row(b"IRR", 364, 2),
    row(b"ISK", 352, 0), row(b"JMD", 388, 2), row(b"JOD", 400, 3), row(b"JPY", 392, 0),
    row(b"KES", 404, 2), row(b"KGS", 417, 2), row(b"KHR", 116, 2), row(b"KMF", 174, 0),
    row(b"KPW", 408, 2), row(b"KRW", 410, 0), row(b"KWD", 414, 3), row(b"KYD", 136, 2),
    row(b"KZT", 398, 2), row(b"LAK", 418, 2), row(b"LBP", 422, 2), row(b"LKR", 144, 2),
    row(b"LRD", 430, 2), row(b"LSL", 426, 2), row(b"LYD", 434, 3), row(b"MAD", 504, 2),
    row(b"MDL", 498, 2), row(b"MGA", 969, 2), row(b"MKD", 807, 2), row(b"MMK", 104, 2),
    row(b"MNT", 496, 2), row(b"MOP", 446, 2), row(b"MRU", 929, 2), row(b"MUR", 480, 2),
    row(b"MVR", 462, 2), row(b"MWK", 454, 2), row(b"MXN", 484, 2), row(b"MXV", 979, 2),
    row(b"MYR", 458, 2), row(b"MZN", 943, 2), row(b"NAD", 516, 2), row(b"NGN", 566, 2),
    row(b"NIO", 558, 2), row(b"NOK", 578, 2), row(b"NPR", 524, 2), row(b"NZD", 554, 2),
    row(b"OMR", 512, 3), row(b"PAB", 590, 2), row(b"PEN", 604, 2), row(b"PGK", 598, 2),
    row(b"PHP", 608, 2), row(b"PKR", 586, 2), row(b"PLN", 985, 2), row(b"PYG", 600, 0),
    row(b"QAR", 634, 2), row(b"RON", 946, 2), row(b"RSD", 941, 2), row(b"RUB", 643, 2),
    row(b"RWF", 646, 0), row(b"SAR", 682, 2), row(b"SBD", 90, 2), row(b"SCR", 690, 2),
    row(b"SDG", 938, 2), row(b"SEK", 752, 2), row(b"SGD", 702, 2), row(b"SHP", 654, 2),
    row(b"SLE", 925, 2), row(b"SOS", 706, 2), row(b"SRD", 968, 2), row(b"SSP", 728, 2),
    row(b"STN", 930, 2), row(b"SVC", 222, 2), row(b"SYP", 760, 2), row(b"SZL", 748, 2),
    row(b"THB", 764, 2), row(b"TJS", 972, 2), row(b"TMT", 934, 2), row(b"TND", 788, 3),
    row(b"TOP", 776, 2), row(b"TRY", 949, 2), row(b"TTD", 780, 2), row(b"TWD", 901, 2),
    row(b"TZS", 834, 2), row(b"UAH", 980, 2), row(b"UGX", 800, 0), row(b"USD", 840, 2),
    row(b"USN", 997, 2), row(b"UYI", 940, 0), row(b"UYU", 858, 2), row(b"UYW", 927, 4),
    row(b"UZS", 860, 2), row(b"VED", 926, 2), row(b"VES", 928, 2), row(b"VND", 704, 0),
    row(b"VUV", 548, 0), row(b"WST", 882, 2), row(b"XAD", 396, 2), row(b"XAF", 950, 0),
    row(b"XCD", 951, 2), row(b"XCG", 532, 2), row(b"XOF", 952, 0), row(b"XPF", 953, 0),
    row(b"YER", 886, 2), row(b"ZAR", 710, 2), row(b"ZMW", 967, 2), row(b"ZWG", 924, 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes that lists of an operating system may still carry: withdrawn, or without a minor unit.
    const NOT_MONEY: &str = "ANG BGN CUC HRK SLL ZWL XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX";

    #[test]
    fn table_is_sorted_and_unique() {
        assert!(TABLE.is_sorted_by(|a, b| a.alpha < b.alpha));
        let mut numeric: Vec<u16> = TABLE.iter().map(|row| row.numeric).collect();
        numeric.sort_unstable();
        assert!(numeric.is_sorted_by(|a, b| a < b));
        assert!(Currency::all().all(|currency| Currency::from_code(currency.code()) == Ok(currency)
            && Currency::from_numeric(currency.numeric()) == Ok(currency)));
    }

    /// The table of spec/money.md 1.
    #[test]
    fn exponents_of_the_spec() {
        let with = |exponent| -> Vec<&str> {
            Currency::all().filter(|currency| currency.exponent() == exponent).map(Currency::code).collect()
        };
        assert_eq!(with(0).join(" "), "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF");
        assert_eq!(with(1), [""; 0]);
        assert_eq!(with(3).join(" "), "BHD IQD JOD KWD LYD OMR TND");
        assert_eq!(with(4).join(" "), "CLF UYW");
        for (code, numeric) in [
            ("ISK", 352),
            ("JPY", 392),
            ("KRW", 410),
            ("VND", 704),
            ("USD", 840),
            ("EUR", 978),
            ("GBP", 826),
            ("CNY", 156),
            ("THB", 764),
            ("SGD", 702),
            ("BRL", 986),
            ("IDR", 360),
            ("PHP", 608),
            ("MYR", 458),
            ("HKD", 344),
            ("INR", 356),
            ("LAK", 418),
            ("KHR", 116),
            ("KWD", 414),
            ("CLF", 990),
        ] {
            assert_eq!(Currency::from_code(code).map(Currency::numeric), Ok(numeric), "{code}");
        }
        for code in ["", "eur", "EU", "EURO", "XXX", "XAU", "HRK", "ZZZ", "€"] {
            assert_eq!(Currency::from_code(code), Err(MoneyError::Currency), "{code}");
        }
        for numeric in [0, 963, 999, 1000, u16::MAX] {
            assert_eq!(Currency::from_numeric(numeric), Err(MoneyError::Currency), "{numeric}");
        }
    }

    /// Compares with the list of the package `iso-codes`, where the machine has it.
    #[test]
    fn list_of_the_operating_system() {
        let path = "/usr/share/iso-codes/json/iso_4217.json";
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("skipped: install iso-codes ({path})");
            return;
        };
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        for entry in list["4217"].as_array().unwrap() {
            let (code, numeric) = (entry["alpha_3"].as_str().unwrap(), entry["numeric"].as_str().unwrap());
            let here = Currency::from_code(code).map(Currency::numeric);
            if NOT_MONEY.split(' ').any(|not| not == code) {
                assert_eq!(here, Err(MoneyError::Currency), "{code}");
            } else {
                assert_eq!(here, Ok(numeric.parse().unwrap()), "{code}");
            }
        }
    }
}
