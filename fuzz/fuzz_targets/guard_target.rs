#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| doorward::fuzz::guard_target(bytes));
