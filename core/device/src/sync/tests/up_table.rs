//! up: the table of 6.3, and what follows its transactions.

use super::*;

fn up_name(machine: &Machine) -> String {
    match &machine.up[0].state {
        Up::Off => "Off",
        Up::Idle => "Idle",
        Up::Flying(_) => "Flying",
        Up::Wait { .. } => "Wait",
        Up::Epoch(_) => "Epoch",
    }
    .to_owned()
}

/// A machine whose slow region is idle and whose fast one is in a state; the scopes stay out of it.
fn up_states() -> Vec<(&'static str, Machine)> {
    let base = |state: Up| {
        let mut machine = machine(Link::Ready);
        machine.up[1].state = Up::Idle;
        machine.up[0].state = state;
        machine
    };
    let mut wait = base(Up::Idle);
    wait.timers.insert(TimerId(900), TimerFor::Up(Class::Fast));
    wait.up[0].state = Up::Wait { timer: TimerId(900) };
    let mut off = base(Up::Off);
    off.link = Link::SignedOut;
    off.up[1].state = Up::Off;
    let mut epoch = base(Up::Epoch(EpochStep::Asking { req: ReqId(800) }));
    epoch.up[1].state = Up::Off;
    epoch.epoch_wanted = true;
    vec![
        ("Off", off),
        ("Idle", base(Up::Idle)),
        ("Flying", base(Up::Flying(Flight::Sent { req: ReqId(800), items: vec![item(1), item(2)] }))),
        ("Wait", wait),
        ("Epoch", epoch),
    ]
}

#[test]
fn table_of_up() {
    let fault = |fault: Fault| {
        move |_: &Machine| Some(Event::Http { req: ReqId(800), answer: Answer::Fault(fault.clone()) })
    };
    let timer = |machine: &Machine| match machine.up[0].state {
        Up::Wait { timer } => Some(Event::Timer(timer)),
        _ => None,
    };
    let decided =
        || PushState::Decided { outcome: OutcomeView::Accepted { at: AT, data: Default::default() } };
    let push = |states: Vec<PushState>, generation: u32| {
        move |_: &Machine| {
            Some(Event::Http { req: ReqId(800), answer: push_answer(generation, states.clone()) })
        }
    };
    let epoch_ok = |_: &Machine| {
        let answer = Answer::Epoch(EpochResponse { epoch: 3, generation: 7, now: AT });
        Some(Event::Http { req: ReqId(800), answer })
    };
    let actual = table(
        &up_states(),
        &[
            ("unready (signed out)", &|_| Some(Event::SignOut)),
            ("kick", &|_| Some(Event::Kick { lane: Lane::Order, tapped: false })),
            ("kick, tapped now", &|_| Some(Event::Kick { lane: Lane::Order, tapped: true })),
            ("timer", &timer),
            ("net up", &|_| Some(Event::NetUp)),
            ("decided", &push(vec![decided(), decided()], 7)),
            ("results of another number", &push(vec![decided()], 7)),
            ("older gen", &push(vec![decided(), decided()], 6)),
            ("new gen", &push(vec![decided(), decided()], 8)),
            ("409 epoch", &fault(Fault::Epoch)),
            ("429, 503", &fault(Fault::Slow { after_ms: 10_000 })),
            ("413", &fault(Fault::TooLarge)),
            ("400", &fault(Fault::Broken)),
            ("401", &fault(Fault::Token)),
            ("403", &fault(Fault::Revoked)),
            ("426", &fault(Fault::TooOld)),
            ("failed", &fault(Fault::Failed)),
            ("epoch ok", &epoch_ok),
            ("answer to nobody", &|_| {
                Some(Event::Http { req: ReqId(1), answer: Answer::Fault(Fault::Failed) })
            }),
        ],
        up_name,
    );
    check(
        &actual,
        expect![[r#"
        unready (signed out)
          Off        · tx:signout
          Idle       →Off tx:signout
          Flying     →Off tx:signout cancel
          Wait       →Off tx:signout
          Epoch      →Off tx:signout cancel
        kick
          Off        ·
          Idle       →Flying tx:take
          Flying     ·
          Wait       ·
          Epoch      ·
        kick, tapped now
          Off        ·
          Idle       →Flying tx:take
          Flying     ·
          Wait       →Flying tx:take
          Epoch      ·
        timer
          Off        !
          Idle       !
          Flying     !
          Wait       →Flying tx:take
          Epoch      !
        net up
          Off        ·
          Idle       →Flying tx:take tx:take
          Flying     · tx:take
          Wait       · 1s tx:take
          Epoch      ·
        decided
          Off        ·
          Idle       ·
          Flying     · tx:record
          Wait       ·
          Epoch      · 0s
        results of another number
          Off        ·
          Idle       ·
          Flying     →Wait 0s
          Wait       ·
          Epoch      · 0s
        older gen
          Off        ·
          Idle       ·
          Flying     →Wait 0s
          Wait       ·
          Epoch      · 0s
        new gen
          Off        ·
          Idle       ·
          Flying     →Epoch tx:gen cancel
          Wait       ·
          Epoch      · 0s
        409 epoch
          Off        ·
          Idle       ·
          Flying     →Epoch epoch
          Wait       ·
          Epoch      · 0s
        429, 503
          Off        ·
          Idle       ·
          Flying     →Wait 11s
          Wait       ·
          Epoch      · 11s
        413
          Off        ·
          Idle       ·
          Flying     · tx:take
          Wait       ·
          Epoch      · 0s
        400
          Off        ·
          Idle       ·
          Flying     →Wait !RequestBroken 3600s
          Wait       ·
          Epoch      · !RequestBroken 3600s
        401
          Off        ·
          Idle       ·
          Flying     →Off token
          Wait       ·
          Epoch      →Off token
        403
          Off        ·
          Idle       ·
          Flying     →Off tx:revoked !Revoked
          Wait       ·
          Epoch      →Off tx:revoked !Revoked
        426
          Off        ·
          Idle       ·
          Flying     →Off 86400s !TooOld
          Wait       ·
          Epoch      →Off 86400s !TooOld
        failed
          Off        ·
          Idle       ·
          Flying     →Wait 0s
          Wait       ·
          Epoch      · 0s
        epoch ok
          Off        ·
          Idle       ·
          Flying     →Wait 0s
          Wait       ·
          Epoch      · tx:epoch
        answer to nobody
          Off        ·
          Idle       ·
          Flying     ·
          Wait       ·
          Epoch      ·
    "#]],
    );
}

#[test]
fn transactions_of_up() {
    let done =
        |answer: TxAnswer| move |_: &Machine| Some(Event::Tx { ticket: Ticket(700), answer: answer.clone() });
    let base = |state: Up| {
        let mut machine = machine(Link::Ready);
        machine.up[1].state = Up::Idle;
        machine.up[0].state = state;
        machine
    };
    let ticket = Ticket(700);
    let mut epoch = base(Up::Epoch(EpochStep::Writing { ticket }));
    epoch.up[1].state = Up::Off;
    epoch.epoch_wanted = true;
    let settled = |epoch_wanted| TxAnswer::Settled(Settled { epoch_wanted, ..Settled::default() });
    let states = [
        ("taking", base(Up::Flying(Flight::Taking { ticket }))),
        ("recording", base(Up::Flying(Flight::Recording { ticket }))),
        ("epoch", epoch),
    ];
    let actual = table(
        &states,
        &[
            ("batch", &done(TxAnswer::Taken(Taken::Batch(vec![item(1)])))),
            ("nothing", &done(TxAnswer::Taken(Taken::Nothing))),
            ("later", &done(TxAnswer::Taken(Taken::Later(NOW.mono_ms + 9_000)))),
            ("settled", &done(settled(false))),
            ("settled, forked", &done(settled(true))),
            ("facts", &done(TxAnswer::Facts(Box::new(facts(OpenLink::Ready))))),
            ("tx failed", &done(TxAnswer::Failed)),
        ],
        |machine| match &machine.up[0].state {
            Up::Flying(Flight::Taking { .. }) => "taking".to_owned(),
            Up::Flying(Flight::Recording { .. }) => "recording".to_owned(),
            Up::Flying(Flight::Sent { .. }) => "sent".to_owned(),
            Up::Epoch(_) => "epoch".to_owned(),
            Up::Off | Up::Idle | Up::Wait { .. } => up_name(machine),
        },
    );
    check(
        &actual,
        expect![[r#"
        batch
          taking     →sent push
          recording  →Wait !StoreFailed 30s
          epoch      · !StoreFailed 30s
        nothing
          taking     →Idle
          recording  →Wait !StoreFailed 30s
          epoch      · !StoreFailed 30s
        later
          taking     →Wait 9s
          recording  →Wait !StoreFailed 30s
          epoch      · !StoreFailed 30s
        settled
          taking     →Wait !StoreFailed 30s
          recording  →taking tx:take
          epoch      · !StoreFailed 30s
        settled, forked
          taking     →Wait !StoreFailed 30s
          recording  →epoch epoch
          epoch      · !StoreFailed 30s
        facts
          taking     →Wait !StoreFailed 30s
          recording  →Wait !StoreFailed 30s
          epoch      →taking tx:take tx:take
        tx failed
          taking     →Wait !StoreFailed 30s
          recording  →Wait !StoreFailed 30s
          epoch      · !StoreFailed 30s
    "#]],
    );
}
