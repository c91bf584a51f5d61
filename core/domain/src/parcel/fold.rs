//! The fold: a parcel's state is what its links make of it, in whatever order they came (spec/logistics.md 6.2).
//!
//! Pure, total, deterministic: full fold each time. Always: the same set of links gives the same state.

use souk_codes::proof::EventKind;

use super::{Level, Link, Parcel, ParcelState, Scan, state::Legality};
use crate::time::Time;

/// What the links say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folded {
    /// State.
    pub state: ParcelState,
    /// Steps that were taken.
    pub scans: Vec<Scan>,
    /// What was odd, by name, each once.
    pub anomalies: Vec<String>,
    /// Two links name one predecessor.
    pub is_forked: bool,
    /// Strength of the strongest delivering link.
    pub level: Level,
    /// Strength of the strongest delivering link whose evidence is fresh: what the release goes by.
    pub release_level: Level,
    /// Strength of the strongest refusal by the taker, whether or not the parcel's state followed it.
    pub refusal_level: Level,
    /// The taker took it and said that it is damaged.
    pub is_taken_damaged: bool,
    /// When it was first delivered.
    pub delivered_at: Option<Time>,
    /// Said to be damaged.
    pub damaged: bool,
    /// Failed attempts.
    pub attempts: u16,
}

impl Folded {
    /// Whether the money must wait for people: custody has two branches, the parcel is not with the buyer and not on
    /// its way there, it was taken damaged, or the taker's refusal is better proven than the delivery.
    pub fn is_held(&self) -> bool {
        let is_delivered = self.state == ParcelState::Delivered;
        self.is_forked
            || matches!(
                self.state,
                ParcelState::Refused | ParcelState::Returning | ParcelState::Returned | ParcelState::Lost
            )
            || is_delivered && (self.is_taken_damaged || self.refusal_level > self.release_level)
    }
}

/// The state that an event leads to; none = it moves nothing.
pub fn target(kind: EventKind) -> Option<ParcelState> {
    Some(match kind {
        EventKind::PickedUp => ParcelState::PickedUp,
        EventKind::Arrived | EventKind::Found => ParcelState::AtHub,
        EventKind::Departed | EventKind::CustomsOut => ParcelState::InTransit,
        EventKind::CustomsIn | EventKind::CustomsHeld => ParcelState::Customs,
        EventKind::OutForDelivery => ParcelState::OutForDelivery,
        EventKind::Attempted => ParcelState::Attempted,
        EventKind::Delivered | EventKind::Collected => ParcelState::Delivered,
        EventKind::ReadyForCollection => ParcelState::AtPickupPoint,
        EventKind::Refused => ParcelState::Refused,
        EventKind::ReturnStarted => ParcelState::Returning,
        EventKind::Returned => ParcelState::Returned,
        EventKind::Lost | EventKind::Destroyed => ParcelState::Lost,
        EventKind::Transfer
        | EventKind::Relabelled
        | EventKind::PickupFailed
        | EventKind::Damaged
        | EventKind::Held
        | EventKind::Released
        | EventKind::PinTry
        | EventKind::Void
        | EventKind::Resolve
        | EventKind::Note => return None,
    })
}

/// Whether a link stands outside the signed chain: the buyer's own word, or a scan made without knowing the event
/// before it (spec/logistics.md 4.6).
fn is_loose(link: &Link) -> bool {
    link.index.is_none() || link.prev.0 == [0; 32]
}

/// Links in the order of the chain, the loose ones behind the last link that is not later; none before the label.
fn ordered(links: &[Link], labelled_at: Time) -> Vec<Link> {
    let (mut loose, mut chain): (Vec<Link>, Vec<Link>) = links.iter().partition(|link| is_loose(link));
    chain.sort_by(|a, b| (a.index, b.level, a.id).cmp(&(b.index, a.level, b.id)));
    let mut latest = labelled_at;
    for link in &mut chain {
        latest = latest.max(link.at);
        link.at = latest;
    }
    loose.iter_mut().for_each(|link| link.at = link.at.max(labelled_at));
    loose.sort_by_key(|link| (link.at, link.id));
    for link in loose {
        let place = chain.partition_point(|known| known.at <= link.at);
        chain.insert(place, link);
    }
    chain
}

/// Folds the links of a labelled parcel.
pub fn fold(links: &[Link], labelled_at: Time) -> Folded {
    let mut state = ParcelState::Ready;
    let mut folded = Folded {
        state,
        scans: vec![Scan { kind: 0, reason: 0, at: labelled_at, state }],
        anomalies: Vec::new(),
        is_forked: is_forked(links),
        level: Level::E0,
        release_level: Level::E0,
        refusal_level: Level::E0,
        is_taken_damaged: false,
        delivered_at: None,
        damaged: links.iter().any(|link| link.damaged),
        attempts: 0,
    };
    for link in ordered(links, labelled_at) {
        let kind = EventKind::from_number(link.kind);
        let Some(to) = kind.and_then(target) else { continue };
        if to == ParcelState::Refused {
            folded.refusal_level = folded.refusal_level.max(link.level);
        }
        let (next, odd) = step(state, to, link.level);
        if let Some(odd) = odd {
            note(&mut folded.anomalies, odd);
        }
        let Some(next) = next else { continue };
        state = next;
        if kind == Some(EventKind::Attempted) {
            folded.attempts = folded.attempts.saturating_add(1);
        }
        if state == ParcelState::Delivered {
            folded.delivered_at = folded.delivered_at.or(Some(link.at));
            folded.level = folded.level.max(link.level);
            folded.is_taken_damaged |= link.damaged;
            if !link.stale {
                folded.release_level = folded.release_level.max(link.level);
            }
        }
        folded.scans.push(Scan { kind: link.kind, reason: link.reason, at: link.at, state });
    }
    if folded.is_forked {
        note(&mut folded.anomalies, "fork");
    }
    folded.state = state;
    folded
}

/// One step by the table: where it leads, and what is odd about it.
fn step(from: ParcelState, to: ParcelState, level: Level) -> (Option<ParcelState>, Option<&'static str>) {
    // On the way back a hub or transit scan means: still on the way back.
    let is_back = matches!(from, ParcelState::Refused | ParcelState::Returning);
    let to = if is_back && matches!(to, ParcelState::AtHub | ParcelState::InTransit) {
        ParcelState::Returning
    } else {
        to
    };
    match from.step(to) {
        Legality::Yes | Legality::Same => (Some(to), None),
        Legality::Gap if level >= Level::E2 => (Some(to), Some("gap")),
        Legality::Gap | Legality::No if from == ParcelState::Cancelled => (None, Some("scan_of_void_label")),
        Legality::Gap | Legality::No => (None, Some("illegal_step")),
    }
}

/// Two links of the chain with one predecessor.
fn is_forked(links: &[Link]) -> bool {
    let mut prevs: Vec<_> = links.iter().filter(|link| !is_loose(link)).map(|link| link.prev).collect();
    prevs.sort_unstable();
    prevs.windows(2).any(|pair| pair[0] == pair[1])
}

/// What the fold finds odd; it is found anew each time, so a late link takes it back.
const ODD: [&str; 3] = ["fork", "gap", "illegal_step"];

/// Adds a link that is not known yet and folds anew. None: the label was void, the link is kept and moves nothing.
pub(crate) fn add(parcel: &mut Parcel, link: Link, now: Time) -> Option<Folded> {
    parcel.links.push(link);
    // In an order of its own, so that the row does not depend on the order in which links came.
    parcel.links.sort_by_key(|link| (link.index.is_none(), link.index, link.id));
    parcel.touch(now);
    if parcel.state == ParcelState::Cancelled {
        note(&mut parcel.anomalies, "scan_of_void_label");
        return None;
    }
    let labelled_at = parcel.scans.first().map_or(now, |scan| scan.at);
    let folded = fold(&parcel.links, labelled_at);
    let chain = parcel.links.iter().filter(|link| !is_loose(link));
    if let Some(last) = chain.max_by_key(|link| (link.index, link.id)) {
        parcel.chain_index = last.index.map_or(0, |index| index.saturating_add(1));
        parcel.chain_tip = last.id.0;
    }
    parcel.state = folded.state;
    parcel.scans.clone_from(&folded.scans);
    parcel.anomalies.retain(|known| !ODD.contains(&known.as_str()));
    folded.anomalies.iter().for_each(|odd| note(&mut parcel.anomalies, odd));
    parcel.on_hold = folded.is_forked;
    parcel.level = folded.level;
    parcel.delivered_at = folded.delivered_at;
    parcel.damaged = folded.damaged;
    parcel.attempts = folded.attempts;
    Some(folded)
}

/// Notes an anomaly once; the list is in the order of names.
pub(crate) fn note(anomalies: &mut Vec<String>, name: &str) {
    if let Err(at) = anomalies.binary_search_by(|known| known.as_str().cmp(name)) {
        anomalies.insert(at, name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::party::TokenHash;

    fn link(index: Option<u16>, kind: EventKind, at: i64, level: Level) -> Link {
        let n = index.map_or(200, |index| index as u8 + 1);
        Link {
            index,
            id: TokenHash([n + 1; 32]),
            prev: TokenHash([n; 32]),
            kind: kind.number(),
            reason: 0,
            at: Time::from_secs(at),
            level,
            damaged: false,
            stale: false,
        }
    }

    fn history() -> Vec<Link> {
        vec![
            link(Some(0), EventKind::PickedUp, 10, Level::E0),
            link(Some(1), EventKind::OutForDelivery, 20, Level::E0),
            link(Some(2), EventKind::Attempted, 30, Level::E0),
            link(Some(3), EventKind::OutForDelivery, 40, Level::E0),
            link(None, EventKind::Delivered, 50, Level::E3),
            link(Some(4), EventKind::Delivered, 51, Level::E4),
        ]
    }

    #[test]
    fn a_plain_history() {
        let folded = fold(&history(), Time::from_secs(0));
        assert_eq!(folded.state, ParcelState::Delivered);
        assert_eq!(folded.level, Level::E4);
        assert_eq!(folded.attempts, 1);
        assert_eq!(folded.delivered_at, Some(Time::from_secs(50)));
        assert!(folded.anomalies.is_empty() && !folded.is_forked);
    }

    #[test]
    fn the_buyers_word_alone_is_a_gap() {
        let folded = fold(&[link(None, EventKind::Delivered, 50, Level::E3)], Time::from_secs(0));
        assert_eq!((folded.state, folded.anomalies), (ParcelState::Delivered, vec!["gap".to_owned()]));
        let weak = fold(&[link(Some(0), EventKind::Delivered, 50, Level::E0)], Time::from_secs(0));
        assert_eq!((weak.state, weak.anomalies), (ParcelState::Ready, vec!["illegal_step".to_owned()]));
    }

    #[test]
    fn two_links_with_one_predecessor_are_a_fork() {
        let mut links = history();
        links
            .push(Link { id: TokenHash([99; 32]), ..link(Some(4), EventKind::ReturnStarted, 52, Level::E0) });
        assert!(fold(&links, Time::from_secs(0)).is_forked);
    }

    proptest! {
        /// Whatever the order in which links come, the end is the same.
        #[test]
        fn order_does_not_matter(shuffled in Just(history()).prop_shuffle()) {
            prop_assert_eq!(fold(&shuffled, Time::from_secs(0)), fold(&history(), Time::from_secs(0)));
        }
    }
}
