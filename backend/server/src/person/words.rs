//! Lines for a person, on stderr beside the JSON, and times that a person can read.

use serde_json::Value;
use souk_device::facade::views::{LinkState, OrderDetail, PendingState, PendingView, StatusView};
use souk_device::runtime::Device;
use souk_domain::id::OrderId;
use souk_domain::time::Time;

use super::Role;
use super::outcome::state_word;
use crate::failure::Failure;

/// Members that are points in time, microseconds.
const TIMES: [&str; 8] =
    ["as_of", "ends_at", "expires_at", "made_at", "pay_by", "placed_at", "release_at", "ship_by"];

/// The same with `placed_at_rfc3339` beside `placed_at`, and so for all members that are times.
pub(super) fn with_times(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut out = serde_json::Map::new();
            for (name, value) in members {
                if let (true, Some(micros)) = (TIMES.contains(&name.as_str()), value.as_i64()) {
                    out.insert(format!("{name}_rfc3339"), rfc3339(Time::from_micros(micros)).into());
                }
                out.insert(name, with_times(value));
            }
            Value::Object(out)
        }
        Value::Array(items) => items.into_iter().map(with_times).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// A time as RFC 3339, UTC, whole seconds.
pub(super) fn rfc3339(at: Time) -> String {
    let secs = at.secs();
    let (days, of_day) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar. Years begin in March
/// here, so that the leap day is the last one.
fn civil(days: i64) -> (i64, i64, i64) {
    /// Days from 0000-03-01 to 1970-01-01.
    const TO_1970: i64 = 719_468;
    /// Days of 400 years.
    const ERA: i64 = 146_097;
    let days = days + TO_1970;
    let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Why the server gave no answer, and how old the answers are then.
pub(super) fn no_answer(server: &str, role: Role, status: &StatusView) -> String {
    let why = match status.link {
        LinkState::SignedOut => format!("the sign-in has ended, sign in again: souk {} join", role.name()),
        LinkState::Revoked => "this device was cut off from its account".to_owned(),
        LinkState::Outdated => "this program is too old for the server".to_owned(),
        LinkState::New | LinkState::Online | LinkState::Offline | LinkState::Joining | LinkState::Paused => {
            format!("{server} cannot be reached")
        }
    };
    match status.as_of {
        Some(at) => format!("{why}; this is what the device knew at {}", rfc3339(at)),
        None => format!("{why}; the device has fetched nothing yet"),
    }
}

/// `decided meanwhile: PayStart Wireless earphones · rejected: the order is over`.
pub(super) fn earlier(act: &PendingView) -> String {
    let why = match &act.code {
        Some(code) => format!(": {}", Failure::refused(code, act.facts.clone())),
        None => String::new(),
    };
    let what = if act.state == PendingState::NeedsYou { "waits for you" } else { "decided meanwhile" };
    format!("{what}: {} {} · {}{why}", act.kind, act.title, state_word(act.state))
}

/// The line of an order; none where this side does not see it.
pub(super) async fn order_line(
    device: &Device,
    role: Role,
    order: OrderId,
) -> Result<Option<String>, Failure> {
    let found = match role {
        Role::Buyer => device.call(move |host, now| host.order(order, now)).await,
        Role::Seller => device.call(move |host, now| host.shop_order(order, now)).await,
        Role::Courier => return Ok(None),
    };
    match found {
        Ok(detail) => Ok(Some(line_of(&detail))),
        Err(error) if error.code == "order.unknown" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `order 01a2… · paid · 32000 KRW in escrow`.
fn line_of(detail: &OrderDetail) -> String {
    let word = detail.row.word.name().replace('_', " ");
    let money = if !detail.held.is_zero() {
        format!("{} in escrow", detail.held)
    } else if !detail.released.is_zero() {
        format!("{} released", detail.released)
    } else if !detail.refunded.is_zero() {
        format!("{} back", detail.refunded)
    } else {
        format!("{} to pay", detail.row.total)
    };
    let mark = if detail.row.pending.is_some() { " · not decided yet" } else { "" };
    format!("order {} · {word} · {money}{mark}", detail.row.id)
}

/// The line of a product that was put: its offer, once the server has given it one.
pub(super) fn offer_line(answer: &Value) -> Option<String> {
    let act = answer.get("acts")?.as_array()?.iter().find(|act| act["kind"] == "PutProduct")?;
    let title = act["title"].as_str().unwrap_or_default();
    Some(match act["facts"]["offer"].as_str() {
        Some(offer) => format!("offer {offer} · {title}"),
        None => format!("{title}: the offer's id is known once the server has decided"),
    })
}

/// How many acts wait.
pub(super) fn undecided_line(answer: &Value) -> Option<String> {
    match answer.get("undecided")?.as_u64()? {
        0 => None,
        1 => Some("saved here; 1 act waits for the server's decision".to_owned()),
        more => Some(format!("saved here; {more} acts wait for the server's decision")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_of_rfc_3339() {
        for (secs, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_078_012_799, "2004-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (1_795_348_801, "2026-11-22T12:00:01Z"),
        ] {
            assert_eq!(rfc3339(Time::from_secs(secs)), text);
        }
    }

    #[test]
    fn times_stand_beside_their_numbers() {
        let value = json!({"placed_at": 1_000_000, "row": [{"pay_by": 0, "ship_by": null}], "at": 1});
        assert_eq!(
            with_times(value),
            json!({
                "placed_at": 1_000_000, "placed_at_rfc3339": "1970-01-01T00:00:01Z",
                "row": [{"pay_by": 0, "pay_by_rfc3339": "1970-01-01T00:00:00Z", "ship_by": null}],
                "at": 1,
            })
        );
    }

    #[test]
    fn lines() {
        let put =
            |offer: Value| json!({"acts": [{"kind": "PutProduct", "title": "T", "facts": {"offer": offer}}]});
        assert_eq!(offer_line(&put(json!("01"))).as_deref(), Some("offer 01 · T"));
        let waiting = "T: the offer's id is known once the server has decided";
        assert_eq!(offer_line(&put(Value::Null)).as_deref(), Some(waiting));
        assert_eq!(offer_line(&json!({"acts": []})), None);
        assert_eq!(undecided_line(&json!({"undecided": 0})), None);
        assert!(undecided_line(&json!({"undecided": 2})).unwrap().contains("2 acts wait"));
    }
}
