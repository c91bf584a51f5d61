//! What travels, as one table.
//!
//! A member is a name (with `?` = may be absent) and a form: `id`, `text`, `b64u`, `int`, `time`, `flag`, `any`,
//! `hexN` (N digits), `=word` (this word and no other), `[form]` (a list), or the name of a schema.

/// One schema.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) shape: Shape,
}

/// What a schema is.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Members by name.
    Object(&'static [(&'static str, &'static str)]),
    /// One of these schemas.
    OneOf(&'static [&'static str]),
    /// One of these words.
    Words(&'static [&'static str]),
    /// Any JSON.
    Any,
}

const fn object(
    name: &'static str,
    what: &'static str,
    members: &'static [(&'static str, &'static str)],
) -> Schema {
    Schema { name, what, shape: Shape::Object(members) }
}

const fn one_of(name: &'static str, what: &'static str, forms: &'static [&'static str]) -> Schema {
    Schema { name, what, shape: Shape::OneOf(forms) }
}

const fn words(name: &'static str, what: &'static str, words: &'static [&'static str]) -> Schema {
    Schema { name, what, shape: Shape::Words(words) }
}

/// All schemas.
#[rustfmt::skip]
pub(crate) static SCHEMAS: &[Schema] = &[
    // errors, health
    object("ErrorBody", "Every error.", &[("error", "ErrorView")]),
    object("ErrorView", "Match the code, never the message; facts of the code stand beside it.",
        &[("code", "text"), ("message", "text"), ("report?", "text")]),
    object("Health", "", &[("ok", "=true"), ("now", "time")]),
    Schema { name: "OpenApi", what: "This document.", shape: Shape::Any },

    // money
    object("Money", "An amount in minor units.", &[("minor", "int"), ("currency", "text")]),
    object("Balance", "A sum in minor units, as decimal text: it may pass 2^53.",
        &[("minor", "text"), ("currency", "text")]),

    // sign-in
    object("CodeRequest", "", &[("contact", "text")]),
    object("ChallengeRequest", "", &[("key", "text"), ("install", "hex32")]),
    object("ChallengeResponse", "", &[("challenge", "hex64"), ("expires_at", "time"), ("now", "time")]),
    object("RegisterRequest", "`sig` is over SHA-256(\"souk/device/v1/\" || challenge || key).", &[
        ("contact", "text"), ("code", "text"), ("challenge", "hex64"), ("key", "text"), ("sig", "b64u"),
        ("name?", "text"), ("platform", "text"), ("model?", "text"), ("replaces?", "id"), ("as_courier?", "flag"),
    ]),
    object("RegisterResponse", "", &[
        ("account", "id"), ("device", "id"), ("epoch", "int"), ("access", "text"), ("access_until", "time"),
        ("refresh", "text"), ("refresh_until", "time"), ("now", "time"), ("gen", "int"), ("shop?", "id"),
        ("server_keys", "[ServerKey]"),
    ]),
    object("ServerKey", "", &[("id", "int"), ("public", "hex64")]),
    object("TokenRequest", "", &[("refresh", "text")]),
    object("TokenResponse", "", &[
        ("access", "text"), ("access_until", "time"), ("refresh", "text"), ("refresh_until", "time"),
        ("now", "time"),
    ]),
    object("DevicesResponse", "", &[("devices", "[DeviceView]")]),
    object("DeviceView", "",
        &[("id", "id"), ("label", "text"), ("state", "DeviceState"), ("registered_at", "time")]),
    words("DeviceState", "", &["active", "replaced", "revoked"]),
    object("EpochRequest", "", &[("have", "int")]),
    object("EpochResponse", "", &[("epoch", "int"), ("gen", "int"), ("now", "time")]),
    object("SandboxCodes", "", &[("codes", "[SandboxCode]")]),
    object("SandboxCode", "", &[("code", "text"), ("at", "time")]),

    // push
    object("PushRequest", "At most 256 items and 64 KiB, or one item.", &[
        ("v", "int"), ("app", "text"), ("epoch", "int"), ("gen", "int"), ("items", "[PushItem]"),
    ]),
    one_of("PushItem", "", &["IntentItem", "VoidItem"]),
    object("IntentItem", "", &[
        ("lane", "Lane"), ("bucket", "int"), ("pos", "int"), ("text", "text"), ("bin?", "b64u"), ("sig?", "Sig"),
    ]),
    object("VoidItem", "", &[
        ("lane", "Lane"), ("bucket", "int"), ("pos", "int"), ("id", "id"), ("hash", "hex64"), ("void", "=true"),
    ]),
    words("Lane", "", &["money", "order", "courier", "chat", "bulk"]),
    object("SignedText", "The canonical text of an intent, with what travels beside it.",
        &[("text", "text"), ("bin?", "b64u"), ("sig?", "Sig")]),
    object("Sig", "0 = Ed25519, 1 = ES256.", &[("alg", "int"), ("key", "hex16"), ("s", "b64u")]),
    object("PushResponse", "", &[
        ("gen", "int"), ("now", "time"), ("results", "[PushResult]"), ("slow?", "[Slow]"), ("touch?", "[any]"),
    ]),
    object("Slow", "", &[("lane", "Lane"), ("after_ms", "int")]),
    one_of("PushResult", "", &["Decided", "Conflict", "Later", "Fork", "Refused"]),
    object("Decided", "", &[("id?", "id"), ("state", "=decided"), ("outcome", "Outcome")]),
    object("Conflict", "", &[("id?", "id"), ("state", "=conflict")]),
    object("Later", "", &[("id?", "id"), ("state", "=later"), ("after_ms", "int")]),
    object("Fork", "", &[("id?", "id"), ("state", "=fork"), ("last", "int")]),
    object("Refused", "", &[("id?", "id"), ("state", "=refused"), ("code", "text")]),
    one_of("Outcome", "Never changes.", &["Accepted", "Rejected", "Expired", "Withdrawn"]),
    object("Accepted", "", &[("is", "=accepted"), ("at", "time"), ("data?", "any")]),
    object("Rejected", "", &[("is", "=rejected"), ("code", "text"), ("data?", "any")]),
    object("Expired", "", &[("is", "=expired")]),
    object("Withdrawn", "", &[("is", "=withdrawn")]),
    one_of("IntentResponse", "", &["IntentDecided"]),
    object("IntentDecided", "", &[
        ("gen", "int"), ("now", "time"), ("id?", "id"), ("state", "=decided"), ("outcome", "Outcome"),
        ("touch?", "[any]"),
    ]),

    // pull
    object("PullRequest", "", &[
        ("v", "int"), ("schema", "int"), ("app", "text"), ("epoch", "int"), ("gen", "int"),
        ("scopes", "[ScopeAsked]"), ("touch?", "[any]"), ("max_bytes?", "int"),
    ]),
    object("ScopeAsked", "", &[("id", "text"), ("c?", "text")]),
    object("PullResponse", "", &[("gen", "int"), ("now", "time"), ("scopes", "[ScopePulled]")]),
    one_of("ScopePulled", "", &["ScopeRows", "ScopeReset", "ScopeLater", "ScopeGone"]),
    object("ScopeRows", "", &[
        ("id", "text"), ("kind", "=rows"), ("c", "text"), ("more", "flag"), ("blocks", "[Block]"),
        ("applied?", "[any]"), ("sum?", "hex16"), ("n?", "int"),
    ]),
    object("ScopeReset", "", &[("id", "text"), ("kind", "=reset"), ("why", "ResetWhy")]),
    words("ResetWhy", "", &["floor", "schema", "gen", "key"]),
    object("ScopeLater", "", &[("id", "text"), ("kind", "=later"), ("after_ms", "int")]),
    object("ScopeGone", "", &[("id", "text"), ("kind", "=gone")]),
    object("Block", "Rows of one entity by columns; `data` has one list a column.", &[
        ("e", "int"), ("op", "BlockOp"), ("cols?", "[text]"), ("id", "[id]"), ("ver", "[int]"), ("data?", "[[any]]"),
    ]),
    words("BlockOp", "", &["put", "del"]),
    object("SnapshotResponse", "", &[
        ("gen", "int"), ("now", "time"), ("scope", "text"), ("c", "text"), ("more", "flag"), ("blocks", "[Block]"),
        ("applied?", "[any]"), ("sum?", "hex16"), ("n?", "int"),
    ]),

    // checkout
    object("CheckoutRequest", "", &[("lines", "[CheckoutLine]")]),
    object("CheckoutLine", "", &[("offer", "id"), ("q", "int")]),
    object("DeliveryRequest", "", &[("address", "Address")]),
    object("Address", "`place` is latitude and longitude in 1e-7 degrees.", &[
        ("name", "text"), ("lines", "[text]"), ("city", "text"), ("postcode", "text"), ("country", "text"),
        ("phone", "text"), ("place?", "[int]"),
    ]),
    object("CheckoutResponse", "", &[
        ("id", "id"), ("now", "time"), ("shops", "[ShopTotals]"), ("problems?", "[LineProblem]"),
        ("has_address", "flag"),
    ]),
    object("ShopTotals", "", &[
        ("shop", "id"), ("name", "text"), ("lines", "[PricedLine]"), ("goods", "Money"), ("shipping", "Money"),
        ("tax", "Money"), ("total", "Money"),
    ]),
    object("PricedLine", "",
        &[("offer", "id"), ("title", "text"), ("q", "int"), ("unit", "Money"), ("amount", "Money")]),
    object("LineProblem", "", &[("offer", "id"), ("code", "text")]),
    object("PlaceRequest", "Texts of PlaceOrder, one a shop, and of PayStart.",
        &[("orders", "[SignedText]"), ("pay?", "[SignedText]")]),
    object("PlaceResponse", "", &[
        ("now", "time"), ("orders", "[PushResult]"), ("pay?", "[PushResult]"), ("touch?", "[any]"),
    ]),

    // orders
    object("OrderResponse", "", &[
        ("now", "time"), ("order", "Order"), ("word", "text"), ("parcels?", "[Parcel]"), ("address?", "Address"),
        ("payment?", "Payment"), ("blocker?", "Blocker"),
    ]),
    object("OrdersResponse", "", &[("now", "time"), ("orders", "[Order]"), ("next?", "text")]),
    object("Order", "", &[
        ("id", "id"), ("shop", "id"), ("shop_name", "text"), ("buyer", "id"), ("buyer_key", "text"), ("word", "text"),
        ("state", "OrderState"), ("fund", "Fund"), ("shipment", "ShipmentState"), ("lines", "[Line]"),
        ("total", "Money"), ("tax", "Money"), ("paid", "Money"), ("released", "Money"), ("refunded", "Money"),
        ("unapplied", "Money"), ("placed_at", "time"), ("updated_at", "time"), ("pay_by", "time"),
        ("pay_generation", "int"), ("ship_by?", "time"), ("overdue?", "flag"), ("payment?", "id"),
        ("paid_at?", "time"), ("parcels?", "[id]"), ("salt", "hex32"), ("clock", "any"), ("case?", "any"),
        ("refunds?", "[any]"), ("policy_version", "int"), ("note?", "text"), ("fees?", "Fees"),
        ("settlement?", "any"),
    ]),
    words("OrderState", "", &["CREATED", "OPEN", "COMPLETED", "CANCELLED"]),
    words("Fund", "", &["NONE", "HELD", "PART_RELEASED", "RELEASED", "REFUNDED"]),
    words("ShipmentState", "", &["NONE", "SHIPPED", "DELIVERED", "RETURNING", "RETURNED", "LOST"]),
    object("Line", "", &[
        ("is", "LineIs"), ("offer?", "id"), ("product?", "id"), ("title", "text"), ("q", "int"), ("unit", "Money"),
        ("amount", "Money"), ("tax", "Money"), ("tax_rule", "Tax"), ("paid", "Money"), ("released", "Money"),
        ("refunded", "Money"), ("commission?", "Money"), ("commission_tax?", "Money"),
    ]),
    words("LineIs", "", &["goods", "shipping"]),
    object("Tax", "", &[("ppm", "int"), ("inclusive", "flag"), ("rounding", "text")]),
    object("Fees", "The shop's alone.", &[
        ("plan_version", "int"), ("commission_bp", "int"), ("commission_tax_ppm", "int"), ("courier?", "id"),
    ]),
    object("Payment", "", &[
        ("id", "id"), ("rail", "text"), ("method", "PayMethod"), ("amount", "Money"), ("state", "PaymentState"),
        ("refusal?", "text"), ("at", "time"),
    ]),
    words("PayMethod", "", &["mandate", "payer"]),
    words("PaymentState", "", &["pending", "paid", "refused", "returned"]),
    object("Blocker", "Why an order is not settled yet.", &[("kind", "text"), ("due", "time")]),
    object("Parcel", "", &[
        ("id", "id"), ("waybill", "hex16"), ("order", "id"), ("shop", "id"), ("buyer", "id"), ("courier", "id"),
        ("state", "text"), ("on_hold?", "flag"), ("damaged?", "flag"), ("weight_g", "int"), ("label", "b64u"),
        ("buyer_key", "text"), ("place?", "[int]"), ("chain_tip", "hex64"), ("chain_index", "int"),
        ("holder", "hex16"), ("level", "text"), ("delivered_at?", "time"), ("attempts?", "int"), ("links?", "[any]"),
        ("scans?", "[any]"), ("anomalies?", "[text]"), ("updated_at", "time"),
    ]),
    object("PayCodeResponse", "`code` is an EMVCo merchant-presented code, signed by the platform.", &[
        ("now", "time"), ("order", "id"), ("amount", "Money"), ("code", "text"), ("expires_at", "time"),
    ]),

    // the shop's money
    object("BalanceResponse", "", &[
        ("now", "time"), ("shop", "id"), ("currency", "text"), ("escrow", "Balance"), ("pending", "Balance"),
        ("available", "Balance"), ("owed", "Balance"),
    ]),
    object("CourierBalanceResponse", "", &[("now", "time"), ("account", "id"), ("payable", "[Balance]")]),
    object("StatementResponse", "", &[("now", "time"), ("lines", "[StatementLine]"), ("next?", "text")]),
    object("StatementLine", "", &[
        ("seq", "int"), ("at", "time"), ("transfer", "id"), ("account", "text"), ("posting", "int"),
        ("amount", "Money"), ("balance", "Balance"), ("subject?", "hex32"),
    ]),
];
