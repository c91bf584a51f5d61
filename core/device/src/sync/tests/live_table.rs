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
