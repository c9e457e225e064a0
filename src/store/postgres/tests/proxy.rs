//! A way to the database that can swallow answers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::TaskTracker;

/// Hands on what comes, both ways.
pub(super) struct Proxy {
    pub(super) port: u16,
    state: Arc<State>,
}

struct State {
    server: String,
    /// The next answer to a batch is lost, and the connection with it.
    loses_the_next: AtomicBool,
    lost: AtomicUsize,
}

impl Proxy {
    pub(super) async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server,
            loses_the_next: AtomicBool::new(false),
            lost: AtomicUsize::new(0),
        });
        let tasks = TaskTracker::new();
        let shared = Arc::clone(&state);
        tasks.clone().spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tasks.spawn(Arc::clone(&shared).carry(caller));
            }
        });
        Self { port, state }
    }

    /// Lets the next statement through and its answer not.
    pub(super) fn lose_the_next_answer(&self) {
        self.state.loses_the_next.store(true, Ordering::SeqCst);
    }

    /// How many answers were lost.
    pub(super) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

impl State {
    async fn carry(self: Arc<Self>, caller: TcpStream) {
        let (mut from_caller, mut to_caller) = caller.into_split();
        let server = TcpStream::connect(&self.server).await.unwrap();
        let (mut from_server, mut to_server) = server.into_split();
        let there = async {
            drop(tokio::io::copy(&mut from_caller, &mut to_server).await);
        };
        let back = async {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                // The end of an answer says that the transaction is over: "ready for query, idle".
                let is_whole = buffer[..read].ends_with(&[b'Z', 0, 0, 0, 5, b'I']);
                if is_whole && self.loses_the_next.swap(false, Ordering::SeqCst) {
                    self.lost.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                if to_caller.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = there => {}
            () = back => {}
        }
    }
}
