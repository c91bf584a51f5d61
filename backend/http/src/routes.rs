//! The table of all routes. Router, rights, limits, `/openapi.json` and the tests' tables follow from it.

use souk_domain::rights::Action;
use souk_protocol::limits::{
    BODY_BYTES_MAX, CHALLENGE_PER_HOUR_MAX, EPOCH_PER_HOUR_MAX, LIVE_PER_MIN_MAX, PULL_PER_MIN_MAX,
    PULL_REQUEST_BYTES_MAX, PUSH_BYTES_HARD_MAX, PUSH_PER_MIN_MAX,
};
use souk_rails::webhook::WEBHOOK_BODY_BYTES_MAX;

use crate::gate::IDEMPOTENCY_KEY;
use crate::handlers::{
    catalogue, checkouts, courier, devices, intents, operation, orders, seller, sign_in, sync, webhooks,
};
use crate::route::{Body, Method, Param, Rate, Route, Who};

/// Requests of a person who looks at orders and balances, a minute.
const READS: Rate = Rate::per_min(240);
/// Acts of a person on the web, a minute.
const ACTS: Rate = Rate::per_min(120);
/// Renewals of one address: an office or a school behind one address. Those of one device are counted apart.
const RENEWALS_OF_ADDRESS: Rate = Rate::per_hour(1_500);
/// Registrations of one address.
const REGISTRATIONS: Rate = Rate::per_hour(20);
/// Codes of one address; those of its network block and of each contact are counted apart.
const CODES: Rate = Rate::per_hour(20);
/// Pages of the catalogue that one address reads.
const PAGES: Rate = Rate::per_min(120);
/// What a rail tells from one address: bursts after an outage.
const EVENTS: Rate = Rate::per_min(6_000);
/// Looks of a monitor or a load balancer.
const LOOKS: Rate = Rate::per_min(600);

/// A handler as the table holds it.
macro_rules! run {
    ($handler:path) => {
        |call| Box::pin($handler(call))
    };
    ($handler:path, device) => {
        |call, caller| Box::pin($handler(call, caller))
    };
    ($handler:path, staff) => {
        |call, caller, shop| Box::pin($handler(call, caller, shop))
    };
}

const SHOP: Param = Param { name: "shop", what: "the shop; the account's own when it is absent" };
const AFTER: Param = Param { name: "after", what: "`next` of the page before" };
const LIMIT: Param = Param { name: "limit", what: "rows, 1 to 200; 50 when it is absent" };

/// What most rows say.
const ROUTE: Route = Route {
    method: Method::Get,
    path: "",
    who: Who::Public(run!(operation::health)),
    body: Body::None,
    rate: READS,
    query: &[],
    headers: &[],
    summary: "",
    answer: "",
    status: 200,
    codes: &[],
};

/// All routes.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        method: Method::Post,
        path: "/v1/auth/code",
        who: Who::Public(run!(sign_in::code_send)),
        body: Body::Json("CodeRequest", BODY_BYTES_MAX),
        rate: CODES,
        summary: "Sends a sign-in code to a contact; the answer is the same whether the contact is known or not",
        status: 204,
        codes: &["auth.contact"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/auth/token",
        who: Who::Public(run!(sign_in::token_renew)),
        body: Body::Json("TokenRequest", BODY_BYTES_MAX),
        rate: RENEWALS_OF_ADDRESS,
        summary: "Gives new tokens for a refresh token; the former one stays good until the new one is used",
        answer: "TokenResponse",
        codes: &["token.unknown", "token.expired", "token.reused", "device.revoked"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/devices/challenge",
        who: Who::Public(run!(sign_in::challenge_get)),
        body: Body::Json("ChallengeRequest", BODY_BYTES_MAX),
        rate: Rate::per_hour(CHALLENGE_PER_HOUR_MAX),
        summary: "Gives a device key 32 bytes to sign",
        answer: "ChallengeResponse",
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/devices",
        who: Who::Public(run!(devices::device_register)),
        body: Body::Json("RegisterRequest", BODY_BYTES_MAX),
        rate: REGISTRATIONS,
        summary: "Registers a device, opening the account when the contact is new",
        answer: "RegisterResponse",
        status: 201,
        codes: &[
            "auth.challenge",
            "auth.code",
            "auth.contact",
            "auth.signature",
            "device.known",
            "device.revoked",
            "device.too_many",
            "policy.off",
        ],
        ..ROUTE
    },
    Route {
        path: "/v1/devices",
        who: Who::Device(run!(devices::device_list, device)),
        summary: "The account's devices",
        answer: "DevicesResponse",
        ..ROUTE
    },
    Route {
        method: Method::Delete,
        path: "/v1/devices/{id}",
        who: Who::Device(run!(devices::device_revoke, device)),
        rate: ACTS,
        summary: "Cuts a device of the account off",
        status: 204,
        codes: &["device.unknown"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/devices/me/epoch",
        who: Who::Device(run!(devices::device_epoch, device)),
        body: Body::Json("EpochRequest", BODY_BYTES_MAX),
        rate: Rate::per_hour(EPOCH_PER_HOUR_MAX),
        summary: "Raises the device's epoch above what both sides know",
        answer: "EpochResponse",
        codes: &["device.epoch"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/sync/push",
        who: Who::Device(run!(sync::push, device)),
        body: Body::Json("PushRequest", PUSH_BYTES_HARD_MAX),
        rate: Rate::per_min(PUSH_PER_MIN_MAX),
        summary: "Decides the intents of a device, in the order of their streams",
        answer: "PushResponse",
        codes: &["app.too_old", "device.epoch"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/sync/pull",
        who: Who::Guest(run!(sync::pull, device)),
        body: Body::Json("PullRequest", PULL_REQUEST_BYTES_MAX),
        rate: Rate::per_min(PULL_PER_MIN_MAX),
        summary: "What has changed in the scopes that a device follows; without a token in public ones",
        answer: "PullResponse",
        codes: &["app.too_old", "device.epoch"],
        ..ROUTE
    },
    Route {
        path: "/v1/sync/live",
        who: Who::Device(run!(sync::live_open, device)),
        rate: Rate::per_min(LIVE_PER_MIN_MAX),
        query: &[Param { name: "scopes", what: "scopes to be hinted about, by commas; needed" }],
        summary: "Server-sent events that say which scope has changed; one stream a device, the newest one",
        codes: &["scope.unknown"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/intents/{kind}",
        who: Who::Device(run!(intents::intent_decide, device)),
        body: Body::Json("SignedText", PUSH_BYTES_HARD_MAX),
        rate: ACTS,
        headers: &[Param { name: IDEMPOTENCY_KEY, what: "the intent's id" }],
        summary: "Decides one intent; a repeat gets the same outcome",
        answer: "IntentResponse",
        codes: &["intent.actor", "intent.bucket", "intent.conflict", "intent.form", "intent.kind"],
        ..ROUTE
    },
    Route {
        method: Method::Put,
        path: "/v1/checkouts/{id}",
        who: Who::Device(run!(checkouts::checkout_put, device)),
        body: Body::Json("CheckoutRequest", BODY_BYTES_MAX),
        rate: ACTS,
        summary: "Writes the lines of a checkout and answers what they come to",
        answer: "CheckoutResponse",
        codes: &["checkout.unknown", "intent.bucket", "order.lines"],
        ..ROUTE
    },
    Route {
        method: Method::Put,
        path: "/v1/checkouts/{id}/delivery",
        who: Who::Device(run!(checkouts::checkout_deliver, device)),
        body: Body::Json("DeliveryRequest", BODY_BYTES_MAX),
        rate: ACTS,
        summary: "Writes the address of a checkout and answers what its lines come to",
        answer: "CheckoutResponse",
        codes: &["addr.required", "checkout.unknown", "intent.bucket"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/checkouts/{id}/place",
        who: Who::Device(run!(checkouts::checkout_place, device)),
        body: Body::Json("PlaceRequest", PLACE_BYTES_MAX),
        rate: ACTS,
        summary: "Places one order a shop by signed texts, and begins their payments",
        answer: "PlaceResponse",
        codes: &["checkout.unknown"],
        ..ROUTE
    },
    Route {
        path: "/v1/orders/{id}",
        who: Who::Device(run!(orders::order_get, device)),
        summary: "One order with all around it, for its buyer and its shop",
        answer: "OrderResponse",
        codes: &["auth.forbidden", "order.unknown"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/orders/{id}/pay-code",
        who: Who::Device(run!(orders::pay_code_make, device)),
        rate: ACTS,
        summary: "The QR code that pays an order, signed by the platform",
        answer: "PayCodeResponse",
        codes: &["auth.forbidden", "order.already_paid", "order.closed", "order.unknown"],
        ..ROUTE
    },
    Route {
        path: "/v1/seller/orders",
        who: Who::Staff(Action::OrderRead, run!(seller::order_list, staff)),
        query: &[SHOP, AFTER, LIMIT],
        summary: "A page of a shop's orders, newest first",
        answer: "OrdersResponse",
        ..ROUTE
    },
    Route {
        path: "/v1/seller/balance",
        who: Who::Staff(Action::FinanceRead, run!(seller::balance_get, staff)),
        query: &[SHOP],
        summary: "What a shop has: in escrow, in reserve, to be paid out",
        answer: "BalanceResponse",
        ..ROUTE
    },
    Route {
        path: "/v1/seller/statement",
        who: Who::Staff(Action::FinanceRead, run!(seller::statement_list, staff)),
        query: &[SHOP, AFTER, LIMIT],
        summary: "What moved on a shop's accounts, oldest first",
        answer: "StatementResponse",
        ..ROUTE
    },
    Route {
        path: "/v1/courier/balance",
        who: Who::Device(run!(courier::balance_get, device)),
        summary: "What the account is owed as a courier, by currency",
        answer: "CourierBalanceResponse",
        ..ROUTE
    },
    Route {
        path: "/v1/catalogue/snapshot",
        who: Who::Public(run!(catalogue::snapshot_list)),
        rate: PAGES,
        query: &[AFTER, Param { name: "limit", what: "rows, at most and by default 10000" }],
        summary: "The public catalogue, page by page",
        answer: "SnapshotResponse",
        codes: &["scope.unknown"],
        ..ROUTE
    },
    Route {
        method: Method::Post,
        path: "/v1/rails/{rail}/webhook",
        who: Who::Public(run!(webhooks::event_take)),
        body: Body::Raw(WEBHOOK_BODY_BYTES_MAX),
        rate: EVENTS,
        summary: "Takes the signed events of a payment rail in",
        codes: &["request.form", "route.unknown", "webhook.signature"],
        ..ROUTE
    },
    Route {
        path: "/healthz",
        who: Who::Public(run!(operation::health)),
        rate: LOOKS,
        summary: "Whether the process works and the store can be read",
        answer: "Health",
        ..ROUTE
    },
    Route {
        path: "/readyz",
        who: Who::Public(run!(operation::readiness)),
        rate: LOOKS,
        summary: "Whether requests should be sent here",
        answer: "Health",
        codes: &["server.busy"],
        ..ROUTE
    },
    Route {
        path: "/metrics",
        who: Who::Local(run!(operation::metrics_get)),
        summary: "Counts in the text form of Prometheus, for this machine alone",
        ..ROUTE
    },
    Route {
        path: "/openapi.json",
        who: Who::Public(run!(operation::openapi_get)),
        rate: PAGES,
        summary: "This description",
        answer: "OpenApi",
        ..ROUTE
    },
    Route {
        path: "/_sandbox/codes",
        who: Who::Public(run!(sign_in::sandbox_codes)),
        rate: ACTS,
        query: &[Param { name: "contact", what: "the contact; needed" }],
        summary: "Sign-in codes that a sandbox would have sent; not there in real life",
        answer: "SandboxCodes",
        codes: &["auth.contact", "route.unknown"],
        ..ROUTE
    },
];

/// Bytes of a request that places orders: eight of the largest texts with their addresses.
const PLACE_BYTES_MAX: usize = 8 * PUSH_BYTES_HARD_MAX;
