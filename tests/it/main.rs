//! The tests of the whole, as one binary.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test ends where it stands, says what it leaves out, and owns what it spawns"
)]

mod disk_full;
mod every_route;
mod harness;
mod management;
mod memory_store;
mod random_walk;
mod records;
mod shutdown;
mod stored_forms;
