#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| doorward::fuzz::mcp_message(bytes));
