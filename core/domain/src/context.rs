//! What a decision may know besides its rows: the time, the actor, reference data, random bytes, and on the server
//! the platform's seal.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, DeviceId};
use crate::money::{Bp, Ppm};
use crate::parcel::Level;
use crate::party::{AccountRoles, DeviceKey};
use crate::time::{Span, Time};

/// What a decision may know besides its rows.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The time of the decision.
    pub now: Time,
    /// Who acts.
    pub actor: &'a Actor,
    /// Reference data of the market.
    pub reference: &'a Reference,
    /// Random bytes derived from a server secret and the intent's id; on a device any bytes do.
    pub random: [u8; 32],
    /// The platform's signing keys: none on a device, which predicts what needs them as unknown.
    pub seal: Option<&'a dyn Seal>,
}

/// The platform's Ed25519 keys (deterministic, so that a decision stays pure).
pub trait Seal {
    /// The id of the key in use.
    fn key_id(&self) -> u8;
    /// Signs 32 bytes with the key in use.
    fn sign(&self, d: &[u8; 32]) -> [u8; 64];
}

/// Who acts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Actor {
    /// A signed-in account on one of its devices.
    User {
        /// The account.
        account: AccountId,
        /// The device.
        device: DeviceId,
        /// The device's key.
        key: DeviceKey,
        /// What the account is approved as.
        roles: AccountRoles,
    },
    /// The server itself: rail facts, timers, hand-offs, registration.
    Server,
}

impl Actor {
    /// The account, if it is a user.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Actor::User { account, .. } => Some(*account),
            Actor::Server => None,
        }
    }
}

/// Reference data of a market: travels in `ref/<market>`, and its version stands in every outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reference {
    /// Rises with each change.
    pub version: u32,
    /// Deadlines and delays.
    pub policies: Policies,
    /// Commission.
    pub fee_plan: FeePlan,
    /// The platform's public keys by id (labels, certificates, payment codes).
    pub platform_keys: Vec<PlatformKey>,
    /// Reverse domain in our payment codes (spec/money.md 2.5).
    pub emv_guid: String,
}

/// A public key of the platform.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlatformKey {
    /// One byte in codes and labels, 01-7F.
    pub id: u8,
    /// Ed25519.
    #[serde(with = "crate::bytes")]
    pub public: [u8; 32],
}

impl Reference {
    /// A platform key by its id.
    pub fn platform_key(&self, id: u8) -> Option<&[u8; 32]> {
        self.platform_keys.iter().find(|key| key.id == id).map(|key| &key.public)
    }
}

/// Policy rows with their defaults (spec/money.md 4.2, 4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policies {
    /// An unpaid order ends.
    pub pay_window_us: Span,
    /// PayStart moves the end of the window to at least this far from now, once.
    pub pay_extend_us: Span,
    /// A paid order should be shipped.
    pub ship_deadline_us: Span,
    /// A paid order that was never shipped is refunded.
    pub ship_auto_cancel_us: Span,
    /// A buyer may take a paid order back without asking, while no label is made.
    pub cancel_free_us: Span,
    /// Silence of the seller on a refund request counts as consent.
    pub case_silence_us: Span,
    /// Delay from delivery to release with E2.
    pub release_e2_us: Span,
    /// Delay with E1.
    pub release_e1_us: Span,
    /// Delay with an outside carrier's word.
    pub release_ec_us: Span,
    /// Released money becomes available to the seller.
    pub reserve_us: Span,
    /// A rail that has not answered for so long is a blocker.
    pub rail_unknown_us: Span,
}

impl Policies {
    /// The defaults of spec/money.md.
    pub const DEFAULT: Policies = Policies {
        pay_window_us: Span::from_minutes(30),
        pay_extend_us: Span::from_minutes(10),
        ship_deadline_us: Span::from_hours(72),
        ship_auto_cancel_us: Span::from_days(14),
        cancel_free_us: Span::from_minutes(30),
        case_silence_us: Span::from_hours(24),
        release_e2_us: Span::from_hours(24),
        release_e1_us: Span::from_days(7),
        release_ec_us: Span::from_days(10),
        reserve_us: Span::from_days(7),
        rail_unknown_us: Span::from_minutes(15),
    };

    /// Delay from delivery to release; `None` = no timer (spec/money.md 4.4).
    pub fn release_delay(&self, level: Level) -> Option<Span> {
        match level {
            Level::E0 => None,
            Level::EC => Some(self.release_ec_us),
            Level::E1 => Some(self.release_e1_us),
            Level::E2 => Some(self.release_e2_us),
            Level::E3 | Level::E4 => Some(Span::from_micros(0)),
        }
    }
}

/// Commission (spec/market.md 5.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FeePlan {
    /// Version, frozen in each order.
    pub version: u32,
    /// Commission on goods; the default is 0.
    pub commission: Bp,
    /// Tax on the commission.
    pub commission_tax: Ppm,
}
