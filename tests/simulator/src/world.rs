//! What a system must offer to be simulated: the plug points.
//!
//! A world holds the programs of all hosts (real server, real devices), what it knows about the truth (the oracle), and the
//! checks. The run ([`crate::run`]) owns time, network, disk and faults and calls in; everything a program wants from
//! outside goes through [`Sim`]. Nothing else may reach a clock, a socket, a thread or a file.

use std::fmt;

use crate::disk::HostId;
use crate::faults::FaultKind;
use crate::net::{Answer, Request};
use crate::sim::Sim;

/// What kind of machine a host is; decides which faults it meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers requests.
    Server,
    /// Sends requests; somebody taps on it.
    Device,
}

/// One host of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Its id, also on the disk.
    pub id: HostId,
    /// Its kind.
    pub role: Role,
    /// Its name in the trace.
    pub name: String,
    /// The files that hold nothing but public rows, in which a bit may rot.
    pub public_files: Vec<String>,
}

/// A broken promise: the run ends here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant of spec/sync.md 10.4, `syn01` … , or `panic`, `open`.
    pub invariant: &'static str,
    /// What was found, with ids.
    pub text: String,
}

impl Violation {
    /// A violation of an invariant.
    pub fn new(invariant: &'static str, text: impl Into<String>) -> Violation {
        Violation { invariant, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

/// The result of everything that may find a violation.
pub type Checked = Result<(), Violation>;

/// Did a host come up?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs.
    Up,
    /// Its disk failed while it started; it will be started again.
    Down,
}

/// Where the answer to a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The server that was asked.
    pub server: HostId,
    /// The device that asked.
    pub device: HostId,
    /// The life of the device's process that asked.
    pub life: u64,
    /// The device's own number of the request.
    pub request: u64,
}

/// What becomes of a request, for the device. Late answers and copies come too: the program must drop what it does not expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The server answered.
    Answer(Answer),
    /// Refused connection or time-out.
    Failed,
}

/// What happens to a host besides crashes; told to worlds whose [`World::faults`] name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The program is about to be suspended: no open file may stay locked.
    Pause,
    /// The program goes on.
    Resume,
    /// The wall clock was set.
    ClockSet,
    /// A bit of a public file has flipped; the host is down and will be started.
    Rotted,
    /// An image of the disk was taken; what the oracle knows now is what a restore goes back to.
    BackedUp,
    /// The disk was set back to the last image; the host is down and will be started.
    /// `announced`: the operator says so (`souk serve --restored`).
    Restored {
        /// Is the program told at its start?
        announced: bool,
    },
    /// Syncs of the disk lie from now on; losses must be reported, not survived.
    LyingSync,
}

/// A simulated system.
pub trait World {
    /// All hosts, the server too. Asked once.
    fn hosts(&self) -> Vec<HostSpec>;

    /// The faults that this world can meet; crashes of both roles and partitions are the least.
    fn faults(&self) -> &[FaultKind];

    /// Opens the host's files and starts its program: first start, and after every crash. An error of the disk is
    /// [`Started::Down`]; a file that cannot be read, or rows that break an invariant, are violations.
    fn start(&mut self, host: HostId, sim: &mut Sim) -> Result<Started, Violation>;

    /// The process is gone: drop program, connections and everything that was only in memory. All I/O fails already.
    fn stop(&mut self, host: HostId);

    /// A request arrives at the running server. Answer with [`Sim::answer`], now or later.
    fn on_request(&mut self, to: ReplyTo, request: Request, sim: &mut Sim) -> Checked;

    /// The fate of a request arrives at the running device.
    fn on_reply(&mut self, device: HostId, request: u64, reply: Reply, sim: &mut Sim) -> Checked;

    /// A line of the event stream arrives at the running device.
    fn on_hint(&mut self, _device: HostId, _line: &[u8], _sim: &mut Sim) -> Checked {
        Ok(())
    }

    /// A timer set with [`Sim::timer_after`] or [`Sim::timer_at_mono`] is due on the running host.
    fn on_timer(&mut self, host: HostId, timer: u64, sim: &mut Sim) -> Checked;

    /// Somebody taps on the running device: one action of the workload.
    fn on_tap(&mut self, device: HostId, sim: &mut Sim) -> Checked;

    /// One of the events that the world said it can meet.
    fn on_host_event(&mut self, _host: HostId, _event: HostEvent, _sim: &mut Sim) -> Checked {
        Ok(())
    }

    /// After the faults: has everything come to rest? If not, what is still moving (syn15).
    fn at_rest(&mut self, sim: &mut Sim) -> Result<(), String>;

    /// How often something has happened that nobody tapped: time-outs, answers of a rail. Rest begins after the last.
    fn stirred(&self) -> u64 {
        0
    }

    /// Cheap checks after each event.
    fn check_step(&mut self, _sim: &mut Sim) -> Checked {
        Ok(())
    }

    /// All checks at the end, when every host was restarted once more and is at rest.
    fn check_end(&mut self, sim: &mut Sim) -> Checked;
}

impl<W: World + ?Sized> World for Box<W> {
    fn hosts(&self) -> Vec<HostSpec> {
        (**self).hosts()
    }
    fn faults(&self) -> &[FaultKind] {
        (**self).faults()
    }
    fn start(&mut self, host: HostId, sim: &mut Sim) -> Result<Started, Violation> {
        (**self).start(host, sim)
    }
    fn stop(&mut self, host: HostId) {
        (**self).stop(host);
    }
    fn on_request(&mut self, to: ReplyTo, request: Request, sim: &mut Sim) -> Checked {
        (**self).on_request(to, request, sim)
    }
    fn on_reply(&mut self, device: HostId, request: u64, reply: Reply, sim: &mut Sim) -> Checked {
        (**self).on_reply(device, request, reply, sim)
    }
    fn on_hint(&mut self, device: HostId, line: &[u8], sim: &mut Sim) -> Checked {
        (**self).on_hint(device, line, sim)
    }
    fn on_timer(&mut self, host: HostId, timer: u64, sim: &mut Sim) -> Checked {
        (**self).on_timer(host, timer, sim)
    }
    fn on_tap(&mut self, device: HostId, sim: &mut Sim) -> Checked {
        (**self).on_tap(device, sim)
    }
    fn on_host_event(&mut self, host: HostId, event: HostEvent, sim: &mut Sim) -> Checked {
        (**self).on_host_event(host, event, sim)
    }
    fn at_rest(&mut self, sim: &mut Sim) -> Result<(), String> {
        (**self).at_rest(sim)
    }
    fn stirred(&self) -> u64 {
        (**self).stirred()
    }
    fn check_step(&mut self, sim: &mut Sim) -> Checked {
        (**self).check_step(sim)
    }
    fn check_end(&mut self, sim: &mut Sim) -> Checked {
        (**self).check_end(sim)
    }
}

/// A wrong line that can be switched on, and what is known about its being found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutantSpec {
    /// Number in spec/sync.md 10.5.
    pub number: u32,
    /// Name on the command line.
    pub name: &'static str,
    /// What the changed line does.
    pub what: &'static str,
    /// The profile that finds it.
    pub profile: &'static str,
    /// A seed that is known to find it, tried first.
    pub known_seed: u64,
    /// How many seeds it may take.
    pub seeds_max: u64,
}

/// Builds worlds: one system with its mutants.
pub trait Scenario {
    /// Name on the command line.
    fn name(&self) -> &'static str;

    /// The mutants of this system.
    fn mutants(&self) -> &'static [MutantSpec];

    /// Makes the files of all hosts and the world over them. `mutant` is a name of [`Scenario::mutants`].
    fn build(&self, mutant: Option<&str>, sim: &mut Sim) -> Result<Box<dyn World>, Violation>;
}
