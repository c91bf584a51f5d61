//! The runner of a real server: one thread that owns the engine, a bounded queue in front of it.
//!
//! What queued while the last commit ran becomes the next batch, together with timers and hand-offs that are due.
//! Always: a full queue says *later* at once instead of growing; a graceful stop answers all that was taken in.

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::executor::block_on;
use souk_domain::time::{Span, Time};
use tokio::sync::{Notify, broadcast, oneshot};

use crate::batch::{BATCH_INTENTS_MAX, LATER_MS};
use crate::engine::ScopeHint;
use crate::rail::RailCall;
use crate::{Answer, Ask, Engine, EngineError, Reader};

/// Asks that may wait, at most: a few seconds of work; beyond it a client is better told to come later.
pub const QUEUE_MAX: usize = 4_096;
/// Hints that a slow listener may be behind before it misses some; it looks at all its scopes then.
pub const HINTS_MAX: usize = 4_096;
/// The writer looks up from an empty queue at least so often: hand-offs that were refused, clocks that were moved.
const IDLE_MAX: Span = Span::from_secs(1);
/// Pause of the writer's own work after the store has failed.
const FAILED_PAUSE: Span = Span::from_secs(1);

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The running engine; cheap to copy.
#[derive(Clone)]
pub struct EngineHandle {
    queue: SyncSender<Command>,
    reader: Reader,
    hints: broadcast::Sender<ScopeHint>,
    rails: Arc<Notify>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineHandle")
    }
}

enum Command {
    Decide(Box<Ask>, oneshot::Sender<Answer>),
    RailDue(usize, oneshot::Sender<Vec<RailCall>>),
    Stop(oneshot::Sender<()>),
}

impl EngineHandle {
    /// Starts the writer's thread. Errors when the system gives none.
    pub fn start(mut engine: Engine, clock: Clock) -> std::io::Result<EngineHandle> {
        let (queue, commands) = sync_channel(QUEUE_MAX);
        let (hints, _) = broadcast::channel(HINTS_MAX);
        let (reader, rails) = (engine.reader(), Arc::new(Notify::new()));
        let tell = hints.clone();
        engine.on_hints(Box::new(move |moved| {
            for hint in moved {
                // Nobody listens: fine.
                let _ = tell.send(hint.clone());
            }
        }));
        let mut writer = Writer {
            engine,
            clock,
            commands,
            rails: rails.clone(),
            next_timer: None,
            paused_until: Time::default(),
            is_stopping: false,
        };
        let thread =
            std::thread::Builder::new().name("souk-writer".to_owned()).spawn(move || writer.run())?;
        Ok(EngineHandle { queue, reader, hints, rails, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    /// For queries beside the writer.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Has an ask decided; the answer comes once it is durable. Detached: an ask that was taken in is decided even
    /// if nobody waits for its answer any more.
    pub async fn decide(&self, ask: Ask) -> Answer {
        self.queue(ask).await.unwrap_or(Answer::Later { after_ms: LATER_MS })
    }

    /// Has several asks decided in their order, most likely in one batch.
    pub async fn decide_all(&self, asks: Vec<Ask>) -> Vec<Answer> {
        let queued: Vec<_> = asks.into_iter().map(|ask| self.queue(ask)).collect();
        let mut answers = Vec::with_capacity(queued.len());
        for answered in queued {
            answers.push(answered.await.unwrap_or(Answer::Later { after_ms: LATER_MS }));
        }
        answers
    }

    /// Queues an ask at once; a full or closed queue shows as a closed channel.
    fn queue(&self, ask: Ask) -> oneshot::Receiver<Answer> {
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Command::Decide(Box::new(ask), answer)) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => answered,
        }
    }

    /// Calls to rails that are due.
    pub async fn rail_due(&self, limit: usize) -> Vec<RailCall> {
        let (answer, answered) = oneshot::channel();
        match self.queue.try_send(Command::RailDue(limit, answer)) {
            Ok(()) => answered.await.unwrap_or_default(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Vec::new(),
        }
    }

    /// Waits until a call to a rail is due; looked at with each batch, and once a second. Cancel-safe.
    pub async fn rail_wait(&self) {
        self.rails.notified().await;
    }

    /// Hints from now on.
    pub fn hints(&self) -> broadcast::Receiver<ScopeHint> {
        self.hints.subscribe()
    }

    /// Whether the writer's thread runs.
    pub fn is_alive(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Stops: what was taken in is decided and answered, the log is emptied, the thread ends. Errors with
    /// `server.busy` when it had ended already.
    pub async fn stop(&self) -> Result<(), EngineError> {
        let (done, ended) = oneshot::channel();
        let mut command = Command::Stop(done);
        // The queue may be full of what must still be decided.
        loop {
            match self.queue.try_send(command) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return Err(EngineError::Stopped),
                Err(TrySendError::Full(back)) => {
                    command = back;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        ended.await.map_err(|_| EngineError::Stopped)?;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Err(_)) => Err(EngineError::Stopped),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

/// What the thread owns.
struct Writer {
    engine: Engine,
    clock: Clock,
    commands: Receiver<Command>,
    rails: Arc<Notify>,
    next_timer: Option<Time>,
    /// After a failure of the store the writer's own work waits.
    paused_until: Time,
    is_stopping: bool,
}

/// A batch, and who waits for its answers.
#[derive(Default)]
struct Gathered {
    asks: Vec<Ask>,
    waiting: Vec<oneshot::Sender<Answer>>,
    intents: usize,
}

impl Writer {
    fn run(&mut self) {
        self.look_at_timers();
        let mut stopped = Vec::new();
        loop {
            let mut gathered = self.gather(&mut stopped);
            let now = (self.clock)();
            // What people have asked comes first in its batch, so that its answers are a prefix.
            let own = self.own_asks(now);
            let had_own = !own.is_empty();
            gathered.asks.extend(own);
            self.wake_rails(now);
            if gathered.asks.is_empty() {
                if self.is_stopping {
                    break;
                }
                continue;
            }
            let answers = block_on(self.engine.decide_batch(gathered.asks, now));
            if had_own && answers.last().is_some_and(|answer| matches!(answer, Answer::Later { .. })) {
                self.paused_until = now.plus(FAILED_PAUSE);
            }
            for (answer, waiting) in answers.into_iter().zip(gathered.waiting) {
                // Whoever asked may be gone; the outcome stands.
                let _ = waiting.send(answer);
            }
            self.look_at_timers();
            self.wake_rails(now);
        }
        if let Err(error) = block_on(self.engine.reader().store().checkpoint()) {
            tracing::error!(code = error.code(), "the log could not be emptied at the stop");
        }
        for done in stopped {
            let _ = done.send(());
        }
    }

    /// Waits for the first command, takes what else is there.
    fn gather(&mut self, stopped: &mut Vec<oneshot::Sender<()>>) -> Gathered {
        let mut gathered = Gathered::default();
        match self.commands.recv_timeout(self.idle()) {
            Ok(command) => self.take(command, &mut gathered, stopped),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.is_stopping = true,
        }
        while gathered.intents < BATCH_INTENTS_MAX {
            match self.commands.try_recv() {
                Ok(command) => self.take(command, &mut gathered, stopped),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.is_stopping = true;
                    break;
                }
            }
        }
        gathered
    }

    fn take(&mut self, command: Command, to: &mut Gathered, stopped: &mut Vec<oneshot::Sender<()>>) {
        match command {
            Command::Decide(ask, waiting) => {
                to.intents += ask.intents();
                to.asks.push(*ask);
                to.waiting.push(waiting);
            }
            Command::RailDue(limit, answer) => {
                let calls = block_on(self.engine.rail_due((self.clock)(), limit));
                let calls = calls.unwrap_or_else(|error| {
                    tracing::error!(code = error.code(), %error, "calls to rails could not be read");
                    Vec::new()
                });
                let _ = answer.send(calls);
            }
            Command::Stop(done) => {
                self.is_stopping = true;
                stopped.push(done);
            }
        }
    }

    /// How long an empty queue is waited for.
    fn idle(&self) -> Duration {
        let now = (self.clock)();
        if self.is_stopping || (now >= self.paused_until && self.engine.has_deliveries(now)) {
            return Duration::ZERO;
        }
        let due = self.next_timer.map_or(IDLE_MAX, |due| due.max(self.paused_until).since(now));
        let wait = due.min(IDLE_MAX).micros().max(0);
        Duration::from_micros(wait.unsigned_abs())
    }

    /// Timers and hand-offs that are due.
    fn own_asks(&mut self, now: Time) -> Vec<Ask> {
        if now < self.paused_until || self.is_stopping {
            return Vec::new();
        }
        let mut asks = Vec::new();
        if self.next_timer.is_some_and(|due| due <= now) {
            asks.extend(self.or_pause(now, block_on(self.engine.timeouts(now, BATCH_INTENTS_MAX))));
        }
        let deliveries = block_on(self.engine.relay_asks(now, BATCH_INTENTS_MAX));
        asks.extend(self.or_pause(now, deliveries));
        asks
    }

    fn or_pause(&mut self, now: Time, asks: Result<Vec<Ask>, EngineError>) -> Vec<Ask> {
        asks.unwrap_or_else(|error| {
            tracing::error!(code = error.code(), %error, "the store failed");
            self.paused_until = now.plus(FAILED_PAUSE);
            Vec::new()
        })
    }

    fn wake_rails(&self, now: Time) {
        if self.engine.rail_next_due().is_some_and(|due| due <= now) {
            self.rails.notify_one();
        }
    }

    fn look_at_timers(&mut self) {
        match block_on(self.engine.next_due()) {
            Ok(due) => self.next_timer = due,
            Err(error) => {
                tracing::error!(code = error.code(), %error, "timers could not be read");
                self.paused_until = (self.clock)().plus(FAILED_PAUSE);
            }
        }
    }
}
