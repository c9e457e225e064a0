//! Reads a request body within a size, a total deadline, and the budget of all bodies (docs/protocol.md).
//!
//! A caller that gets its response while it still sends sees a broken connection instead of the response. So the
//! server reads on for a while after it rejected a body, and discards what it reads.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_TYPE, EXPECT},
};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::{
    body_budget::{BodyBudget, Held, Share, UsedUp},
    client_address::Source,
};

/// The most bytes of a rejected body that are discarded before the response.
const DISCARDED_MAX: u64 = 4 << 20;
/// How long a caller may pause before the server assumes that it waits for the response.
const PAUSE: Duration = Duration::from_millis(500);

/// The media type of a body, without its parameters (RFC 9110 §8.3.1); compared without regard to case.
pub(crate) fn media_type(headers: &HeaderMap) -> &[u8] {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// Status 413; the maximum in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// Status 408; the deadline in seconds.
    #[error("the body did not arrive within {0} seconds")]
    TooSlow(u64),
    /// Status 503: the budget of all bodies is used up.
    #[error("the server is receiving as many bytes as it can hold; try again")]
    UsedUp,
    /// The caller disconnected, or its framing is broken: no response can reach it.
    #[error("the body could not be read")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How the bodies of one source are read.
#[derive(Clone, Copy)]
pub(crate) struct BodyReader<'a> {
    pub(crate) budget: &'a BodyBudget,
    pub(crate) source: Source,
    /// The deadline for the whole body.
    pub(crate) deadline: Duration,
}

impl<'a> BodyReader<'a> {
    /// The whole body, at most `bytes_max` bytes.
    pub(crate) async fn read<B>(
        self,
        body: B,
        bytes_max: usize,
    ) -> Result<Held<'a, Bytes>, BodyError>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    {
        timeout(self.deadline, self.collect(body, bytes_max))
            .await
            .unwrap_or(Err(BodyError::TooSlow(self.deadline.as_secs())))
    }

    /// Discards the body of a rejected request.
    ///
    /// A caller that waits for permission to send its body (`Expect: 100-continue`) gets the response instead.
    pub(crate) async fn discard(self, headers: &HeaderMap, body: impl Body<Data = Bytes> + Unpin) {
        if !headers.contains_key(EXPECT) && body.size_hint().lower() <= DISCARDED_MAX {
            let _late = timeout(self.deadline, discard(body)).await;
        }
    }

    async fn collect<B>(self, mut body: B, bytes_max: usize) -> Result<Held<'a, Bytes>, BodyError>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    {
        let hint = body.size_hint();
        if hint.lower() > bytes_max as u64 {
            if hint.lower() <= DISCARDED_MAX {
                discard(body).await;
            }
            return Err(BodyError::TooLarge(bytes_max));
        }
        let length = hint.exact().and_then(|exact| usize::try_from(exact).ok());
        let mut share = None;
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(frame) = self.frame(&mut body, length.unwrap_or(bytes_max), &mut share).await
        {
            let data = match frame.map(|frame| frame.map(Frame::into_data)) {
                Ok(Ok(Ok(data))) => data,
                Ok(Ok(Err(_trailers))) => continue,
                Ok(Err(error)) => return Err(BodyError::Broken(error.into())),
                Err(UsedUp) => {
                    discard(body).await;
                    return Err(BodyError::UsedUp);
                }
            };
            if first.len() + joined.len() + data.len() > bytes_max {
                discard(body).await;
                return Err(BodyError::TooLarge(bytes_max));
            }
            // Most bodies arrive in one piece, which is passed on without a copy.
            if first.is_empty() && joined.is_empty() {
                first = data;
                continue;
            }
            if joined.is_empty() {
                joined.reserve(length.unwrap_or(0).max(first.len() + data.len()));
                joined.extend_from_slice(&std::mem::take(&mut first));
            }
            joined.extend_from_slice(&data);
        }
        let bytes = if joined.is_empty() { first } else { joined.freeze() };
        let share = match share {
            Some(mut share) => {
                share.shrink_to(bytes.len());
                share
            }
            None => self.budget.hold(self.source, bytes.len()).map_err(|_| BodyError::UsedUp)?,
        };
        Ok(Held::new(bytes, share))
    }

    /// The next frame. If the frame has not arrived yet, `length` bytes are reserved before the wait.
    async fn frame<B: Body<Data = Bytes> + Unpin>(
        self,
        body: &mut B,
        length: usize,
        share: &mut Option<Share<'a>>,
    ) -> Option<Result<Result<Frame<Bytes>, B::Error>, UsedUp>> {
        poll_fn(|cx| {
            let polled = Pin::new(&mut *body).poll_frame(cx);
            if polled.is_pending() && share.is_none() {
                match self.budget.reserve(self.source, length) {
                    Ok(reserved) => *share = Some(reserved),
                    Err(used_up) => return Poll::Ready(Some(Err(used_up))),
                }
            }
            polled.map(|frame| frame.map(Ok))
        })
        .await
    }
}

/// Discards up to [`DISCARDED_MAX`] bytes, or until the caller pauses: then it reads the response.
async fn discard(mut body: impl Body<Data = Bytes> + Unpin) {
    let mut left = DISCARDED_MAX;
    while let Ok(Some(Ok(frame))) = timeout(PAUSE, body.frame()).await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible, task::Context};

    use http_body::SizeHint;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    async fn read(body: Pieces, bytes_max: usize, deadline: Duration) -> Result<Bytes, BodyError> {
        let budget = BodyBudget::new(1 << 20, 1 << 20);
        let source = Source::of([192, 0, 2, 1].into());
        let reader = BodyReader { budget: &budget, source, deadline };
        reader.read(body, bytes_max).await.map(|held| held.clone())
    }

    /// A body of these pieces, which then ends or hangs.
    #[derive(Default)]
    struct Pieces {
        frames: VecDeque<Bytes>,
        declared: u64,
        hangs: bool,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.frames.pop_front() {
                None if self.hangs => Poll::Pending,
                piece => Poll::Ready(piece.map(|data| Ok(Frame::data(data)))),
            }
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.declared);
            hint
        }
    }

    fn pieces(texts: &[&'static str]) -> Pieces {
        Pieces { frames: texts.iter().copied().map(Bytes::from).collect(), ..Pieces::default() }
    }

    /// A body of `count` pieces of one MiB.
    fn large(count: usize) -> Pieces {
        Pieces {
            frames: std::iter::repeat_n(Bytes::from(vec![0; 1 << 20]), count).collect(),
            ..Pieces::default()
        }
    }

    #[tokio::test]
    async fn a_body_is_put_together_from_its_pieces() {
        for (sent, expected) in [
            (pieces(&[]), ""),
            (pieces(&["abc"]), "abc"),
            (pieces(&["", "ab", "", "c", "d"]), "abcd"),
        ] {
            assert_eq!(read(sent, 4, DEADLINE).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_body_that_is_larger_than_the_maximum_is_refused() {
        for sent in [pieces(&["abcde"]), pieces(&["abcd", "e"]), large(3)] {
            let read = read(sent, 4, DEADLINE).await;
            assert!(matches!(read, Err(BodyError::TooLarge(4))), "{read:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_in_time_is_refused() {
        for sent in [pieces(&[]), pieces(&["ab"]), pieces(&["too large"])] {
            let sent = Pieces { hangs: true, ..sent };
            let read = read(sent, 4, Duration::from_millis(20)).await;
            assert!(matches!(read, Err(BodyError::TooSlow(0))), "{read:?}");
        }
    }

    #[tokio::test]
    async fn what_is_thrown_away_of_a_large_body_is_bounded() {
        // Neither read waits for the end of the body, which never comes.
        for sent in [
            Pieces { hangs: true, ..large(6) },
            Pieces { hangs: true, declared: DISCARDED_MAX + 1, ..Pieces::default() },
        ] {
            let read = read(sent, 4, DEADLINE).await;
            assert!(matches!(read, Err(BodyError::TooLarge(4))), "{read:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_is_there_needs_no_reservation_and_one_that_hangs_does() {
        let budget = BodyBudget::new(40, 40);
        let source = Source::of([192, 0, 2, 1].into());
        let reader = BodyReader { budget: &budget, source, deadline: DEADLINE };
        let hanging = || Pieces { hangs: true, declared: 30, ..pieces(&["ab"]) };
        let mut first = Box::pin(reader.read(hanging(), 30));
        assert!(timeout(Duration::from_millis(1), first.as_mut()).await.is_err());

        let refused = reader.read(hanging(), 30).await;
        assert!(matches!(refused, Err(BodyError::UsedUp)));
        let read = reader.read(pieces(&["abc", "def"]), 30).await.unwrap();
        assert_eq!(**read, b"abcdef"[..]);

        drop(first);
        assert!(budget.reserve(source, 24).is_ok(), "what is given up is given back");
    }
}
