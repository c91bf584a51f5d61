//! The systems that can be simulated, by name.

use crate::product::Product;
use crate::toy::Toy;
use crate::world::Scenario;

/// The one that runs when none is named.
pub const DEFAULT: &str = "product";

/// All of them.
pub fn all() -> [&'static dyn Scenario; 2] {
    [&Product, &Toy]
}

/// The one of a name.
pub fn by_name(name: &str) -> Option<&'static dyn Scenario> {
    all().into_iter().find(|scenario| scenario.name() == name)
}
