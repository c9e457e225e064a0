//! What the server can be told from outside: to stop, or to read its certificate again.

use std::io;

use tokio::{
    signal::unix::{self, SignalKind},
    sync::mpsc,
};

/// What the server is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Finish what is in flight and end; told a second time: end at once.
    Stop,
    /// Read the certificate again.
    Reload,
}

/// Where signals come from.
#[derive(Debug)]
pub struct Signals(Source);

#[derive(Debug)]
enum Source {
    System { terminate: unix::Signal, interrupt: unix::Signal, hangup: unix::Signal },
    Handed(mpsc::Receiver<Signal>),
}

impl Signals {
    /// The system's: SIGTERM and SIGINT stop, SIGHUP reloads.
    pub fn system() -> io::Result<Self> {
        Ok(Self(Source::System {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        }))
    }

    /// Signals that the caller gives: for tests and benches.
    pub fn handed() -> (mpsc::Sender<Signal>, Self) {
        let (sender, receiver) = mpsc::channel(8);
        (sender, Self(Source::Handed(receiver)))
    }

    /// The next signal. Never, once whoever hands them has gone.
    pub(crate) async fn next(&mut self) -> Signal {
        match &mut self.0 {
            Source::System { terminate, interrupt, hangup } => tokio::select! {
                _ = terminate.recv() => Signal::Stop,
                _ = interrupt.recv() => Signal::Stop,
                _ = hangup.recv() => Signal::Reload,
            },
            Source::Handed(receiver) => match receiver.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            },
        }
    }
}
