//! The thread that owns the host: commands in, outputs out, timers in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::Duration;

use souk_domain::scope::Scope;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;

use super::clock::Clock;
use super::net::Net;
use super::{DeviceConfig, Topics, live};
use crate::clock::Now;
use crate::error::SoukError;
use crate::facade::views::LinkState;
use crate::host::{DeviceHost, HostConfig, HttpAnswer, Output, SystemEntropy};
use crate::store::FilesConfig;
use crate::sync::{Event, Join, LiveEvent, LiveStop, Notice, ReqId, View};
use crate::testing::Mutants;

/// Longest sleep between two looks at the clock, milliseconds: a phone's sleep may have moved it.
const SLEEP_MS_MAX: u64 = 60_000;

/// A call that the thread runs.
pub(super) type Work = Box<dyn FnOnce(&mut DeviceHost, Now) + Send>;

/// What the thread is told.
pub(super) enum Command {
    /// Runs a call.
    Run(Work),
    /// Signs in.
    Join(Join, oneshot::Sender<Result<(), SoukError>>),
    /// Sends and fetches now; answered when nothing is under way any more.
    Sync(oneshot::Sender<()>),
    /// A request was answered.
    Http(ReqId, HttpAnswer),
    /// The stream of hints says something.
    Live(ReqId, LiveEvent),
    /// Ends.
    Stop(Option<oneshot::Sender<Result<(), SoukError>>>),
}

/// What the thread starts with.
pub(super) struct Start {
    pub(super) config: DeviceConfig,
    pub(super) net: Option<Net>,
    pub(super) online: Arc<AtomicBool>,
}

/// Starts the thread and waits until the files are open.
pub(super) async fn start(start: Start) -> Result<(Sender<Command>, Topics), SoukError> {
    let (inbox, commands) = std::sync::mpsc::channel();
    let (opened, is_open) = oneshot::channel();
    let handle = Handle::current();
    let (to_self, spawned) = (inbox.clone(), std::thread::Builder::new().name("souk-device".to_owned()));
    spawned
        .spawn(move || match Owner::open(start, to_self, handle) {
            Ok((mut owner, topics)) => {
                if opened.send(Ok(topics)).is_ok() {
                    owner.run(&commands);
                }
            }
            Err(error) => {
                // Whoever opens may have gone.
                let _ = opened.send(Err(error));
            }
        })
        .map_err(|_| SoukError::new("core.internal"))?;
    let topics = is_open.await.unwrap_or_else(|_| Err(SoukError::new("core.internal")))?;
    Ok((inbox, topics))
}

/// Ends of the channels that observers listen to.
struct Bells {
    orders: watch::Sender<u64>,
    stops: watch::Sender<u64>,
    catalogue: watch::Sender<u64>,
    status: watch::Sender<u64>,
}

struct Owner {
    host: DeviceHost,
    clock: Arc<dyn Clock>,
    net: Option<Net>,
    online: Arc<AtomicBool>,
    handle: Handle,
    to_self: Sender<Command>,
    flying: BTreeMap<ReqId, AbortHandle>,
    bells: Bells,
    joins: Vec<oneshot::Sender<Result<(), SoukError>>>,
    syncs: Vec<oneshot::Sender<()>>,
    /// New texts may wait for the search index.
    has_idle_work: bool,
    /// What the bells were last rung for.
    rung_for: Standing,
}

/// What changes without a row.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Standing {
    opens: u64,
    link: LinkState,
    is_quiet: bool,
}

impl Standing {
    fn of(host: &DeviceHost, now: Now) -> Standing {
        Standing { opens: host.opens(), link: host.link_state(now), is_quiet: host.is_quiet() }
    }
}

fn ring(bell: &watch::Sender<u64>) {
    bell.send_modify(|count| *count = count.wrapping_add(1));
}

impl Owner {
    fn open(start: Start, to_self: Sender<Command>, handle: Handle) -> Result<(Owner, Topics), SoukError> {
        let Start { config, net, online } = start;
        let host_config = HostConfig {
            files: FilesConfig::in_dir(config.dir),
            app: config.app,
            live: config.live && net.is_some(),
            mutants: Mutants::default(),
        };
        let now = config.clock.now();
        let host = DeviceHost::open(host_config, config.signer, Box::new(SystemEntropy), now)?;
        let rung_for = Standing::of(&host, now);
        let (orders, orders_heard) = watch::channel(0);
        let (stops, stops_heard) = watch::channel(0);
        let (catalogue, catalogue_heard) = watch::channel(0);
        let (status, status_heard) = watch::channel(0);
        let topics = Topics {
            orders: orders_heard,
            stops: stops_heard,
            catalogue: catalogue_heard,
            status: status_heard,
        };
        let owner = Owner {
            host,
            clock: config.clock,
            net,
            online,
            handle,
            to_self,
            flying: BTreeMap::new(),
            bells: Bells { orders, stops, catalogue, status },
            joins: Vec::new(),
            syncs: Vec::new(),
            has_idle_work: true,
            rung_for,
        };
        Ok((owner, topics))
    }

    fn run(&mut self, commands: &Receiver<Command>) {
        loop {
            self.carry_out();
            let Some(command) = self.next(commands) else { continue };
            match command {
                Command::Run(work) => work(&mut self.host, self.clock.now()),
                Command::Join(join, reply) => {
                    self.joins.push(reply);
                    self.host.event(Event::Join(join), self.clock.now());
                }
                Command::Sync(reply) => {
                    self.syncs.push(reply);
                    self.host.event(Event::SyncNow, self.clock.now());
                }
                Command::Http(req, answer) => {
                    self.flying.remove(&req);
                    self.set_online(answer != HttpAnswer::Failed);
                    self.host.http(req, answer, self.clock.now());
                }
                Command::Live(req, event) => {
                    if matches!(event, LiveEvent::Stopped(_)) {
                        self.flying.remove(&req);
                    }
                    self.host.live(req, event, self.clock.now());
                }
                Command::Stop(reply) => {
                    let closed = self.host.pause(self.clock.now());
                    std::mem::take(&mut self.flying).into_values().for_each(|task| task.abort());
                    if let Some(reply) = reply {
                        // The caller may have gone.
                        let _ = reply.send(closed);
                    }
                    return;
                }
            }
        }
    }

    /// The next command; none after a timer or a slice of idle work.
    fn next(&mut self, commands: &Receiver<Command>) -> Option<Command> {
        if self.has_idle_work {
            match commands.try_recv() {
                Ok(command) => return Some(command),
                Err(TryRecvError::Disconnected) => return Some(Command::Stop(None)),
                Err(TryRecvError::Empty) => {}
            }
            self.has_idle_work = self.host.idle(self.clock.now()).unwrap_or(false);
            if !self.has_idle_work {
                ring(&self.bells.catalogue);
            }
            self.host.wake(self.clock.now());
            return None;
        }
        let now = self.clock.now();
        let next_ms = self.host.next_timer().map_or(SLEEP_MS_MAX, |at| at.saturating_sub(now.mono_ms));
        match commands.recv_timeout(Duration::from_millis(next_ms.min(SLEEP_MS_MAX))) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => {
                self.host.wake(self.clock.now());
                None
            }
            Err(RecvTimeoutError::Disconnected) => Some(Command::Stop(None)),
        }
    }

    /// Does what the host asks for, until it asks for nothing more.
    fn carry_out(&mut self) {
        loop {
            let outputs = self.host.take_outputs();
            if outputs.is_empty() {
                break;
            }
            for output in outputs {
                self.one(output);
            }
        }
        self.ring_for_standing();
        if !self.syncs.is_empty() && self.host.is_quiet() {
            for sync in self.syncs.drain(..) {
                // Whoever asked may not wait any more.
                let _ = sync.send(());
            }
        }
    }

    /// Rings for what no output tells: the files are open again, the server fell silent, all is done.
    fn ring_for_standing(&mut self) {
        let standing = Standing::of(&self.host, self.clock.now());
        if standing == self.rung_for {
            return;
        }
        if standing.opens != self.rung_for.opens {
            [&self.bells.orders, &self.bells.stops, &self.bells.catalogue].into_iter().for_each(ring);
        }
        ring(&self.bells.status);
        self.rung_for = standing;
    }

    fn one(&mut self, output: Output) {
        match output {
            Output::Http { req, request } => match self.net.clone() {
                Some(net) => {
                    let to_self = self.to_self.clone();
                    let task = self.handle.spawn(async move {
                        let answer = net.exchange(request).await;
                        let _ = to_self.send(Command::Http(req, answer));
                    });
                    self.flying.insert(req, task.abort_handle());
                }
                None => self.host.http(req, HttpAnswer::Failed, self.clock.now()),
            },
            Output::Live { req, request } => match self.net.clone() {
                Some(net) => {
                    let to_self = self.to_self.clone();
                    let tell = move |event| {
                        let _ = to_self.send(Command::Live(req, event));
                    };
                    let task = self.handle.spawn(live::listen(net, request, tell));
                    self.flying.insert(req, task.abort_handle());
                }
                None => {
                    let stopped = LiveEvent::Stopped(LiveStop::Broken);
                    self.host.live(req, stopped, self.clock.now());
                }
            },
            Output::Cancel(req) => {
                if let Some(task) = self.flying.remove(&req) {
                    task.abort();
                }
            }
            Output::Views(views) => views.iter().for_each(|view| self.show(view)),
            Output::Notice(notice) => self.notice(&notice),
        }
    }

    fn show(&mut self, view: &View) {
        match view {
            View::Scope(Scope::Account(_) | Scope::Seller(_)) => {
                ring(&self.bells.orders);
                ring(&self.bells.status);
            }
            View::Scope(Scope::Route(_)) => ring(&self.bells.stops),
            View::Scope(Scope::Catalogue | Scope::Reference) => {
                self.has_idle_work = true;
                ring(&self.bells.catalogue);
                // What pending acts come to is reckoned from prices and rates; the status line counts products.
                ring(&self.bells.orders);
                ring(&self.bells.status);
            }
            View::Outbox => {
                ring(&self.bells.orders);
                ring(&self.bells.stops);
                ring(&self.bells.status);
            }
            View::Status => ring(&self.bells.status),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        tracing::debug!(?notice, "device");
        let answer = match notice {
            Notice::Joined => Some(Ok(())),
            Notice::JoinFailed(code) => Some(Err(SoukError::new(code.as_str()))),
            Notice::LinkBusy => Some(Err(SoukError::new("link.busy"))),
            Notice::SignedOut
            | Notice::TokensEnded
            | Notice::Revoked
            | Notice::TooOld
            | Notice::NewGeneration
            | Notice::Decided(_)
            | Notice::Conflicts(_)
            | Notice::SumDiffers(_)
            | Notice::RequestBroken(_)
            | Notice::StoreFailed => None,
        };
        if let Some(answer) = answer {
            for join in self.joins.drain(..) {
                // Whoever asked may not wait any more.
                let _ = join.send(answer.clone());
            }
        }
        ring(&self.bells.status);
    }

    fn set_online(&self, is_online: bool) {
        if self.online.swap(is_online, Ordering::Relaxed) != is_online {
            ring(&self.bells.status);
        }
    }
}
