//! An item of a push, read: its text parsed, hashed and its signature checked, once, whatever the number of times that
//! a batch is decided.
//!
//! Nothing here reads rows. What is found wrong is kept as a refusal, because the engine checks other things first
//! (spec/sync.md 4.2).

use souk_crypto::hash::sha256;
use souk_domain::bookkeeping::Lane;
use souk_domain::context::Actor;
use souk_domain::id::{Bucket, DeviceId, IntentId};
use souk_domain::intent::Intent;
use souk_domain::outcome::Refusal;
use souk_domain::party::DeviceKey;
use souk_protocol::intent::{IntentText, Mint, hash, peek_id, signed_digest};
use souk_protocol::sync::{PushItem, Sig, SignedText};

/// Where an item stands in its stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) bucket: Bucket,
    pub(crate) lane: Lane,
    pub(crate) pos: u64,
}

/// An item, read.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// None = too broken to have one.
    pub(crate) id: Option<IntentId>,
    /// Hash of the text.
    pub(crate) hash: [u8; 32],
    /// None for a one-intent request.
    pub(crate) place: Option<Place>,
    pub(crate) what: What,
}

/// What an item is.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Takes an intent back.
    Void,
    /// An intent.
    Text(Box<Text>),
    /// Neither.
    Malformed,
}

/// A text and what was found out about it.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) sig: Option<Sig>,
    /// The envelope, or why it cannot be read.
    pub(crate) mint: Result<Mint, Refusal>,
    /// The intent, or why it is none.
    pub(crate) intent: Result<Intent, Refusal>,
    /// Kind name, for the stored row.
    pub(crate) kind: String,
    /// The device whose key the signature was found good under.
    signed_by: Option<DeviceId>,
}

impl Prepared {
    pub(crate) fn of_item(item: PushItem, actor: &Actor) -> Prepared {
        match item {
            PushItem::Intent(item) => {
                let place = Place { bucket: item.bucket, lane: item.lane, pos: item.pos };
                Prepared::of_text(Some(place), item.signed, actor)
            }
            PushItem::Void(item) => Prepared {
                id: Some(item.id),
                hash: item.hash,
                place: Some(Place { bucket: item.bucket, lane: item.lane, pos: item.pos }),
                what: What::Void,
            },
            PushItem::Malformed(_) => {
                Prepared { id: None, hash: sha256(&[]), place: None, what: What::Malformed }
            }
        }
    }

    pub(crate) fn of_text(place: Option<Place>, signed: SignedText, actor: &Actor) -> Prepared {
        let SignedText { text, bin, sig } = signed;
        let hash = hash(&text);
        let (mint, intent, kind) = match IntentText::parse(&text) {
            Ok(parsed) => {
                let intent = parsed.intent(bin).and_then(|intent| match place {
                    Some(place) if place.lane != intent.body.lane() => {
                        Err(Refusal::new("intent.form").with("field", "lane"))
                    }
                    Some(_) | None => Ok(intent),
                });
                (Ok(parsed.mint), intent, parsed.kind)
            }
            Err(refusal) => (Err(refusal.clone()), Err(refusal), String::new()),
        };
        let id = mint.as_ref().ok().map(|mint| mint.id).or_else(|| peek_id(&text));
        let mut text = Text { text, sig, mint, intent, kind, signed_by: None };
        if let Actor::User { device, key, .. } = actor
            && text.mint.as_ref().is_ok_and(|mint| mint.device == *device)
            && text.verify(&hash, key)
        {
            text.signed_by = Some(*device);
        }
        Prepared { id, hash, place, what: What::Text(Box::new(text)) }
    }
}

impl Text {
    /// Whether the text carries this device's signature.
    pub(crate) fn is_signed_by(&self, hash: &[u8; 32], device: DeviceId, key: &DeviceKey) -> bool {
        self.signed_by == Some(device) || self.verify(hash, key)
    }

    fn verify(&self, hash: &[u8; 32], key: &DeviceKey) -> bool {
        let (Some(sig), Ok(mint)) = (&self.sig, &self.mint) else { return false };
        sig.verify(key.public_key(), &signed_digest(mint.id, hash, mint.dev_seq, mint.epoch))
    }
}
