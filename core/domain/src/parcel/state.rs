//! Parcel states and the table of legal steps (spec/logistics.md 3.2).

use serde::{Deserialize, Serialize};

/// State of a parcel's fold; order is that of the spec's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ParcelState {
    /// Known.
    Created,
    /// Labelled.
    Ready,
    /// With a courier.
    PickedUp,
    /// In a hub.
    AtHub,
    /// Between places.
    InTransit,
    /// With customs.
    Customs,
    /// On the last way.
    OutForDelivery,
    /// Tried, not delivered.
    Attempted,
    /// Waits to be collected.
    AtPickupPoint,
    /// Handed over.
    Delivered,
    /// Refused at the door.
    Refused,
    /// On the way back.
    Returning,
    /// Back at the seller.
    Returned,
    /// Lost or destroyed.
    Lost,
    /// Label void.
    Cancelled,
}

/// What the table says about a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Legality {
    /// Legal.
    Yes,
    /// Legal for carrier events and for signed events of level E2 and above, with anomaly `gap`.
    Gap,
    /// Same state again: place and time refreshed.
    Same,
    /// The event is kept with anomaly `illegal_step`, the state stays.
    No,
}

/// Rows and columns in the order of [`ParcelState`]: `y` legal, `g` gap, `=` same, `.` illegal.
const STEPS: [&[u8; 15]; 15] = [
    b"=yggggggggg...y",
    b".=yyggggggg...y",
    b"..=yygygyyyyyy.",
    b"...=yyygyggyyy.",
    b"...y=yygyggy.y.",
    b"...yy=gggg.y.y.",
    b"...yg.=yyyyy.y.",
    b"...yg.y=yyyy.y.",
    b"...yg.y.=yyy.y.",
    b".........=.y...",
    b"......y..y=y.y.",
    b"...........=yy.",
    b"............=..",
    b"...yy....g.yg=.",
    b"..............=",
];

impl ParcelState {
    /// All states in the order of the table.
    pub const ALL: [ParcelState; 15] = [
        ParcelState::Created,
        ParcelState::Ready,
        ParcelState::PickedUp,
        ParcelState::AtHub,
        ParcelState::InTransit,
        ParcelState::Customs,
        ParcelState::OutForDelivery,
        ParcelState::Attempted,
        ParcelState::AtPickupPoint,
        ParcelState::Delivered,
        ParcelState::Refused,
        ParcelState::Returning,
        ParcelState::Returned,
        ParcelState::Lost,
        ParcelState::Cancelled,
    ];

    /// What the table says about going to a state.
    pub fn step(self, to: ParcelState) -> Legality {
        match STEPS[self as usize][to as usize] {
            b'y' => Legality::Yes,
            b'g' => Legality::Gap,
            b'=' => Legality::Same,
            _ => Legality::No,
        }
    }

    /// Whether a courier has nothing more to do with it.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            ParcelState::Delivered | ParcelState::Returned | ParcelState::Lost | ParcelState::Cancelled
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the spec, read back row by row, and its named exceptions.
    #[test]
    fn table_has_the_shape_of_the_spec() {
        for state in ParcelState::ALL {
            assert_eq!(state.step(state), Legality::Same, "{state:?}");
        }
        let legal =
            |from: ParcelState| ParcelState::ALL.iter().filter(|to| from.step(**to) == Legality::Yes).count();
        let counts: Vec<usize> = ParcelState::ALL.iter().map(|state| legal(*state)).collect();
        assert_eq!(counts, [2, 3, 9, 7, 6, 4, 7, 7, 6, 1, 4, 2, 0, 3, 0]);
        assert_eq!(ParcelState::Delivered.step(ParcelState::Returning), Legality::Yes);
        assert_eq!(ParcelState::Delivered.step(ParcelState::Attempted), Legality::No);
        assert_eq!(ParcelState::Ready.step(ParcelState::Delivered), Legality::Gap);
        assert_eq!(ParcelState::Cancelled.step(ParcelState::PickedUp), Legality::No);
        assert_eq!(ParcelState::Lost.step(ParcelState::Delivered), Legality::Gap);
    }
}
