//! The tests of the whole, as one binary.
<<<<<<< HEAD

#![expect(clippy::unwrap_used, reason = "a test may end with a panic, in its helpers too")]
#![expect(clippy::disallowed_methods, reason = "a test owns what it spawns")]

mod every_route;
mod harness;
mod management;
mod memory_store;
mod shutdown;
=======
mod configuration;
>>>>>>> f0b7f16 (config: Read every setting from one table)
