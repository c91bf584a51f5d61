//! Reads what travels in the tests against the table of schemas, so that the description tells the truth.

use serde_json::Value;

use crate::openapi::codes_of;
use crate::openapi::schemas::{SCHEMAS, Shape};
use crate::route::{Body, Route};
use crate::routes::ROUTES;

/// The route of a request, as the router would find it.
pub(super) fn route_of(method: &str, path: &str) -> Option<&'static Route> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |route: &&Route| {
        let (parts, asked): (Vec<&str>, Vec<&str>) =
            (route.segments().collect(), path.split('/').skip(1).collect());
        route.method.name() == method
            && parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    // A word of the table goes before a parameter.
    ROUTES.iter().filter(fits).min_by_key(|route| route.params().count())
}

/// A request that was answered as asked must have the form that its schema says.
pub(super) fn check_request(route: &Route, body: &Value) {
    if let Body::Json(schema, _) = route.body {
        check(route, schema, body);
    }
}

/// An answer must have the form of its schema, an error one of the codes of its route.
pub(super) fn check_answer(route: &Route, status: u16, body: &Value) {
    if status >= 400 {
        check(route, "ErrorBody", body);
        let code = body["error"]["code"].as_str().unwrap();
        assert!(
            codes_of(route).contains(&code) || code == "route.unknown",
            "{}: {code} is not listed",
            route.path
        );
        assert_eq!(souk_protocol::codes::status_of(code), status, "{code}");
        assert_eq!(body["error"]["report"].as_str().unwrap().len(), 12, "a report names its log entry");
    } else {
        assert_eq!(status, route.status, "{}", route.path);
        if !route.answer.is_empty() {
            check(route, route.answer, body);
        }
    }
}

#[track_caller]
fn check(route: &Route, schema: &str, value: &Value) {
    if let Err(fault) = fits(schema, value) {
        panic!("{} {}: {fault}\n{value:#}", route.method.name(), route.path);
    }
}

fn fits(form: &str, value: &Value) -> Result<(), String> {
    let is = |yes: bool| if yes { Ok(()) } else { Err(format!("{value} is not {form}")) };
    if let Some(item) = form.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let items = value.as_array().ok_or(format!("{value} is no list"))?;
        return items.iter().try_for_each(|value| fits(item, value));
    }
    let is_hex = |digits: usize| {
        let text = value.as_str().unwrap_or_default();
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    if let Some(digits) = form.strip_prefix("hex").and_then(|digits| digits.parse().ok()) {
        return is(is_hex(digits));
    }
    if let Some(word) = form.strip_prefix('=') {
        return is(value.as_str() == Some(word) || (word == "true" && value == &Value::Bool(true)));
    }
    match form {
        "id" => is(is_hex(32)),
        "text" => is(value.is_string()),
        "b64u" => is(value.as_str().is_some_and(|text| souk_protocol::base64url::decode(text).is_some())),
        "int" | "time" => is(value.is_i64() || value.is_u64()),
        "flag" => is(value.is_boolean()),
        "any" => Ok(()),
        name => {
            let schema = SCHEMAS.iter().find(|schema| schema.name == name);
            fits_shape(&schema.ok_or(format!("{name} is no schema"))?.shape, name, value)
        }
    }
}

fn fits_shape(shape: &Shape, name: &str, value: &Value) -> Result<(), String> {
    match shape {
        Shape::Any => Ok(()),
        Shape::Words(words) => match value.as_str() {
            Some(word) if words.contains(&word) => Ok(()),
            _ => Err(format!("{value} is no {name}")),
        },
        Shape::OneOf(forms) => {
            let faults: Vec<String> = forms.iter().filter_map(|form| fits(form, value).err()).collect();
            if faults.len() + 1 == forms.len() {
                Ok(())
            } else {
                Err(format!("{name}: {}", faults.join("; ")))
            }
        }
        Shape::Object(members) => {
            let object = value.as_object().ok_or(format!("{value} is no {name}"))?;
            for (member, form) in *members {
                let (member, is_needed) = match member.strip_suffix('?') {
                    Some(member) => (member, false),
                    None => (*member, true),
                };
                match object.get(member) {
                    Some(value) => fits(form, value).map_err(|fault| format!("{name}.{member}: {fault}"))?,
                    None if is_needed => return Err(format!("{name}.{member} is missing")),
                    None => {}
                }
            }
            let known = |name: &str| members.iter().any(|(member, _)| member.trim_end_matches('?') == name);
            // Facts of a code stand beside it.
            match object.keys().find(|member| name != "ErrorView" && !known(member)) {
                Some(member) => Err(format!("{name}.{member} is not described")),
                None => Ok(()),
            }
        }
    }
}
