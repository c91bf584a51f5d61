//! What each route does: converts, calls, converts back. No rules.

pub(crate) mod catalogue;
pub(crate) mod checkouts;
pub(crate) mod courier;
pub(crate) mod devices;
pub(crate) mod intents;
pub(crate) mod operation;
pub(crate) mod orders;
pub(crate) mod seller;
pub(crate) mod sign_in;
pub(crate) mod sync;
pub(crate) mod webhooks;
