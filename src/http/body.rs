//! Reads a request body within a size and a total deadline (docs/protocol.md).
//!
//! A caller that is answered while it still sends sees a broken connection instead of the answer, so a
//! body that is too large is read on for a while and thrown away.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::time::timeout;

/// How much of a body that is too large is thrown away before the answer, in bytes.
const DISCARDED_MAX: u64 = 4 << 20;

/// The media type of a body, without its parameters (RFC 9110 §8.3.1); compared without regard to case.
pub(crate) fn media_type(headers: &HeaderMap) -> &[u8] {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// Why there is no body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// 413.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// 408.
    #[error("the body did not arrive within {0} seconds")]
    TooSlow(u64),
    /// The caller went away, or its framing is broken: there is nobody left to answer.
    #[error("the body could not be read")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The whole body, at most `bytes_max` bytes, all of which must have arrived before `deadline` is over.
pub(crate) async fn read<B>(
    body: B,
    bytes_max: usize,
    deadline: Duration,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    timeout(deadline, collect(body, bytes_max))
        .await
        .unwrap_or(Err(BodyError::TooSlow(deadline.as_secs())))
}

async fn collect<B>(mut body: B, bytes_max: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    let declared = body.size_hint().lower();
    if declared > bytes_max as u64 {
        if declared <= DISCARDED_MAX {
            discard(body).await;
        }
        return Err(BodyError::TooLarge(bytes_max));
    }
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| BodyError::Broken(error.into()))?.into_data() else {
            continue;
        };
        if first.len() + joined.len() + data.len() > bytes_max {
            discard(body).await;
            return Err(BodyError::TooLarge(bytes_max));
        }
        // Most bodies come in one piece, which is handed on without a copy.
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(usize::try_from(declared).unwrap_or(0).max(first.len() + data.len()));
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// Throws away what still comes, up to [`DISCARDED_MAX`].
async fn discard(mut body: impl Body<Data = Bytes> + Unpin) {
    let mut left = DISCARDED_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use http_body::{Frame, SizeHint};

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

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
        // Neither of these waits for the end that never comes.
        for sent in [
            Pieces { hangs: true, ..large(6) },
            Pieces { hangs: true, declared: DISCARDED_MAX + 1, ..Pieces::default() },
        ] {
            let read = read(sent, 4, DEADLINE).await;
            assert!(matches!(read, Err(BodyError::TooLarge(4))), "{read:?}");
        }
    }
}
