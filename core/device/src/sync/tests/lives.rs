//! Random lives: I2, I5, I11, I12, I15.

use super::*;

/// A server and files so small that only the machine is under test.
struct World {
    machine: Machine,
    now: Now,
    queued: usize,
    flying: BTreeMap<ReqId, Request>,
    timers: BTreeSet<(u64, TimerId)>,
    fresh: BTreeSet<Scope>,
    healthy: bool,
    seed: u64,
}

impl World {
    fn new() -> World {
        let mut world = World {
            machine: Machine::new(MachineConfig { app: "test/1".to_owned(), live: false }),
            now: NOW,
            queued: 0,
            flying: BTreeMap::new(),
            timers: BTreeSet::new(),
            fresh: BTreeSet::new(),
            healthy: false,
            seed: 1,
        };
        world.feed(Event::Opened(facts(OpenLink::Ready)));
        world
    }

    fn feed(&mut self, event: Event) {
        let mut events = std::collections::VecDeque::from([event]);
        let mut steps = 0;
        while let Some(event) = events.pop_front() {
            steps += 1;
            assert!(steps < 200, "the machine turns in circles");
            self.seed += 1;
            // I15: same state, event, now and rnd give the same effects.
            let mut twin = self.machine.clone();
            let effects = self.machine.step(event.clone(), self.now, self.seed);
            assert_eq!(twin.step(event, self.now, self.seed), effects);
            for effect in effects {
                match effect {
                    Effect::Http { req, request } => {
                        self.flying.insert(req, request);
                    }
                    Effect::Cancel(req) => {
                        self.flying.remove(&req);
                    }
                    Effect::Tx { ticket, tx } => {
                        let answer = self.run(tx);
                        events.push_back(Event::Tx { ticket, answer });
                    }
                    Effect::Timer { id, at_mono } => {
                        self.timers.insert((at_mono, id));
                    }
                    Effect::Views(_) | Effect::Notice(_) | Effect::Count(_) => {}
                }
            }
        }
        self.check();
    }

    fn run(&mut self, tx: Tx) -> TxAnswer {
        if !self.healthy && self.seed.is_multiple_of(11) {
            return TxAnswer::Failed;
        }
        let ready = || TxAnswer::Facts(Box::new(facts(OpenLink::Ready)));
        match tx {
            Tx::Take { class: Class::Fast, rows_max, .. } if self.queued > 0 => {
                let rows = self.queued.min(rows_max).min(3);
                TxAnswer::Taken(Taken::Batch((0..rows).map(|n| item(n as u8)).collect()))
            }
            Tx::Take { .. } => TxAnswer::Taken(Taken::Nothing),
            Tx::Record { items, .. } => {
                let forked = !self.healthy && self.seed.is_multiple_of(5);
                if !forked {
                    self.queued -= items.len().min(self.queued);
                }
                TxAnswer::Settled(Settled { epoch_wanted: forked, ..Settled::default() })
            }
            Tx::Cursors { scopes } => {
                TxAnswer::Cursors(scopes.into_iter().map(|scope| (scope, None)).collect())
            }
            Tx::Page { scope, page, .. } => {
                let verdict = if page.more { Verdict::More } else { Verdict::Fresh };
                self.fresh.insert(scope);
                TxAnswer::Paged { verdict, follow: Vec::new() }
            }
            Tx::Restart { .. } => TxAnswer::Done,
            Tx::NewEpoch { .. } | Tx::NewGeneration { .. } | Tx::Tokens(_) => ready(),
            Tx::Follow { .. } | Tx::Wipe { .. } | Tx::Registered(_) => ready(),
            Tx::TokensEnded | Tx::Revoked | Tx::SignOut => {
                TxAnswer::Facts(Box::new(facts(OpenLink::SignedOut)))
            }
        }
    }

    /// I2 and I12.
    fn check(&self) {
        let count = |is: fn(&Request) -> bool| self.flying.values().filter(|request| is(request)).count();
        assert!(count(|request| matches!(request, Request::Push(_))) <= 2, "one push a class");
        assert!(count(|request| matches!(request, Request::Pull { .. })) <= 1, "one pull");
        assert!(count(|request| matches!(request, Request::Epoch { .. })) <= 1, "one epoch");
        assert!(count(|request| matches!(request, Request::Token)) <= 1, "one renewal");
        for class in Class::ALL {
            let timers = self.machine.timers.values().filter(|what| **what == TimerFor::Up(class)).count();
            let waits = match &self.machine.up[class.index()].state {
                Up::Wait { .. } | Up::Epoch(EpochStep::Waiting { .. }) => 1,
                Up::Off | Up::Idle | Up::Flying(_) | Up::Epoch(_) => 0,
            };
            assert_eq!(timers, waits, "{class:?}");
        }
        for (scope, region) in &self.machine.down {
            let timers = self.machine.timers.values().filter(|what| **what == TimerFor::Down(scope.clone()));
            let waits = match region.state {
                Down::Wait { .. } | Down::Fresh { timer: Some(_) } => 1,
                Down::Off | Down::Due | Down::Flying | Down::Fresh { timer: None } => 0,
            };
            assert_eq!(timers.count(), waits, "{scope}");
        }
        // What is flying has a pull that carries it; what is due is carried by the next.
        let is_flying = self.machine.down.values().any(|region| region.state == Down::Flying);
        assert_eq!(is_flying, self.machine.pull.is_some());
    }

    fn answer(&mut self, chance: u8) {
        let Some((req, request)) = self.flying.pop_first() else { return };
        let good = match &request {
            Request::Push(push) => {
                let decided = OutcomeView::Accepted { at: AT, data: Default::default() };
                let one = || PushState::Decided { outcome: decided.clone() };
                push_answer(7, push.items.iter().map(|_| one()).collect())
            }
            Request::Pull { pull, .. } => {
                let more = !self.healthy && chance.is_multiple_of(3);
                let scopes = pull
                    .scopes
                    .iter()
                    .map(|scope| ScopePulled { id: scope.id.clone(), what: page(more) })
                    .collect();
                Answer::Pull(PullResponse { generation: 7, now: AT, scopes })
            }
            Request::Epoch { have } => {
                Answer::Epoch(EpochResponse { epoch: have + 1, generation: 7, now: AT })
            }
            Request::Token => Answer::Tokens(tokens()),
            Request::Challenge | Request::Register { .. } | Request::Live { .. } => return,
        };
        let answer = match chance % 12 {
            _ if self.healthy => good,
            0..=4 => good,
            5 => Answer::Fault(Fault::Failed),
            6 => Answer::Fault(Fault::Slow { after_ms: 3_000 }),
            7 => Answer::Fault(Fault::Refused { code: "server.strange".to_owned() }),
            8 => Answer::Fault(Fault::Epoch),
            9 => Answer::Fault(Fault::Token),
            10 => match &request {
                Request::Push(_) => push_answer(8, Vec::new()),
                _ => pull_answer(8, page(false)),
            },
            _ => Answer::Fault(Fault::NotFound),
        };
        self.feed(Event::Http { req, answer });
    }

    fn fire(&mut self) {
        if let Some((at, id)) = self.timers.pop_first() {
            self.now.mono_ms = self.now.mono_ms.max(at);
            self.feed(Event::Timer(id));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    /// I2, I12, I15 after every step; I5 and I11: with a healthy server everything comes to rest within 15 minutes.
    #[test]
    fn it_ends(acts in proptest::collection::vec((0u8..8, any::<u8>()), 1..80)) {
        let mut world = World::new();
        for (act, chance) in acts {
            match act {
                0..=2 => world.answer(chance),
                3 => world.fire(),
                4 => {
                    world.queued += usize::from(chance % 4);
                    world.feed(Event::Kick { lane: Lane::Order, tapped: chance.is_multiple_of(2) });
                }
                5 => world.feed(Event::Hint(account())),
                6 => world.feed(Event::NetUp),
                _ => world.feed(Event::Phase(if chance.is_multiple_of(2) { Phase::Background } else { Phase::Foreground })),
            }
        }
        world.healthy = true;
        world.fresh.clear();
        world.feed(Event::Phase(Phase::Foreground));
        let until = world.now.mono_ms + 15 * 60_000;
        if world.machine.link_word() == "signed_out" {
            return Ok(());
        }
        for _ in 0..2_000 {
            if !world.flying.is_empty() {
                world.answer(0);
            } else if world.queued == 0 && world.machine.is_quiet() {
                break;
            } else {
                world.fire();
            }
        }
        prop_assert_eq!(world.queued, 0);
        prop_assert!(world.machine.is_quiet());
        prop_assert!(world.now.mono_ms <= until + 300_000, "{}", world.now.mono_ms - until);
    }
}
