//! Strength of a delivery's evidence (spec/logistics.md 4.7); what it does to money stands in spec/money.md 4.4.

use serde::{Deserialize, Serialize};

/// E0 < EC < E1 < E2 < E3 < E4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Level {
    /// Our courier's word alone.
    #[default]
    E0,
    /// An outside carrier's word.
    EC,
    /// Photo and place.
    E1,
    /// PIN or web confirmation.
    E2,
    /// The buyer's signed hand-over, without a good place.
    E3,
    /// The buyer's signed hand-over bound to the label, at the place.
    E4,
}
