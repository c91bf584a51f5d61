//! The API without its transport: paths, statuses and forms as in `souk_http`, calls of engine and reader behind them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use souk_domain::outcome::Refusal;
use souk_domain::party::{Account, AccountRoles};
use souk_domain::rows::Key;
use souk_domain::scope::Scope;
use souk_engine::reader::Caller;
use souk_engine::{Ask, EngineError, sign_in};
use souk_protocol::auth::{
    ChallengeRequest, ChallengeResponse, EpochRequest, EpochResponse, RegisterRequest, TokenRequest,
};
use souk_protocol::codes::{ErrorBody, status_of};
use souk_protocol::sync::{PullRequest, PushRequest};
use souk_store::StoreError;

use super::market::{SEATS, fill};
use super::record::{Record, Wish};
use super::server::Server;
use super::{Part, block_on};
use crate::net::{Answer, Request};
use crate::sim::Sim;
use crate::world::{Checked, ReplyTo, Violation};

/// What a request could not have: a refusal of a rule, or our own failure.
enum Stop {
    Refused(Refusal),
    Busy,
    Internal,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        match error {
            EngineError::Refused(refusal) => Stop::Refused(refusal),
            EngineError::Store(StoreError::Full) => Stop::Refused(Refusal::new("store.full")),
            EngineError::Stopped => Stop::Busy,
            EngineError::Store(_) | EngineError::Settings(_) | EngineError::Rule(_) => Stop::Internal,
        }
    }
}

/// An answer of JSON.
pub(super) fn json<T: Serialize>(status: u16, value: &T) -> Answer {
    // Plain structs with text keys always have a JSON form.
    let body = serde_json::to_vec(value).unwrap_or_default();
    Answer { status, headers: Vec::new(), body }
}

/// A refusal with the status of its code.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    json(status_of(refusal.code), &ErrorBody::of(refusal, ""))
}

/// The server cannot take it now.
pub(super) fn busy(after_s: u64) -> Answer {
    let headers = vec![("retry-after".to_owned(), after_s.max(1).to_string())];
    Answer { headers, ..refused(&Refusal::new("server.busy")) }
}

/// A failure of ours.
pub(super) fn internal() -> Answer {
    refused(&Refusal::new("core.internal"))
}

impl Server {
    /// Answers a request, or keeps it for the next batch.
    pub(super) fn serve(
        &mut self,
        to: ReplyTo,
        request: &Request,
        record: &mut Record,
        sim: &mut Sim,
    ) -> Checked {
        let (path, query) = request.line.split_once('?').unwrap_or((&request.line, ""));
        let answer = match path {
            "POST /v1/devices/challenge" => self.challenge(request, sim),
            "POST /v1/devices" => self.register(request, record, sim)?,
            "POST /v1/auth/token" => self.renew(request, record, sim)?,
            "POST /v1/devices/me/epoch" => self.raise_epoch(request, record, sim)?,
            "POST /v1/sync/push" => match self.push(to, request, sim) {
                Ok(Ok(wish)) => {
                    self.gather(to, wish, sim);
                    return Ok(());
                }
                Ok(Err(violation)) => return Err(violation),
                Err(stop) => Err(stop),
            },
            "POST /v1/sync/pull" => self.pull(request, sim),
            "GET /v1/sync/live" => self.live(to, request, query, sim),
            _ => Err(Refusal::new("route.unknown").into()),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(Stop::Refused(refusal)) => refused(&refusal),
            Err(Stop::Busy) => busy(1),
            Err(Stop::Internal) => internal(),
        };
        if answer.status == 400 {
            let text = format!("{} is refused: {}", request.line, String::from_utf8_lossy(&answer.body));
            return Err(Violation::new("syn15", text)); // the device would wait for an hour
        }
        sim.answer(to, answer);
        Ok(())
    }

    fn caller(&self, request: &Request, sim: &Sim) -> Result<Caller, Stop> {
        let token = bearer(request).ok_or(Refusal::new("auth.missing"))?;
        Ok(block_on(self.reader.authenticate(token, self.now(sim)))?)
    }

    fn challenge(&mut self, request: &Request, sim: &mut Sim) -> Result<Answer, Stop> {
        let asked: ChallengeRequest = body(request)?;
        let now = self.now(sim);
        let (challenge, expires_at) = self.reader.challenge(&asked.key, now);
        Ok(json(200, &ChallengeResponse { challenge, expires_at, now }))
    }

    fn register(
        &mut self,
        request: &Request,
        record: &mut Record,
        sim: &mut Sim,
    ) -> Result<Result<Answer, Stop>, Violation> {
        let begun = (|| {
            let asked: RegisterRequest = body(request)?;
            let is_courier =
                SEATS.iter().any(|seat| seat.part == Part::Courier && seat.contact == asked.contact);
            let roles = AccountRoles { courier: is_courier, operator: false };
            let now = self.now(sim);
            let registration = self.reader.register(&asked, roles, now)?;
            self.desk.prove(&self.reader, &asked.contact, &asked.code, now)?;
            Ok::<_, Stop>(registration)
        })();
        let mut registration = match begun {
            Ok(registration) => registration,
            Err(stop) => return Ok(Err(stop)),
        };
        if let Some(claim) = registration.claim() {
            let Some(outcome) = self.act(claim, record, sim)? else { return Ok(Err(Stop::Busy)) };
            if let Err(refusal) = registration.claimed(&outcome) {
                return Ok(Err(refusal.into()));
            }
        }
        let Some(outcome) = self.act(registration.enrol(), record, sim)? else { return Ok(Err(Stop::Busy)) };
        let epoch = match registration.enrolled(&outcome) {
            Ok(epoch) => epoch,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        let tokens =
            self.reader.tokens(registration.account(), registration.device(), self.now(sim), &random(sim));
        if self.act(tokens.issue(), record, sim)?.is_none() {
            return Ok(Err(Stop::Busy));
        }
        let account: Result<Option<Account>, EngineError> =
            block_on(self.reader.row(Key::account(registration.account())));
        Ok(match account {
            Ok(account) => {
                let shop = account.and_then(|account| account.shop);
                Ok(json(201, &self.reader.registered(&registration, epoch, tokens, shop)))
            }
            Err(error) => Err(error.into()),
        })
    }

    fn renew(
        &mut self,
        request: &Request,
        record: &mut Record,
        sim: &mut Sim,
    ) -> Result<Result<Answer, Stop>, Violation> {
        let asked: TokenRequest = match body(request) {
            Ok(asked) => asked,
            Err(stop) => return Ok(Err(stop)),
        };
        let rotation = block_on(self.reader.rotation(&asked.refresh, self.now(sim), &random(sim)));
        let (tokens, ask) = match rotation {
            Ok(rotation) => rotation,
            Err(error) => return Ok(Err(error.into())),
        };
        let Some(outcome) = self.act(ask, record, sim)? else { return Ok(Err(Stop::Busy)) };
        sim.count("tokens_renewed");
        Ok(tokens.given(&outcome).map(|tokens| json(200, &tokens)).map_err(Stop::from))
    }

    fn raise_epoch(
        &mut self,
        request: &Request,
        record: &mut Record,
        sim: &mut Sim,
    ) -> Result<Result<Answer, Stop>, Violation> {
        let begun = self.caller(request, sim).and_then(|caller| {
            let asked: EpochRequest = body(request)?;
            Ok(sign_in::raise_epoch(caller.account.id, caller.device.id, asked.have))
        });
        let ask: Ask = match begun {
            Ok(ask) => ask,
            Err(stop) => return Ok(Err(stop)),
        };
        let Some(outcome) = self.act(ask, record, sim)? else { return Ok(Err(Stop::Busy)) };
        sim.count("epochs");
        let (generation, now) = (self.reader.generation(), self.now(sim));
        let answer =
            sign_in::epoch_of(&outcome).map(|epoch| json(200, &EpochResponse { epoch, generation, now }));
        Ok(answer.map_err(Stop::from))
    }

    fn push(&mut self, _to: ReplyTo, request: &Request, sim: &Sim) -> Result<Result<Wish, Violation>, Stop> {
        let caller = self.caller(request, sim)?;
        let asked: PushRequest = body(request)?;
        asked.check(request.body.len())?;
        Ok(Wish::push(caller.actor(), asked.epoch, asked.items))
    }

    fn pull(&mut self, request: &Request, sim: &Sim) -> Result<Answer, Stop> {
        let caller = self.caller(request, sim)?;
        let asked: PullRequest = body(request)?;
        Ok(json(200, &block_on(self.reader.pull(Some(&caller), &asked, self.now(sim)))?))
    }

    fn live(&mut self, to: ReplyTo, request: &Request, query: &str, sim: &Sim) -> Result<Answer, Stop> {
        let caller = self.caller(request, sim)?;
        let unknown = || Stop::from(Refusal::new("scope.unknown"));
        let mut scopes = Vec::new();
        for name in query.strip_prefix("scopes=").ok_or_else(unknown)?.split(',') {
            let scope: Scope = name.parse().map_err(|_| unknown())?;
            if !block_on(self.reader.may_follow(caller.account.id, &scope))? {
                return Err(unknown());
            }
            scopes.push(scope);
        }
        let token = bearer(request).unwrap_or_default().to_owned();
        self.streams.open(to.device, to.request, token, caller.until, scopes);
        Ok(Answer { status: 200, ..Answer::default() })
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let header = request.headers.iter().find(|(name, _)| name == "authorization");
    header.and_then(|(_, value)| value.strip_prefix("Bearer "))
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Stop> {
    serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::new("request.form").with("field", error.to_string()).into())
}

fn random(sim: &mut Sim) -> [u8; 64] {
    let mut bytes = [0; 64];
    fill(sim.rng(), &mut bytes);
    bytes
}
