//! How often somebody may ask: per device, account and address, before any read of the store (spec/sync.md 12.4).
//!
//! Not for: tries of sign-in codes, which the code desk counts by contact. Always: `most` requests may come at once,
//! the next one is told how long to wait; memory is bounded whatever comes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use souk_domain::id::{AccountId, DeviceId};
use souk_domain::time::Time;

use crate::route::Rate;

/// Subjects that are counted at a time: about 10 MB. Those that come when all places are taken share one.
pub(crate) const SUBJECTS_MAX: usize = 200_000;
/// Tokens whose device is remembered, so that its requests can be counted before the store is read.
pub(crate) const TOKENS_MAX: usize = 100_000;

/// Who is counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Subject {
    /// A device.
    Device(DeviceId),
    /// An account, with all its devices.
    Account(AccountId),
    /// An address: IPv4, or the /64 of an IPv6 address, which one household has.
    Address([u8; 16]),
    /// A wider block, where codes are sent: /24 of IPv4, /48 of IPv6 (spec/market.md 2.2).
    Block([u8; 16]),
    /// A token that belongs to nobody we know of.
    Token([u8; 32]),
    /// Everybody for whom there was no place.
    Rest,
}

impl Subject {
    /// The address of one household.
    pub(crate) fn address(ip: IpAddr) -> Subject {
        Subject::Address(prefix(ip, 32, 64))
    }

    /// The network block around it.
    pub(crate) fn block(ip: IpAddr) -> Subject {
        Subject::Block(prefix(ip, 24, 48))
    }
}

/// An address with all bits behind its prefix cleared; IPv4 in the mapped range of IPv6.
fn prefix(ip: IpAddr, v4_bits: u32, v6_bits: u32) -> [u8; 16] {
    let (bits, address) = match ip.to_canonical() {
        IpAddr::V4(v4) => (96 + v4_bits, v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => (v6_bits, v6),
    };
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    (u128::from(address) & mask).to_be_bytes()
}

/// What is counted together: the place of a route in the table, or a count that several routes share.
pub(crate) type Counter = usize;

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The time at which all of a subject's room will be free again (GCRA), microseconds.
    free_at: HashMap<(Counter, Subject), i64>,
    tokens: HashMap<[u8; 32], (AccountId, DeviceId)>,
}

impl Limiter {
    /// Counts a request; refused = seconds to wait.
    pub(crate) fn take(&self, counter: Counter, subject: Subject, rate: Rate, now: Time) -> Result<(), u64> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let key = inner.place(counter, subject, now);
        let window = rate.window.micros();
        let step = window / i64::from(rate.most.max(1));
        let now = now.micros();
        // A clock that was set back must not lock anybody out for longer than a window.
        let free_at = inner.free_at.get(&key).map_or(now, |at| (*at).clamp(now, now + window));
        let next = free_at + step;
        if next > now + window {
            return Err(((next - now - window) as u64).div_ceil(1_000_000).max(1));
        }
        inner.free_at.insert(key, next);
        Ok(())
    }

    /// Whose token this is, as far as it is remembered; says nothing about whether it is still good.
    pub(crate) fn device_of(&self, token: &[u8; 32]) -> Option<(AccountId, DeviceId)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).tokens.get(token).copied()
    }

    /// Remembers whose token this is.
    pub(crate) fn remember(&self, token: [u8; 32], account: AccountId, device: DeviceId) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.tokens.len() >= TOKENS_MAX {
            // Forgetting costs one read of the store a token, no right.
            inner.tokens.clear();
        }
        inner.tokens.insert(token, (account, device));
    }
}

impl Inner {
    /// The place of a subject; the shared one when all others are taken.
    fn place(&mut self, counter: Counter, subject: Subject, now: Time) -> (Counter, Subject) {
        let key = (counter, subject);
        if self.free_at.len() < SUBJECTS_MAX || self.free_at.contains_key(&key) {
            return key;
        }
        self.free_at.retain(|_, at| *at > now.micros());
        if self.free_at.len() < SUBJECTS_MAX { key } else { (counter, Subject::Rest) }
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::time::Span;

    use super::*;

    const NOW: Time = Time::from_secs(1_795_348_800);

    fn address(text: &str) -> Subject {
        Subject::address(text.parse().unwrap())
    }

    #[test]
    fn n_pass_and_the_next_waits() {
        let limiter = Limiter::default();
        let rate = Rate { most: 60, window: Span::from_minutes(1) };
        let me = address("203.0.113.7");
        for _ in 0..60 {
            assert_eq!(limiter.take(0, me, rate, NOW), Ok(()));
        }
        assert_eq!(limiter.take(0, me, rate, NOW), Err(1));
        assert_eq!(limiter.take(1, me, rate, NOW), Ok(()), "another route");
        assert_eq!(limiter.take(0, address("203.0.113.8"), rate, NOW), Ok(()), "another address");
        assert_eq!(limiter.take(0, me, rate, NOW.plus(Span::from_millis(999))), Err(1));
        assert_eq!(limiter.take(0, me, rate, NOW.plus(Span::from_secs(1))), Ok(()));
        assert_eq!(limiter.take(0, me, rate, NOW.plus(Span::from_secs(1))), Err(1));

        let hourly = Rate { most: 6, window: Span::from_hours(1) };
        for _ in 0..6 {
            assert_eq!(limiter.take(2, me, hourly, NOW), Ok(()));
        }
        assert_eq!(limiter.take(2, me, hourly, NOW), Err(600));
        let yesterday = NOW.minus(Span::from_days(1));
        assert_eq!(limiter.take(2, me, hourly, yesterday), Err(600), "a clock set back locks nobody out");
    }

    #[test]
    fn one_household_is_one_address() {
        let same = |a: &str, b: &str| address(a) == address(b);
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("203.0.113.7", "203.0.113.8"));
        assert!(same("203.0.113.7", "::ffff:203.0.113.7"));
        let block = |text: &str| Subject::block(text.parse().unwrap());
        assert_eq!(block("203.0.113.7"), block("203.0.113.200"));
        assert_ne!(block("203.0.113.7"), block("203.0.114.7"));
        assert_eq!(block("2001:db8:1:2::1"), block("2001:db8:1:ffff::1"));
    }

    #[test]
    fn memory_is_bounded() {
        let limiter = Limiter::default();
        let rate = Rate { most: 2, window: Span::from_minutes(1) };
        let nth = |n: usize| Subject::Token(souk_crypto::hash::sha256(&n.to_be_bytes()));
        for n in 0..SUBJECTS_MAX {
            assert_eq!(limiter.take(0, nth(n), rate, NOW), Ok(()));
        }
        let more: Vec<bool> =
            (0..3).map(|n| limiter.take(0, nth(SUBJECTS_MAX + n), rate, NOW).is_ok()).collect();
        assert_eq!(more, [true, true, false], "those without a place share one");
        assert_eq!(limiter.take(0, nth(0), rate, NOW), Ok(()), "the others keep theirs");
        let later = NOW.plus(Span::from_hours(1));
        assert_eq!(limiter.take(0, nth(SUBJECTS_MAX + 2), rate, later), Ok(()));
        assert!(limiter.inner.lock().unwrap().free_at.len() < SUBJECTS_MAX);
    }
}
