//! link: the table of 6.2.

use super::*;

fn link_states() -> Vec<(&'static str, Machine)> {
    let join = Join {
        contact: "kim@example.org".to_owned(),
        code: "123456".to_owned(),
        name: String::new(),
        platform: String::new(),
        model: String::new(),
        as_courier: false,
    };
    let joining = JoinStep::Challenge { req: ReqId(800), join };
    let timed = |link: Link| {
        let mut machine = machine(link);
        machine.timers.insert(TimerId(900), TimerFor::Link);
        machine
    };
    vec![
        ("closed", machine(Link::Closed)),
        ("new", machine(Link::New)),
        ("joining", machine(Link::Joining { step: joining, from: Origin::SignedOut })),
        ("ready", machine(Link::Ready)),
        ("renewing", machine(Link::Renewing { step: RenewStep::Asking(ReqId(800)), failures: 0 })),
        ("signed_out", machine(Link::SignedOut)),
        ("revoked", machine(Link::Revoked)),
        ("old", timed(Link::Old { from: Origin::Ready, timer: TimerId(900) })),
        ("paused", machine(Link::Paused { from: Origin::Ready })),
    ]
}

#[test]
fn table_of_link() {
    let fault = |fault: Fault| {
        move |_: &Machine| Some(Event::Http { req: ReqId(800), answer: Answer::Fault(fault.clone()) })
    };
    let timer = |machine: &Machine| match machine.link {
        Link::Old { timer, .. } => Some(Event::Timer(timer)),
        _ => None,
    };
    let join = |_: &Machine| {
        Some(Event::Join(Join {
            contact: "lee@example.org".to_owned(),
            code: "123456".to_owned(),
            name: String::new(),
            platform: String::new(),
            model: String::new(),
            as_courier: false,
        }))
    };
    let opened =
        |machine: &Machine| (machine.link == Link::Closed).then(|| Event::Opened(facts(OpenLink::SignedOut)));
    let resume = |machine: &Machine| match machine.link {
        Link::Paused { .. } => Some(Event::Resume(facts(OpenLink::Revoked))),
        _ => None,
    };
    let actual = table(
        &link_states(),
        &[
            ("opened", &opened),
            ("join", &join),
            ("join or renewal refused", &fault(Fault::Refused { code: "auth.code".to_owned() })),
            ("token ok", &|_| Some(Event::Http { req: ReqId(800), answer: Answer::Tokens(tokens()) })),
            ("failed", &fault(Fault::Failed)),
            ("401", &fault(Fault::Token)),
            ("403 revoked", &fault(Fault::Revoked)),
            ("426", &fault(Fault::TooOld)),
            ("timer", &timer),
            ("net up", &|_| Some(Event::NetUp)),
            ("sign-out", &|_| Some(Event::SignOut)),
            ("pause", &|_| Some(Event::Pause)),
            ("resume", &resume),
        ],
        |machine| machine.link.word().to_owned(),
    );
    check(
        &actual,
        expect![[r#"
        opened
          closed     →signed_out tx:cursors
          new        !
          joining    !
          ready      !
          renewing   !
          signed_out !
          revoked    !
          old        !
          paused     !
        join
          closed     · !LinkBusy
          new        →joining challenge
          joining    · !LinkBusy
          ready      · !LinkBusy tx:take tx:take
          renewing   · !LinkBusy
          signed_out →joining challenge
          revoked    →joining challenge
          old        · !LinkBusy
          paused     · !LinkBusy
        join or renewal refused
          closed     ·
          new        ·
          joining    →signed_out !JoinFailed("a
          ready      · tx:take tx:take
          renewing   →signed_out tx:ended !TokensEnded
          signed_out ·
          revoked    ·
          old        ·
          paused     ·
        token ok
          closed     ·
          new        ·
          joining    →signed_out !JoinFailed("n
          ready      · tx:take tx:take
          renewing   · tx:tokens
          signed_out ·
          revoked    ·
          old        ·
          paused     ·
        failed
          closed     ·
          new        ·
          joining    →signed_out !JoinFailed("n
          ready      · tx:take tx:take
          renewing   · 0s
          signed_out ·
          revoked    ·
          old        ·
          paused     ·
        401
          closed     ·
          new        ·
          joining    →signed_out !JoinFailed("t
          ready      · tx:take tx:take
          renewing   →signed_out tx:ended !TokensEnded
          signed_out ·
          revoked    ·
          old        ·
          paused     ·
        403 revoked
          closed     ·
          new        ·
          joining    →signed_out !JoinFailed("d
          ready      · tx:take tx:take
          renewing   →revoked tx:revoked !Revoked
          signed_out ·
          revoked    ·
          old        ·
          paused     ·
        426
          closed     ·
          new        ·
          joining    →old !JoinFailed("a 86400s !TooOld
          ready      · tx:take tx:take
          renewing   →old 86400s !TooOld
          signed_out ·
          revoked    ·
          old        ·
          paused     ·
        timer
          closed     !
          new        !
          joining    !
          ready      !
          renewing   !
          signed_out !
          revoked    !
          old        →ready tx:take tx:take
          paused     !
        net up
          closed     ·
          new        ·
          joining    ·
          ready      · tx:take tx:take
          renewing   ·
          signed_out ·
          revoked    ·
          old        ·
          paused     ·
        sign-out
          closed     · !LinkBusy
          new        ·
          joining    · !LinkBusy
          ready      →new tx:signout
          renewing   →new cancel tx:signout
          signed_out →new tx:signout
          revoked    →new tx:signout
          old        →new tx:signout
          paused     · !LinkBusy
        pause
          closed     ·
          new        →paused
          joining    →paused !JoinFailed("c cancel
          ready      →paused
          renewing   →paused cancel
          signed_out →paused
          revoked    →paused
          old        →paused
          paused     ·
        resume
          closed     !
          new        !
          joining    !
          ready      !
          renewing   !
          signed_out !
          revoked    !
          old        !
          paused     →revoked
    "#]],
    );
}

#[test]
fn a_second_401_means_a_new_sign_in() {
    let mut machine = machine(Link::Renewing { step: RenewStep::Writing, failures: 0 });
    machine.link_tx = Some(Ticket(700));
    let answer = TxAnswer::Facts(Box::new(facts(OpenLink::Ready)));
    let mut effects = machine.step(Event::Tx { ticket: Ticket(700), answer }, NOW, 7);
    let cursors = effects.iter().find_map(|effect| match effect {
        Effect::Tx { ticket, tx: Tx::Cursors { .. } } => Some(*ticket),
        _ => None,
    });
    let answer = TxAnswer::Cursors(vec![(account(), None)]);
    effects = machine.step(Event::Tx { ticket: cursors.unwrap(), answer }, NOW, 7);
    let Some(Effect::Http { req, .. }) = effects.iter().find(|effect| matches!(effect, Effect::Http { .. }))
    else {
        panic!("{effects:?}")
    };
    let fault = Answer::Fault(Fault::Token);
    let effects = machine.step(Event::Http { req: *req, answer: fault }, NOW, 7);
    assert_eq!(machine.link_word(), "signed_out");
    assert!(effects.contains(&Effect::Notice(Notice::TokensEnded)));
}
