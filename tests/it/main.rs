//! The tests of the whole, as one binary.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where it stands, and says what it leaves out"
)]

mod disk_full;
mod random_walk;
mod records;
mod stored_forms;
