//! What a route is: everything about it in one row, from which router, rights, limits, reference page and the tests'
//! tables follow.

use std::pin::Pin;

use axum::response::Response;
use souk_domain::id::ShopId;
use souk_domain::rights::Action;
use souk_domain::time::Span;
use souk_engine::reader::Caller;

use crate::call::Call;
use crate::error::ApiError;

/// What a handler gives.
pub(crate) type Answered = Result<Response, ApiError>;
/// A handler at work.
pub(crate) type Work = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Route {
    /// Method.
    pub(crate) method: Method,
    /// Path with its parameters in braces.
    pub(crate) path: &'static str,
    /// Who may call it, with the handler that this right is needed for.
    pub(crate) who: Who,
    /// What may come in the body.
    pub(crate) body: Body,
    /// Requests of one device (of one address, where no device is known), and how wide accounts and addresses are
    /// counted.
    pub(crate) rate: Rate,
    /// Members of the query, none of them needed unless it says so.
    pub(crate) query: &'static [Param],
    /// Headers beyond the usual ones, all of them needed.
    pub(crate) headers: &'static [Param],
    /// What it does, in one line.
    pub(crate) summary: &'static str,
    /// Name of the answer's schema; empty for an answer without a body, or one that is no JSON.
    pub(crate) answer: &'static str,
    /// Status of the answer that was asked for.
    pub(crate) status: u16,
    /// Codes beyond those that every route may answer with.
    pub(crate) codes: &'static [&'static str],
}

/// A method that routes have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Method {
    /// Reads; also answers HEAD.
    Get,
    /// Does.
    Post,
    /// Puts in place of what is there; twice is once.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// Who may call a route. A handler gets what was checked, so none can forget to.
#[derive(Clone, Copy)]
pub(crate) enum Who {
    /// Anybody.
    Public(fn(Call) -> Work),
    /// Anybody who asks from this machine; for everybody else it is not there.
    Local(fn(Call) -> Work),
    /// A signed-in device, or a guest without a token, who sees what is public.
    Guest(fn(Call, Option<Caller>) -> Work),
    /// A signed-in device.
    Device(fn(Call, Caller) -> Work),
    /// A signed-in device of a shop's staff, whose role may do this. The shop is `?shop=`, or the account's own.
    Staff(Action, fn(Call, Caller, ShopId) -> Work),
}

impl Who {
    /// A word for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Who::Public(_) => "public",
            Who::Local(_) => "local",
            Who::Guest(_) => "guest",
            Who::Device(_) => "device",
            Who::Staff(..) => "staff",
        }
    }

    /// Whether it needs a token.
    pub(crate) fn is_signed_in(&self) -> bool {
        matches!(self, Who::Device(_) | Who::Staff(..))
    }
}

impl std::fmt::Debug for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What may come in a body; sizes are those of the unpacked body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    /// Nothing; what comes is not read.
    None,
    /// JSON of this schema, at most so many bytes.
    Json(&'static str, usize),
    /// Bytes that somebody else has signed, at most so many.
    Raw(usize),
}

/// So many in a window: all at once if need be, then one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rate {
    /// How many.
    pub(crate) most: u32,
    /// In how long.
    pub(crate) window: Span,
}

impl Rate {
    /// So many a minute.
    pub(crate) const fn per_min(most: u32) -> Rate {
        Rate { most, window: Span::from_minutes(1) }
    }

    /// So many an hour.
    pub(crate) const fn per_hour(most: u32) -> Rate {
        Rate { most, window: Span::from_hours(1) }
    }

    /// So many times as many.
    pub(crate) fn times(self, factor: u32) -> Rate {
        Rate { most: self.most.saturating_mul(factor), ..self }
    }
}

/// A member of a query, or a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Param {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it means.
    pub(crate) what: &'static str,
}

impl Route {
    /// The segments of its path.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').skip(1)
    }

    /// Names of the parameters in its path.
    pub(crate) fn params(&self) -> impl Iterator<Item = &'static str> {
        self.segments().filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }
}
