//! The tables of spec/sync.md 6.2-6.5 cell by cell, and the invariants of 6.5 over random lives.
//! What all of them need stands here.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use souk_domain::id::{Bucket, IntentId, form_u};
use souk_domain::time::Time;
use souk_protocol::auth::{EpochResponse, TokenResponse};
use souk_protocol::outcome::OutcomeView;
use souk_protocol::sync::{
    PullResponse, PushItem, PushResponse, PushResult, PushState, ResetWhy, RowsPage, ScopeKind, ScopePulled,
    VoidItem, VoidMark,
};

use super::down::Down;
use super::link::{JoinStep, Origin, RenewStep};
use super::live::Live;
use super::pull::Pull;
use super::up::{EpochStep, Flight, Up};
use super::*;
use crate::outbox::send::Taken;
use crate::outbox::settle::Settled;
use crate::store::apply::Verdict;

mod down_table;
mod link_table;
mod live_table;
mod lives;
mod up_table;

const AT: Time = Time::from_secs(1_795_348_800);
const NOW: Now = Now { mono_ms: 1_000_000, boot: 1, wall: AT };

fn account() -> Scope {
    Scope::Account("018f3c2a5b007abc8def0123456789ab".parse().unwrap())
}

fn facts(link: OpenLink) -> OpenFacts {
    OpenFacts {
        link,
        epoch: 2,
        generation: 7,
        epoch_wanted: false,
        token_due_mono: None,
        scopes: vec![account(), Scope::Catalogue],
    }
}

fn machine(link: Link) -> Machine {
    let mut machine = Machine::new(MachineConfig { app: "test/1".to_owned(), live: false });
    machine.facts = facts(OpenLink::Ready);
    machine.link = link;
    machine
}

fn item(n: u8) -> PushItem {
    let id = IntentId::from_bytes(form_u(1, Bucket::PUBLIC, [n; 9])).unwrap();
    let (lane, bucket) = (Lane::Order, Bucket::PUBLIC);
    PushItem::Void(VoidItem { lane, bucket, pos: n.into(), id, hash: [0; 32], void: VoidMark })
}

fn push_answer(generation: u32, states: Vec<PushState>) -> Answer {
    let results = states.into_iter().map(|state| PushResult { id: None, state }).collect();
    Answer::Push(PushResponse { generation, now: AT, results, slow: Vec::new(), touch: Vec::new() })
}

fn pull_answer(generation: u32, what: ScopeKind) -> Answer {
    let scopes = vec![ScopePulled { id: account().to_string(), what }];
    Answer::Pull(PullResponse { generation, now: AT, scopes })
}

fn page(more: bool) -> ScopeKind {
    let (c, blocks, applied) = ("c".to_owned(), Vec::new(), Vec::new());
    ScopeKind::Rows(RowsPage { c, more, blocks, applied, sum: None, n: None })
}

fn tokens() -> TokenResponse {
    TokenResponse {
        access: "a".to_owned(),
        access_until: AT,
        refresh: "r".to_owned(),
        refresh_until: AT,
        now: AT,
    }
}

/// What an effect is called in the tables.
fn effect_word(effect: &Effect) -> Option<String> {
    let word = match effect {
        Effect::Http { request, .. } => match request {
            Request::Challenge => "challenge",
            Request::Register { .. } => "register",
            Request::Token => "token",
            Request::Epoch { .. } => "epoch",
            Request::Push(_) => "push",
            Request::Pull { .. } => "pull",
            Request::Live { .. } => "live",
        },
        Effect::Cancel(_) => "cancel",
        Effect::Tx { tx, .. } => match tx {
            Tx::Take { .. } => "tx:take",
            Tx::Record { .. } => "tx:record",
            Tx::NewEpoch { .. } => "tx:epoch",
            Tx::NewGeneration { .. } => "tx:gen",
            Tx::Cursors { .. } => "tx:cursors",
            Tx::Page { .. } => "tx:page",
            Tx::Restart { .. } => "tx:restart",
            Tx::Follow { .. } => "tx:follow",
            Tx::Wipe { .. } => "tx:wipe",
            Tx::Registered(_) => "tx:registered",
            Tx::Tokens(_) => "tx:tokens",
            Tx::TokensEnded => "tx:ended",
            Tx::Revoked => "tx:revoked",
            Tx::SignOut => "tx:signout",
        },
        Effect::Timer { at_mono, .. } => return Some(format!("{}s", (at_mono - NOW.mono_ms) / 1_000)),
        Effect::Notice(notice) => return Some(format!("!{notice:?}").chars().take(14).collect()),
        Effect::Count(_) | Effect::Views(_) => return None,
    };
    Some(word.to_owned())
}

fn cell(after: &str, before: &str, effects: &[Effect]) -> String {
    let words: Vec<String> = effects.iter().filter_map(effect_word).collect();
    let state = if after == before { "·".to_owned() } else { format!("→{after}") };
    if words.is_empty() { state } else { format!("{state} {}", words.join(" ")) }
}

/// An event by its name; none where it cannot happen.
type Row<'t> = (&'t str, &'t dyn Fn(&Machine) -> Option<Event>);

/// A table: one row an event, one column a state.
fn table(states: &[(&str, Machine)], events: &[Row], name_of: impl Fn(&Machine) -> String) -> String {
    let mut out = String::new();
    for (event_name, event) in events {
        out += &format!("{event_name}\n");
        for (state_name, machine) in states {
            let mut machine = machine.clone();
            assert_eq!(&name_of(&machine), state_name);
            let text = match event(&machine) {
                Some(event) => {
                    let effects = machine.step(event, NOW, 7);
                    cell(&name_of(&machine), state_name, &effects)
                }
                None => "!".to_owned(),
            };
            out += &format!("  {state_name:10} {text}\n");
        }
    }
    out
}

fn check(actual: &str, expected: Expect) {
    expected.assert_eq(actual);
}
