//! The body of an upstream's answer on its way to the client. It passes as it comes; where tools are hidden, event by
//! event.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{streams::Stream, upstream::UpstreamBody};
use crate::{
    guard::tool_list::{Events, Shows},
    http::{answer::BrokenOff, body_budget::Holding},
};

/// The grant ended, or its token expired, and the answer with it.
#[derive(Debug, thiserror::Error)]
#[error("the grant of the request has ended")]
struct GrantEnded;

/// All unfinished events together are as large as the server may hold.
#[derive(Debug, thiserror::Error)]
#[error("the server holds as many bytes of unfinished events as it can")]
struct EventsUsedUp;

/// The body of an answer.
pub(crate) struct AnswerOf {
    upstream: UpstreamBody,
    filter: Option<Filter>,
    /// Whether the answer is a stream of events, which may end between any two.
    is_events: bool,
    ends: Vec<Pin<Box<WaitForCancellationFutureOwned>>>,
    is_over: bool,
    /// Held until the answer is over.
    _stream: Stream,
}

/// Shows some tools of the lists in a stream of events.
pub(crate) struct Filter {
    pub(crate) events: Events,
    pub(crate) shows: Arc<Shows<'static>>,
    /// The memory of the event whose end has not come.
    pub(crate) holding: Holding,
}

impl Filter {
    /// Takes what came, and gives the events that are complete.
    fn push(&mut self, data: &[u8]) -> Result<Vec<u8>, BrokenOff> {
        let complete = self.events.push(data, &*self.shows)?;
        self.holding.resize(self.events.held()).map_err(|_| EventsUsedUp)?;
        Ok(complete)
    }
}

impl AnswerOf {
    /// `draining` is cancelled when the server stops, which ends streams of events at once.
    pub(crate) fn new(
        upstream: UpstreamBody,
        stream: Stream,
        is_events: bool,
        filter: Option<Filter>,
        draining: &CancellationToken,
    ) -> Self {
        let draining = is_events.then_some(draining);
        let tokens = stream.end().into_iter().chain(draining);
        let ends = tokens.map(|token| Box::pin(token.clone().cancelled_owned())).collect();
        Self { upstream, filter, is_events, ends, is_over: false, _stream: stream }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        loop {
            let data = match ready!(Pin::new(&mut self.upstream).poll_frame(cx)) {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    let rest = self.filter.take().map(|mut filter| filter.events.rest());
                    let rest = rest.filter(|rest| !rest.is_empty());
                    return Poll::Ready(rest.map(|rest| Ok(rest.into())));
                }
            };
            let Some(filter) = &mut self.filter else {
                return Poll::Ready(Some(Ok(data)));
            };
            match filter.push(&data) {
                Ok(complete) if complete.is_empty() => {}
                Ok(complete) => return Poll::Ready(Some(Ok(complete.into()))),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
    }
}

impl Body for AnswerOf {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        if self.ends.iter_mut().any(|end| end.as_mut().poll(cx).is_ready()) {
            self.is_over = true;
            return Poll::Ready((!self.is_events).then(|| Err(GrantEnded.into())));
        }
        self.poll_data(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || (self.filter.is_none() && self.upstream.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self.filter {
            None => self.upstream.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}
