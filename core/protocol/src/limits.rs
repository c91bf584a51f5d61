//! Limits of the wire, each once, with unit and reason. Limits of a rule stand in `souk_domain`, of a format in
//! `souk_codes`, of a device's budget in the device. Rules: spec/sync.md 3.4, 5, 12.

/// Bytes of an intent's text: an act that fits no more than this is not one act.
pub const TEXT_BYTES_MAX: usize = 16 << 10;
/// Bytes of the text of PlaceOrder and PutProduct: 200 lines, or one product with its description.
pub const TEXT_LARGE_BYTES_MAX: usize = 64 << 10;
/// Bytes beside a text: an address, or a custody event C (224) with certificate K (143) and short evidence. A photo
/// is not among them; it travels as a blob.
pub const BIN_BYTES_MAX: usize = 4096;

/// Items of one push: one group commit takes them in one go.
pub const PUSH_ITEMS_MAX: usize = 256;
/// Bytes of a push of several items: what a phone sends in one second on a bad network.
pub const PUSH_BYTES_MAX: usize = 64 << 10;
/// Bytes of a push of one item, and of a one-intent request: the largest text, escaped, with its `bin`.
pub const PUSH_BYTES_HARD_MAX: usize = 128 << 10;

/// Scopes of one pull.
pub const PULL_SCOPES_MAX: usize = 64;
/// Rows of one page of a scope: one transaction of the device.
pub const PULL_ROWS_MAX: usize = 10_000;
/// Rows of one page of a private scope, which a device applies whole.
pub const PULL_PRIVATE_ROWS_MAX: usize = 2_000;
/// Bytes of an answer to a pull, when the request names none.
pub const PULL_BYTES_DEFAULT: usize = 256 << 10;
/// Bytes of an answer to a pull, at most; before compression.
pub const PULL_BYTES_MAX: usize = 1 << 20;
/// Bytes of a pull request: 64 scopes with the longest cursor.
pub const PULL_REQUEST_BYTES_MAX: usize = 320 << 10;
/// Parts that a push names as touched and a pull repeats.
pub const TOUCH_MAX: usize = 1_024;
/// Characters of a cursor: about 300 parts.
pub const CURSOR_CHARS_MAX: usize = 4_096;
/// Characters of a scope's name.
pub const SCOPE_CHARS_MAX: usize = 64;

/// Streams of hints of one device.
pub const LIVE_STREAMS_MAX: usize = 1;
/// Seconds between the comments that keep a stream of hints open through proxies.
pub const LIVE_COMMENT_EVERY_S: u64 = 20;
/// Hints a second that one device gets; more are merged.
pub const LIVE_HINTS_PER_S_MAX: u32 = 4;

/// Rows of a page of orders or of a statement.
pub const PAGE_ROWS_MAX: usize = 200;
/// Rows of such a page, when the request names none.
pub const PAGE_ROWS_DEFAULT: usize = 50;
/// Rows of a page of the catalogue snapshot.
pub const SNAPSHOT_ROWS_MAX: usize = 10_000;

/// Characters of a contact: the longest address of RFC 5321.
pub const CONTACT_CHARS_MAX: usize = 254;
/// Digits of a sign-in code.
pub const CODE_DIGITS: usize = 6;
/// Characters of what a device calls itself, of its platform and of an app's name.
pub const LABEL_CHARS_MAX: usize = 80;
/// Bytes of any other request body.
pub const BODY_BYTES_MAX: usize = 64 << 10;
/// Orders placed by one request: the shops of a checkout.
pub const PLACE_ORDERS_MAX: usize = 16;

/// Characters of a name in an address.
pub const ADDRESS_NAME_CHARS_MAX: usize = 100;
/// Street lines of an address: what a label's block holds.
pub const ADDRESS_LINES_MAX: usize = 4;
/// Characters of a street line or of a city.
pub const ADDRESS_LINE_CHARS_MAX: usize = 120;
/// Characters of a postcode or of a phone number in E.164.
pub const ADDRESS_SHORT_CHARS_MAX: usize = 20;

// Requests a minute (an hour where named), counted per device, account and address before any read of the store
// (spec/sync.md 12.4).

/// Pushes a minute.
pub const PUSH_PER_MIN_MAX: u32 = 60;
/// Pulls a minute.
pub const PULL_PER_MIN_MAX: u32 = 120;
/// Streams opened a minute.
pub const LIVE_PER_MIN_MAX: u32 = 6;
/// Token renewals an hour.
pub const TOKEN_PER_HOUR_MAX: u32 = 30;
/// Challenges an hour of one address.
pub const CHALLENGE_PER_HOUR_MAX: u32 = 10;
/// Raised epochs an hour of one device.
pub const EPOCH_PER_HOUR_MAX: u32 = 6;
/// Sign-in codes an hour of one contact.
pub const CODE_PER_HOUR_MAX: u32 = 3;

/// Devices in use of a buyer's account (spec/sync.md 5).
pub const DEVICES_BUYER_MAX: usize = 5;
/// Devices in use of a courier's account.
pub const DEVICES_COURIER_MAX: usize = 2;
/// Devices in use of an account that has a shop, or is of the operator's staff.
pub const DEVICES_STAFF_MAX: usize = 10;
