//! The tests of the whole, as one binary.
