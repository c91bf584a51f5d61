//! From a tap to a row: the checks in their order, one canonical text, one signature, one commit (spec/sync.md 3.4).

use rusqlite::Connection;
use souk_crypto::sign::{SignError, Signer, sign_checked};
use souk_domain::bookkeeping::Lane;
use souk_domain::id::{Bucket, IntentId, form_u};
use souk_domain::intent::Body;
use souk_domain::money::Money;
use souk_domain::outcome::Refusal;
use souk_domain::scope::Scope;
use souk_domain::time::{Span, Time};
use souk_protocol::intent::{IntentText, Mint, hash, life, signed_digest};
use souk_protocol::sync::Sig;

use super::{Predicted, RowState, flag};
use crate::clock::{Estimate, Now};
use crate::error::{SoukError, StoreError, StoreResult};
use crate::limits::{BULK_ROWS_MAX, CHAT_ROWS_MAX, OUTBOX_BYTES_MAX, OUTBOX_ROWS_MAX, SMALL_LANES_PERCENT};
use crate::store::meta;
use crate::store::session::Session;

/// What a tap wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tap {
    /// What is to be done.
    pub body: Body,
    /// Bytes beside the text: address, custody event.
    pub bin: Vec<u8>,
    /// The most that it may charge.
    pub max_total: Option<Money>,
    /// How long it may wait; none = the default of its kind.
    pub life: Option<Span>,
    /// The own copy that stays: what was ordered, by its words.
    pub copy: serde_json::Value,
}

impl Tap {
    /// A tap of a body alone.
    pub fn of(body: Body) -> Tap {
        Tap { body, bin: Vec::new(), max_total: None, life: None, copy: serde_json::Value::Null }
    }
}

/// A tap with its text: everything of a row but prediction and signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Draft {
    pub(crate) tap: Tap,
    pub(crate) text: IntentText,
    pub(crate) canonical: String,
    pub(crate) home: Scope,
    pub(crate) bucket: Bucket,
    pub(crate) is_sure: bool,
}

/// Name in `meta` of the number that the next intent gets.
const NEXT_DEV_SEQ: &str = "next_dev_seq";

const INSERT: &str =
    "INSERT INTO outbox(id, reg, dev_seq, made_epoch, kind, home, lane, bucket, text, hash, bin, sig,
    made_at, not_after, made_boot, made_mono, epoch, state, flags, predicted)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?4, ?17, ?18, ?19)";
const KEPT: &str = "INSERT OR IGNORE INTO kept(id, kind, at, copy) VALUES (?1, ?2, ?3, ?4)";
const BUDGET: &str =
    "SELECT count(*), coalesce(sum(length(text) + length(bin)), 0), coalesce(sum(lane = ?1), 0)
    FROM outbox WHERE state < 3";

/// The scope that will show what a body does; `own_shop` = the shop that acts, if it is one's own.
pub(crate) fn home_of(body: &Body, session: &Session, own_shop: Option<souk_domain::id::ShopId>) -> Scope {
    let seller = || own_shop.map_or(Scope::Account(session.account), Scope::Seller);
    match body {
        Body::PutProduct(_)
        | Body::SetOfferState { .. }
        | Body::SetPrice { .. }
        | Body::SetStock { .. }
        | Body::CancelOrder { .. }
        | Body::RefundOrder { .. }
        | Body::MakeLabels { .. }
        | Body::Ship { .. } => seller(),
        Body::OpenShift { .. } | Body::CloseShift { .. } | Body::AppendCustody { .. } => {
            Scope::Route(session.account)
        }
        Body::OpenShop(_)
        | Body::SetCartLine { .. }
        | Body::PutCheckout { .. }
        | Body::PlaceOrder(_)
        | Body::PayStart { .. }
        | Body::OpenCase { .. }
        | Body::Confirm { .. }
        | Body::ConfirmHandOver { .. }
        | Body::Server(_) => Scope::Account(session.account),
    }
}

/// How long an intent may wait when nobody says: a confirmation that comes late does no harm, so it gets the longest.
fn life_of(tap: &Tap) -> Span {
    let life_of_kind = life(&tap.body);
    match &tap.body {
        Body::Confirm { .. } => life_of_kind.max,
        _ => tap.life.map_or(life_of_kind.default, |wanted| wanted.min(life_of_kind.max)),
    }
}

/// Steps 1 and 2: makes the text. Refuses the field errors of the kind, `intent.too_large{limit, size}`,
/// `intent.bucket`.
pub(crate) fn draft(
    tap: Tap,
    session: &Session,
    dev_seq: u64,
    clock: Estimate,
    own_shop: Option<souk_domain::id::ShopId>,
    random: [u8; 9],
) -> Result<Draft, SoukError> {
    let unix_ms = u64::try_from(clock.at.millis()).unwrap_or(0);
    // Acts on the account carry the account's bucket; all others that of their row.
    let of_account = IntentId::from_bytes(form_u(unix_ms, session.account.bucket(), random));
    let of_account = of_account.map_err(|_| Refusal::new("id.form"))?;
    let bucket = tap.body.bucket(of_account.into()).ok_or(Refusal::new("intent.bucket"))?;
    let id = IntentId::from_bytes(form_u(unix_ms, bucket, random)).map_err(|_| Refusal::new("id.form"))?;
    let mint = Mint {
        id,
        account: session.account,
        device: session.device,
        epoch: session.epoch,
        dev_seq,
        made_at: clock.at,
        made_err_ms: clock.err_ms_text(),
        not_after: clock.at.plus(life_of(&tap)),
        max_total: tap.max_total,
    };
    let text = IntentText::of(mint, &tap.body, &tap.bin)?;
    let canonical = text.compose()?;
    // What a server would refuse by form is refused here: the text is read back as the server reads it.
    IntentText::parse(&canonical)?.intent(tap.bin.clone())?;
    let home = home_of(&tap.body, session, own_shop);
    Ok(Draft { tap, text, canonical, home, bucket, is_sure: clock.is_sure() })
}

/// The number that the next intent gets.
pub(crate) fn next_dev_seq(user: &Connection) -> StoreResult<u64> {
    Ok(meta::number(user, NEXT_DEV_SEQ)?.max(1))
}

/// Step 3: room in the outbox. Refuses `outbox.full{lane, limit}`.
pub(crate) fn check_budget(user: &Connection, lane: Lane, bytes: usize) -> Result<(), SoukError> {
    let (rows, stored, of_lane): (i64, i64, i64) = user
        .prepare_cached(BUDGET)
        .and_then(|mut statement| {
            statement.query_row([lane.number()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
        .map_err(StoreError::from)?;
    let (rows, stored, of_lane) = (rows as usize, stored as usize, of_lane as usize);
    let share = |limit: usize| match lane {
        Lane::Money | Lane::Order | Lane::Courier => limit,
        Lane::Chat | Lane::Bulk => limit / 100 * SMALL_LANES_PERCENT,
    };
    let lane_rows_max = match lane {
        Lane::Money | Lane::Order | Lane::Courier => OUTBOX_ROWS_MAX,
        Lane::Chat => CHAT_ROWS_MAX,
        Lane::Bulk => BULK_ROWS_MAX,
    };
    let full = |limit: usize| {
        let refusal = Refusal::new("outbox.full").with("lane", lane.name()).with("limit", limit as i64);
        Err(refusal.into())
    };
    if rows >= share(OUTBOX_ROWS_MAX) {
        return full(share(OUTBOX_ROWS_MAX));
    }
    if stored + bytes > share(OUTBOX_BYTES_MAX) {
        return full(share(OUTBOX_BYTES_MAX));
    }
    if of_lane >= lane_rows_max {
        return full(lane_rows_max);
    }
    Ok(())
}

/// Step 5: the device's signature, where the kind needs one. Refuses `sign.*`; nothing is queued then.
pub(crate) fn sign(
    text: &IntentText,
    canonical: &str,
    needs_signature: bool,
    signer: &dyn Signer,
) -> Result<Option<Sig>, SignError> {
    if !needs_signature {
        return Ok(None);
    }
    let Mint { id, dev_seq, epoch, .. } = text.mint;
    let d = signed_digest(id, &hash(canonical), dev_seq, epoch);
    let signature = sign_checked(signer, &d)?;
    Ok(Some(Sig::of(&signer.public_key(), signature)))
}

/// The rows of one tap; the caller commits. Answers the intent's id.
pub(crate) fn insert(
    tx: &Connection,
    draft: &Draft,
    session: &Session,
    sig: Option<&Sig>,
    predicted: Option<&Predicted>,
    now: Now,
) -> StoreResult<IntentId> {
    let Mint { id, dev_seq, epoch, made_at, not_after, .. } = draft.text.mint;
    let json = |what| move |_| StoreError::Form { table: "outbox", what };
    let sig = sig.map(serde_json::to_vec).transpose().map_err(json("sig"))?;
    let predicted = predicted.map(serde_json::to_string).transpose().map_err(json("predicted"))?;
    let flags = if draft.is_sure { 0 } else { flag::UNSURE };
    tx.prepare_cached(INSERT)?.execute(rusqlite::params![
        id.bytes().as_slice(),
        session.reg,
        dev_seq as i64,
        epoch,
        draft.text.kind,
        draft.home.to_string(),
        draft.tap.body.lane().number(),
        draft.bucket.number(),
        draft.canonical,
        hash(&draft.canonical).as_slice(),
        draft.tap.bin,
        sig,
        made_at.micros(),
        not_after.micros(),
        now.boot as i64,
        now.mono_ms as i64,
        RowState::Queued.number(),
        flags,
        predicted,
    ])?;
    meta::put_json(tx, NEXT_DEV_SEQ, &(dev_seq + 1))?;
    let copy = serde_json::to_string(&draft.tap.copy).map_err(json("copy"))?;
    tx.prepare_cached(KEPT)?.execute((id.bytes().as_slice(), &draft.text.kind, made_at.micros(), copy))?;
    Ok(id)
}

/// An own copy of an act, kept for good.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Kept {
    /// Kind name.
    pub(crate) kind: String,
    /// When it was tapped.
    pub(crate) at: Time,
    /// What was wanted, as the tap said it.
    pub(crate) copy: serde_json::Value,
}

/// The own copy of an act.
pub(crate) fn kept(user: &Connection, id: IntentId) -> StoreResult<Option<Kept>> {
    use rusqlite::OptionalExtension;
    let row: Option<(String, i64, String)> = user
        .prepare_cached("SELECT kind, at, copy FROM kept WHERE id = ?1")?
        .query_row([id.bytes().as_slice()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((kind, at, copy)) = row else { return Ok(None) };
    let copy = serde_json::from_str(&copy).map_err(|_| StoreError::Form { table: "kept", what: "copy" })?;
    Ok(Some(Kept { kind, at: Time::from_micros(at), copy }))
}
