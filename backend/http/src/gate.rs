//! The gate: the one way in for every request, and the router made of the table.
//!
//! Order of checks (spec/sync.md 12.3, 12.4): path and method against the table, sizes, doubled headers, rate of the
//! address, token's form, rate of the device, sign-in, role, body. Always: a path is matched as it came, never
//! unpacked or mended, so it has the rights of exactly one route or none; whatever is refused before the sign-in is
//! refused without a read of the store.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header, request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde::Deserialize;
use souk_crypto::hash::sha256;
use souk_domain::id::ShopId;
use souk_domain::outcome::Refusal;
use souk_domain::rights::Action;
use souk_domain::time::Time;
use souk_engine::reader::Caller;
use souk_protocol::auth::parse_token;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

use crate::app::App;
use crate::body;
use crate::call::Call;
use crate::error::ApiError;
use crate::limiter::{Counter, Subject};
use crate::route::{Answered, Body, Rate, Route, Who};
use crate::routes::ROUTES;
use crate::serve::Peer;

/// Bytes of path and query: the names of 64 scopes, and room.
pub(crate) const URI_BYTES_MAX: usize = 8 << 10;
/// Bytes of all headers, names and values: ours have 500.
pub(crate) const HEADER_BYTES_MAX: usize = 16 << 10;
/// Answers above this are packed, bytes (spec/sync.md 5).
pub(crate) const PACK_ABOVE_BYTES: u16 = 1 << 10;
/// Requests of one account = so many times those of one device: the devices that an account may have.
const ACCOUNT_FACTOR: u32 = 5;
/// Requests of one address = so many times those of one device: an office or a school behind one address.
const ADDRESS_FACTOR: u32 = 50;
/// Tokens that nobody knows, from one address.
const UNKNOWN_TOKENS: Rate = Rate::per_min(60);
/// Count of requests with unknown tokens, behind those of the routes.
const UNKNOWN_TOKENS_COUNTER: Counter = Counter::MAX;

/// Headers that may stand once: two of them would let two readers see two things.
const ONCE: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    HeaderName::from_static(IDEMPOTENCY_KEY),
];
/// Carries the intent's id beside a one-intent request.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Every answer tells the server's time, epoch microseconds …
const NOW_HEADER: HeaderName = HeaderName::from_static("souk-now");
/// … and the generation of its data.
const GENERATION_HEADER: HeaderName = HeaderName::from_static("souk-gen");

/// What stands in the place of a path's parameters; nothing can be read where the path is no text once unpacked.
type PathParams = Result<RawPathParams, RawPathParamsRejection>;

/// Routes of one path, with their places in the table.
type OfPath = Vec<(Counter, &'static Route)>;

/// The API.
pub fn router(app: App) -> Router {
    let mut paths: BTreeMap<&'static str, OfPath> = BTreeMap::new();
    for (at, route) in ROUTES.iter().enumerate() {
        paths.entry(route.path).or_default().push((at, route));
    }
    let mut router = Router::new();
    for (path, routes) in paths {
        let routes: &'static [(Counter, &'static Route)] = Vec::leak(routes);
        let handle = move |State(app): State<App>, params: PathParams, request: Request| {
            enter(app, routes, params, request)
        };
        router = router.route(path, any(handle));
    }
    let packing = SizeAbove::new(PACK_ABOVE_BYTES).and(NotForContentType::SSE);
    let packing = CompressionLayer::new().compress_when(packing);
    router.fallback(unknown).layer(packing).with_state(app)
}

async fn unknown(State(app): State<App>) -> Response {
    let now = app.now();
    app.metrics().count(None, 404, 0);
    marked(&app, now, ApiError::new("route.unknown").into_response())
}

/// One request from its path on.
async fn enter(
    app: App,
    routes: &'static [(Counter, &'static Route)],
    params: PathParams,
    request: Request,
) -> Response {
    let (now, started) = (app.now(), std::time::Instant::now());
    let params = params.iter().flatten().map(|(_, value)| value.to_owned()).collect();
    let found = find(routes, &request);
    let counter = found.as_ref().ok().map(|(counter, _)| *counter);
    let answer = match found {
        Ok((counter, route)) => admit(&app, counter, route, params, request, now).await,
        Err(error) => Err(error),
    };
    let response = answer.unwrap_or_else(IntoResponse::into_response);
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    app.metrics().count(counter, response.status().as_u16(), micros);
    marked(&app, now, response)
}

fn marked(app: &App, now: Time, mut response: Response) -> Response {
    response.headers_mut().insert(NOW_HEADER, HeaderValue::from(now.micros()));
    response.headers_mut().insert(GENERATION_HEADER, HeaderValue::from(app.reader().generation()));
    response
}

/// The route of a method. A path that is written in any other way than in the table is not there.
fn find(
    routes: &'static [(Counter, &'static Route)],
    request: &Request,
) -> Result<(Counter, &'static Route), ApiError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'.');
    if !request.uri().path().bytes().all(is_plain) {
        return Err(ApiError::new("route.unknown"));
    }
    let asked = match request.method().as_str() {
        "HEAD" => "GET",
        other => other,
    };
    routes.iter().find(|(_, route)| route.method.name() == asked).copied().ok_or_else(|| {
        let methods: Vec<&str> = routes.iter().map(|(_, route)| route.method.name()).collect();
        ApiError::method(methods.join(", "))
    })
}

async fn admit(
    app: &App,
    counter: Counter,
    route: &'static Route,
    params: Vec<String>,
    request: Request,
    now: Time,
) -> Answered {
    let (parts, http_body) = request.into_parts();
    check_sizes(&parts.uri, &parts.headers)?;
    let peer = peer(app, &parts);
    let mut call = Call {
        app: app.clone(),
        now,
        peer: peer.ip,
        uri: parts.uri,
        headers: parts.headers,
        params,
        body: Default::default(),
    };
    match route.who {
        Who::Public(run) => {
            limit(&call, counter, Subject::address(peer.ip), route.rate)?;
            call.body = read_body(route, &call.headers, http_body).await?;
            run(call).await
        }
        Who::Local(run) => {
            if !peer.is_here {
                return Err(ApiError::new("route.unknown"));
            }
            call.body = read_body(route, &call.headers, http_body).await?;
            run(call).await
        }
        Who::Guest(run) => {
            let caller = match call.headers.contains_key(header::AUTHORIZATION) {
                true => Some(sign_in(&call, counter, route.rate).await?),
                false => {
                    limit(&call, counter, Subject::address(peer.ip), route.rate)?;
                    None
                }
            };
            call.body = read_body(route, &call.headers, http_body).await?;
            run(call, caller).await
        }
        Who::Device(run) => {
            let caller = sign_in(&call, counter, route.rate).await?;
            call.body = read_body(route, &call.headers, http_body).await?;
            run(call, caller).await
        }
        Who::Staff(action, run) => {
            let caller = sign_in(&call, counter, route.rate).await?;
            let shop = staffed(&call, &caller, action).await?;
            call.body = read_body(route, &call.headers, http_body).await?;
            run(call, caller, shop).await
        }
    }
}

fn check_sizes(uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let too_large = |field: &'static str, limit: usize| {
        let refusal = Refusal::new("request.too_large").with("field", field);
        Err(refusal.with("limit", limit as i64).into())
    };
    if uri.path_and_query().map_or(0, |text| text.as_str().len()) > URI_BYTES_MAX {
        return too_large("uri", URI_BYTES_MAX);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > HEADER_BYTES_MAX {
        return too_large("headers", HEADER_BYTES_MAX);
    }
    match ONCE.iter().find(|name| headers.get_all(*name).iter().nth(1).is_some()) {
        Some(name) => Err(Refusal::new("request.form").with("field", name.to_string()).into()),
        None => Ok(()),
    }
}

/// Whose address a request came from.
#[derive(Clone, Copy, Debug)]
struct From {
    ip: IpAddr,
    /// From this machine, through nobody.
    is_here: bool,
}

fn peer(app: &App, parts: &request::Parts) -> From {
    // A router that is called without a connection stands in the same process.
    let direct = parts.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.0.ip());
    let forwarded = parts.headers.get("x-forwarded-for");
    let is_here = direct.to_canonical().is_loopback() && forwarded.is_none();
    let forwarded = forwarded.filter(|_| app.settings().behind_proxy);
    // The last entry is the one that our own proxy has written.
    let told = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    From { ip: told.unwrap_or(direct), is_here }
}

fn limit(call: &Call, counter: Counter, subject: Subject, rate: Rate) -> Result<(), ApiError> {
    let rate = rate.times(call.app.settings().rate_factor);
    call.app.limiter().take(counter, subject, rate, call.now).map_err(ApiError::slow)
}

/// Who comes with the token of a request. Refuses `auth.missing`, `token.unknown`, `token.expired`, `device.revoked`,
/// `server.slow`.
async fn sign_in(call: &Call, counter: Counter, rate: Rate) -> Result<Caller, ApiError> {
    let token = bearer(&call.headers).ok_or(ApiError::new("auth.missing"))?;
    let address = Subject::address(call.peer);
    limit(call, counter, address, rate.times(ADDRESS_FACTOR))?;
    let hash = parse_token(token).map(|(_, secret)| sha256(&secret))?;
    let limiter = call.app.limiter();
    let known = limiter.device_of(&hash);
    let count = |(account, device)| {
        limit(call, counter, Subject::Device(device), rate)?;
        limit(call, counter, Subject::Account(account), rate.times(ACCOUNT_FACTOR))
    };
    match known {
        Some(known) => count(known)?,
        None => limit(call, UNKNOWN_TOKENS_COUNTER, address, UNKNOWN_TOKENS)?,
    }
    let caller = call.app.reader().authenticate(token, call.now).await?;
    if known.is_none() {
        let known = (caller.account.id, caller.device.id);
        limiter.remember(hash, known.0, known.1);
        count(known)?;
    }
    Ok(caller)
}

/// The token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[derive(Deserialize)]
struct ShopQuery {
    shop: Option<String>,
}

/// The shop that a request is about, if the caller's role there may do the action. A stranger learns nothing about it.
async fn staffed(call: &Call, caller: &Caller, action: Action) -> Result<ShopId, ApiError> {
    let unknown = || ApiError::new("shop.unknown");
    let named = call.query::<ShopQuery>()?.shop;
    let named = named.map(|shop| shop.parse().map_err(|_| unknown())).transpose()?;
    let shop = named.or(caller.account.shop).ok_or_else(unknown)?;
    let may = call.app.reader().may(caller.account.id, shop, action).await;
    may.map_err(|error| ApiError::from(error).hidden_as("shop.unknown", &["order.not_party"]))?;
    Ok(shop)
}

async fn read_body(
    route: &Route,
    headers: &HeaderMap,
    http_body: HttpBody,
) -> Result<axum::body::Bytes, ApiError> {
    match route.body {
        Body::None => Ok(Default::default()),
        Body::Json(_, limit) => {
            body::is_json(headers)?;
            body::read(headers, http_body, limit).await
        }
        Body::Raw(limit) => body::read_raw(http_body, limit).await,
    }
}
