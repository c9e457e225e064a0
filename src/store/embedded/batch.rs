//! Takes what waits in a queue, for the threads that answer many callers at once.

use std::thread;

use tokio::sync::mpsc;

/// How many callers are answered at once, at most. Far more than come during one `fsync`; it bounds how long
/// the first of a batch waits for the last.
pub(super) const BATCH_MAX: usize = 512;

/// How often a thread lets others go first before it begins; they seldom have something to add twice.
const GATHER_MAX: usize = 20;

/// Waits until something is there and takes it with all that comes on its heels; `false` at the end of the
/// queue.
///
/// Whoever has the processor is let finish what it is doing, as long as that brings more: on a busy machine
/// the next batch would otherwise begin with the first caller who was woken by the last one.
pub(super) fn take<T>(queue: &mut mpsc::Receiver<T>, batch: &mut Vec<T>) -> bool {
    if queue.blocking_recv_many(batch, BATCH_MAX) == 0 {
        return false;
    }
    for _ in 0..GATHER_MAX {
        let before = batch.len();
        thread::yield_now();
        while batch.len() < BATCH_MAX
            && let Ok(one) = queue.try_recv()
        {
            batch.push(one);
        }
        if batch.len() == before {
            break;
        }
    }
    true
}
