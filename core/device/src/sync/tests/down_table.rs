//! down: the table of 6.4, and what follows its transactions.

use super::*;

fn down_name(machine: &Machine) -> String {
    match machine.down.get(&account()).map(|region| region.state) {
        None => "gone",
        Some(Down::Off) => "Off",
        Some(Down::Due) => "Due",
        Some(Down::Flying) => "Flying",
        Some(Down::Fresh { .. }) => "Fresh",
        Some(Down::Wait { .. }) => "Wait",
    }
    .to_owned()
}

fn down_machine(state: Down) -> Machine {
    let mut machine = machine(Link::Ready);
    machine.up[0].state = Up::Idle;
    machine.up[1].state = Up::Idle;
    machine.down.insert(account(), DownRegion::in_state(state));
    machine.down.get_mut(&account()).unwrap().fresh_since(NOW.mono_ms - 1_000);
    machine
}

fn down_states() -> Vec<(&'static str, Machine)> {
    let mut off = down_machine(Down::Off);
    off.link = Link::SignedOut;
    for up in &mut off.up {
        up.state = Up::Off;
    }
    // Another pull is under way: what is due stays due.
    let other = Pull::Sent { req: ReqId(801), scopes: vec![Scope::Catalogue], signed_in: true };
    let flying_other = |machine: &mut Machine| {
        machine.down.insert(Scope::Catalogue, DownRegion::in_state(Down::Flying));
    };
    let mut due = down_machine(Down::Due);
    due.pull = Some(other);
    flying_other(&mut due);
    let mut flying = down_machine(Down::Flying);
    flying.pull = Some(Pull::Sent { req: ReqId(800), scopes: vec![account()], signed_in: true });
    let timed = |state: fn(TimerId) -> Down| {
        let mut machine = down_machine(state(TimerId(900)));
        machine.timers.insert(TimerId(900), TimerFor::Down(account()));
        machine
    };
    vec![
        ("Off", off),
        ("Due", due),
        ("Flying", flying),
        ("Fresh", timed(|timer| Down::Fresh { timer: Some(timer) })),
        ("Wait", timed(|timer| Down::Wait { timer })),
    ]
}

#[test]
fn table_of_down() {
    let answer =
        |answer: Answer| move |_: &Machine| Some(Event::Http { req: ReqId(800), answer: answer.clone() });
    let timer = |machine: &Machine| match machine.down[&account()].state {
        Down::Fresh { timer: Some(timer) } | Down::Wait { timer } => Some(Event::Timer(timer)),
        _ => None,
    };
    let fault = |fault: Fault| answer(Answer::Fault(fault));
    let actual = table(
        &down_states(),
        &[
            ("follow", &|_| Some(Event::Follow(account()))),
            ("unfollow", &|_| Some(Event::Unfollow(account()))),
            ("unready (signed out)", &|_| Some(Event::SignOut)),
            ("hint", &|_| Some(Event::Hint(account()))),
            ("timer", &timer),
            ("net up", &|_| Some(Event::NetUp)),
            ("sync now", &|_| Some(Event::SyncNow)),
            ("rows", &answer(pull_answer(7, page(false)))),
            ("rows of an older gen", &answer(pull_answer(6, page(false)))),
            ("new gen", &answer(pull_answer(8, page(false)))),
            ("reset", &answer(pull_answer(7, ScopeKind::Reset { why: ResetWhy::Floor }))),
            ("later", &answer(pull_answer(7, ScopeKind::Later { after_ms: 4_000 }))),
            ("gone", &answer(pull_answer(7, ScopeKind::Gone))),
            ("404", &fault(Fault::NotFound)),
            ("409", &fault(Fault::Epoch)),
            ("429, 503", &fault(Fault::Slow { after_ms: 10_000 })),
            ("400", &fault(Fault::Broken)),
            ("401", &fault(Fault::Token)),
            ("failed", &fault(Fault::Failed)),
        ],
        down_name,
    );
    check(
        &actual,
        expect![[r#"
        follow
          Off        ·
          Due        ·
          Flying     ·
          Fresh      ·
          Wait       ·
        unfollow
          Off        →gone tx:wipe
          Due        →gone tx:wipe
          Flying     →gone tx:wipe cancel
          Fresh      →gone tx:wipe
          Wait       →gone tx:wipe
        unready (signed out)
          Off        · tx:signout
          Due        →Off tx:signout
          Flying     →Off tx:signout cancel
          Fresh      →Off tx:signout
          Wait       →Off tx:signout
        hint
          Off        ·
          Due        ·
          Flying     ·
          Fresh      →Flying tx:cursors
          Wait       →Flying tx:cursors
        timer
          Off        !
          Due        !
          Flying     !
          Fresh      →Flying tx:cursors
          Wait       →Flying tx:cursors
        net up
          Off        ·
          Due        · tx:take tx:take
          Flying     · tx:take tx:take
          Fresh      · tx:take tx:take
          Wait       · tx:take tx:take 1s
        sync now
          Off        ·
          Due        · tx:take tx:take
          Flying     · tx:take tx:take
          Fresh      →Flying tx:take tx:take tx:cursors
          Wait       →Flying tx:take tx:take tx:cursors
        rows
          Off        ·
          Due        ·
          Flying     · tx:page
          Fresh      ·
          Wait       ·
        rows of an older gen
          Off        ·
          Due        ·
          Flying     →Wait 0s
          Fresh      ·
          Wait       ·
        new gen
          Off        ·
          Due        ·
          Flying     →Due tx:gen
          Fresh      ·
          Wait       ·
        reset
          Off        ·
          Due        ·
          Flying     · tx:restart
          Fresh      ·
          Wait       ·
        later
          Off        ·
          Due        ·
          Flying     →Wait 4s
          Fresh      ·
          Wait       ·
        gone
          Off        ·
          Due        ·
          Flying     →gone tx:wipe
          Fresh      ·
          Wait       ·
        404
          Off        ·
          Due        ·
          Flying     →gone tx:wipe
          Fresh      ·
          Wait       ·
        409
          Off        ·
          Due        ·
          Flying     →Wait 0s epoch
          Fresh      ·
          Wait       ·
        429, 503
          Off        ·
          Due        ·
          Flying     →Wait 11s
          Fresh      ·
          Wait       ·
        400
          Off        ·
          Due        ·
          Flying     →Wait !RequestBroken 3600s
          Fresh      ·
          Wait       ·
        401
          Off        ·
          Due        ·
          Flying     →Off token
          Fresh      ·
          Wait       ·
        failed
          Off        ·
          Due        ·
          Flying     →Wait 0s
          Fresh      ·
          Wait       ·
    "#]],
    );
}

#[test]
fn transactions_of_down() {
    let done =
        |answer: TxAnswer| move |_: &Machine| Some(Event::Tx { ticket: Ticket(700), answer: answer.clone() });
    let ticket = Ticket(700);
    let mut reading = down_machine(Down::Flying);
    reading.pull = Some(Pull::Reading { ticket, scopes: vec![account()] });
    let mut applying = down_machine(Down::Flying);
    applying.pull = Some(Pull::Applying { tickets: BTreeMap::from([(ticket, account())]) });
    let mut again = applying.clone();
    again.step(Event::Hint(account()), NOW, 7);
    let paged = |verdict| TxAnswer::Paged { verdict, follow: Vec::new() };
    let name = |machine: &Machine| match (&machine.pull, down_name(machine).as_str()) {
        (Some(Pull::Reading { .. }), "Flying") => "reading".to_owned(),
        (Some(Pull::Applying { .. }), "Flying") => "applying".to_owned(),
        (Some(Pull::Sent { .. }), "Flying") => "sent".to_owned(),
        (_, state) => state.to_owned(),
    };
    let events: &[Row] = &[
        ("cursors", &done(TxAnswer::Cursors(vec![(account(), None)]))),
        ("not followed any more", &done(TxAnswer::Cursors(Vec::new()))),
        ("more", &done(paged(Verdict::More))),
        ("fresh", &done(paged(Verdict::Fresh))),
        ("sum differs", &done(paged(Verdict::Differs { again: false }))),
        ("differs again", &done(paged(Verdict::Differs { again: true }))),
        ("wiped meanwhile", &done(paged(Verdict::Gone))),
        ("reset done", &done(TxAnswer::Done)),
        ("tx failed", &done(TxAnswer::Failed)),
    ];
    let actual = table(&[("reading", reading)], &events[..2], name)
        + &table(&[("applying", applying)], &events[2..], name)
        + "hinted while it was under way\n"
        + &table(&[("applying", again)], &events[3..4], name);
    check(
        &actual,
        expect![[r#"
        cursors
          reading    →sent pull
        not followed any more
          reading    →gone
        more
          applying   →reading tx:cursors
        fresh
          applying   →Fresh 30s
        sum differs
          applying   →reading !SumDiffers(Ac tx:cursors
        differs again
          applying   →Wait !SumDiffers(Ac 21600s
        wiped meanwhile
          applying   →gone
        reset done
          applying   →reading tx:cursors
        tx failed
          applying   →Wait !StoreFailed 60s
        hinted while it was under way
        fresh
          applying   →reading tx:cursors
    "#]],
    );
}
