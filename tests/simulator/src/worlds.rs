//! The systems that can be simulated, by name.

use crate::toy::Toy;
use crate::world::Scenario;

/// The one that runs when none is named.
pub const DEFAULT: &str = "toy";

/// All of them.
pub fn all() -> [&'static dyn Scenario; 1] {
    [&Toy]
}

/// The one of a name.
pub fn by_name(name: &str) -> Option<&'static dyn Scenario> {
    all().into_iter().find(|scenario| scenario.name() == name)
}
