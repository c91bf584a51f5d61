//! Addresses, and their form in the bytes beside an intent: 16 random bytes, then JSON, so that neither the hash in
//! the text nor anything else is left of an address that was erased (spec/sync.md 3.1).

use serde::{Deserialize, Serialize};
use souk_domain::order::AddressText;
use souk_domain::order::place::ADDRESS_SALT_BYTES;
use souk_domain::outcome::Refusal;

use crate::limits::{
    ADDRESS_LINE_CHARS_MAX, ADDRESS_LINES_MAX, ADDRESS_NAME_CHARS_MAX, ADDRESS_SHORT_CHARS_MAX,
};

/// A postal address.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AddressView {
    /// Who receives.
    pub name: String,
    /// Street lines, first to last.
    pub lines: Vec<String>,
    /// City.
    pub city: String,
    /// Postcode, may be empty.
    pub postcode: String,
    /// ISO 3166 alpha-2 country.
    pub country: String,
    /// Phone in E.164, may be empty.
    pub phone: String,
    /// Where it is, when the buyer gave a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceView>,
}

/// `[latitude, longitude]` in 1e-7 degrees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "(i32, i32)", into = "(i32, i32)")]
pub struct PlaceView {
    /// Latitude.
    pub lat_e7: i32,
    /// Longitude.
    pub lng_e7: i32,
}

impl From<(i32, i32)> for PlaceView {
    fn from((lat_e7, lng_e7): (i32, i32)) -> PlaceView {
        PlaceView { lat_e7, lng_e7 }
    }
}

impl From<PlaceView> for (i32, i32) {
    fn from(place: PlaceView) -> (i32, i32) {
        (place.lat_e7, place.lng_e7)
    }
}

// Personal data never reaches a log.
impl std::fmt::Debug for AddressView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressView").field("country", &self.country).finish_non_exhaustive()
    }
}

impl AddressView {
    /// Checks what must be there and how long it may be. Refuses `addr.required{field, limit?}`.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |field: &'static str| Err(Refusal::new("addr.required").with("field", field));
        let fits = |field: &'static str, text: &str, least: usize, most: usize| {
            let chars = text.trim().chars().count();
            if chars < least || text.chars().count() > most || text.chars().any(char::is_control) {
                return refuse(field);
            }
            Ok(())
        };
        fits("name", &self.name, 1, ADDRESS_NAME_CHARS_MAX)?;
        if self.lines.is_empty() || self.lines.len() > ADDRESS_LINES_MAX {
            return refuse("lines");
        }
        for line in &self.lines {
            fits("lines", line, 1, ADDRESS_LINE_CHARS_MAX)?;
        }
        fits("city", &self.city, 1, ADDRESS_LINE_CHARS_MAX)?;
        fits("postcode", &self.postcode, 0, ADDRESS_SHORT_CHARS_MAX)?;
        fits("phone", &self.phone, 0, ADDRESS_SHORT_CHARS_MAX)?;
        if self.country.len() != 2 || !self.country.bytes().all(|b| b.is_ascii_uppercase()) {
            return refuse("country");
        }
        let on_earth = |place: PlaceView| {
            place.lat_e7.unsigned_abs() <= 900_000_000 && place.lng_e7.unsigned_abs() <= 1_800_000_000
        };
        if self.place.is_some_and(|place| !on_earth(place)) { refuse("place") } else { Ok(()) }
    }

    /// The same with the phone masked, as a courier sees it: `010-****-5678` (spec/logistics.md 12).
    pub fn masked(self) -> AddressView {
        AddressView { phone: mask_phone(&self.phone), ..self }
    }
}

/// All digits but the first three and the last four become `*`; short numbers become all `*`. Twice is the same.
fn mask_phone(phone: &str) -> String {
    let is_digit = |c: &char| c.is_ascii_digit() || *c == '*';
    let digits = phone.chars().filter(is_digit).count();
    let mut seen = 0;
    phone
        .chars()
        .map(|c| {
            if !is_digit(&c) {
                return c;
            }
            seen += 1;
            let is_shown = digits > 8 && (seen <= 3 || seen > digits - 4);
            if is_shown { c } else { '*' }
        })
        .collect()
}

/// The bytes beside an intent that carry an address. Refuses `addr.required{field}`.
pub fn address_bin(salt: [u8; ADDRESS_SALT_BYTES], address: &AddressView) -> Result<Vec<u8>, Refusal> {
    address.check()?;
    let json = serde_json::to_vec(address).map_err(|_| Refusal::new("addr.form"))?;
    Ok([salt.as_slice(), &json].concat())
}

/// The address in the bytes beside an intent. Refuses `addr.form`, `addr.required{field}`.
pub fn address_of_bin(bin: &[u8]) -> Result<AddressView, Refusal> {
    let json = bin.get(ADDRESS_SALT_BYTES..).ok_or(Refusal::new("addr.form"))?;
    let address: AddressView = serde_json::from_slice(json).map_err(|_| Refusal::new("addr.form"))?;
    address.check()?;
    Ok(address)
}

impl From<&AddressText> for AddressView {
    fn from(text: &AddressText) -> AddressView {
        AddressView {
            name: text.name.clone(),
            lines: text.lines.clone(),
            city: text.city.clone(),
            postcode: text.postcode.clone(),
            country: text.country.clone(),
            phone: text.phone.clone(),
            place: text.place.map(PlaceView::from),
        }
    }
}

impl From<AddressView> for AddressText {
    fn from(view: AddressView) -> AddressText {
        AddressText {
            name: view.name,
            lines: view.lines,
            city: view.city,
            postcode: view.postcode,
            country: view.country,
            phone: view.phone,
            place: view.place.map(<(i32, i32)>::from),
        }
    }
}
