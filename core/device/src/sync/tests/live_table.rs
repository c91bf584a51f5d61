//! live: the table of 6.5.

use super::*;

fn live_name(machine: &Machine) -> String {
    match machine.live.state {
        Live::Off => "Off",
        Live::Opening { .. } => "Opening",
        Live::Open { .. } => "Open",
        Live::Wait { .. } => "Wait",
    }
    .to_owned()
}

#[test]
fn table_of_live() {
    let base = |state: Live| {
        let mut machine = machine(Link::Ready);
        machine.config.live = true;
        machine.up[0].state = Up::Idle;
        machine.up[1].state = Up::Idle;
        machine.live.state = state;
        machine.live.scopes = machine.down.keys().cloned().collect();
        machine.timers.insert(TimerId(900), TimerFor::Live);
        machine.timers.insert(TimerId(901), TimerFor::Silence);
        machine
    };
    let (req, silence) = (ReqId(800), TimerId(901));
    let mut off = base(Live::Off);
    off.phase = Phase::Background;
    let states = [
        ("Off", off),
        ("Opening", base(Live::Opening { req, silence })),
        ("Open", base(Live::Open { req, silence })),
        ("Wait", base(Live::Wait { timer: TimerId(900) })),
    ];
    let said = |event: LiveEvent| move |_: &Machine| Some(Event::Live { req, event: event.clone() });
    let stopped = |stop| said(LiveEvent::Stopped(stop));
    let silent = |machine: &Machine| match machine.live.state {
        Live::Opening { silence, .. } | Live::Open { silence, .. } => Some(Event::Timer(silence)),
        Live::Off | Live::Wait { .. } => None,
    };
    let timer = |machine: &Machine| match machine.live.state {
        Live::Wait { timer } => Some(Event::Timer(timer)),
        Live::Off | Live::Opening { .. } | Live::Open { .. } => None,
    };
    let actual = table(
        &states,
        &[
            ("foreground", &|_| Some(Event::Phase(Phase::Foreground))),
            ("background", &|_| Some(Event::Phase(Phase::Background))),
            ("opened", &said(LiveEvent::Opened)),
            ("hint", &said(LiveEvent::Hint(account()))),
            ("alive", &said(LiveEvent::Alive)),
            ("end", &stopped(LiveStop::End)),
            ("closed, failed", &stopped(LiveStop::Broken)),
            ("401", &stopped(LiveStop::Token)),
            ("403", &stopped(LiveStop::Revoked)),
            ("426", &stopped(LiveStop::TooOld)),
            ("silent 45 s", &silent),
            ("timer", &timer),
            ("net up", &|_| Some(Event::NetUp)),
        ],
        live_name,
    );
    check(
        &actual,
        expect![[r#"
        foreground
          Off        →Opening live 45s
          Opening    ·
          Open       ·
          Wait       ·
        background
          Off        ·
          Opening    →Off cancel
          Open       →Off cancel
          Wait       →Off
        opened
          Off        ·
          Opening    →Open 45s
          Open       ·
          Wait       ·
        hint
          Off        ·
          Opening    ·
          Open       · 45s
          Wait       ·
        alive
          Off        ·
          Opening    ·
          Open       · 45s
          Wait       ·
        end
          Off        ·
          Opening    →Wait 1s
          Open       →Wait 1s
          Wait       ·
        closed, failed
          Off        ·
          Opening    →Wait 0s
          Open       →Wait 0s
          Wait       ·
        401
          Off        ·
          Opening    →Off token
          Open       →Off token
          Wait       ·
        403
          Off        ·
          Opening    →Off tx:revoked !Revoked
          Open       →Off tx:revoked !Revoked
          Wait       ·
        426
          Off        ·
          Opening    →Off 86400s !TooOld
          Open       →Off 86400s !TooOld
          Wait       ·
        silent 45 s
          Off        !
          Opening    →Wait cancel 0s
          Open       →Wait cancel 0s
          Wait       !
        timer
          Off        !
          Opening    !
          Open       !
          Wait       →Opening live 45s
        net up
          Off        · tx:take tx:take
          Opening    · tx:take tx:take
          Open       · tx:take tx:take
          Wait       · tx:take tx:take 1s
    "#]],
    );
}

/// A scope that is followed while the stream stands would be heard of by nobody.
#[test]
fn a_new_scope_opens_the_stream_anew() {
    let (req, silence) = (ReqId(800), TimerId(901));
    for state in [Live::Opening { req, silence }, Live::Open { req, silence }] {
        let mut machine = machine(Link::Ready);
        machine.config.live = true;
        machine.live.state = state;
        machine.live.scopes = machine.down.keys().cloned().collect();
        machine.timers.insert(silence, TimerFor::Silence);
        let shop = Scope::Route("018f3c2a5b007abc8def0123456789ab".parse().unwrap());
        let asked = machine.step(Event::Follow(shop.clone()), NOW, 1);
        let ticket = asked.iter().find_map(|effect| match effect {
            Effect::Tx { ticket, .. } => Some(*ticket),
            _ => None,
        });
        let mut known = facts(OpenLink::Ready);
        known.scopes = machine.down.keys().cloned().chain([shop.clone()]).collect();
        let answer = TxAnswer::Facts(Box::new(known));
        let effects = machine.step(Event::Tx { ticket: ticket.expect("a row is written"), answer }, NOW, 2);
        assert!(effects.contains(&Effect::Cancel(req)));
        let opened = effects.iter().find_map(|effect| match effect {
            Effect::Http { request: Request::Live { scopes }, .. } => Some(scopes.clone()),
            _ => None,
        });
        assert!(opened.expect("a stream is opened").contains(&shop));
        // And only once.
        let again = machine.step(Event::Hint(account()), NOW, 3);
        assert!(!again.iter().any(|effect| matches!(effect, Effect::Cancel(_))));
    }
}
