#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sx_evaluator_fuzz::call("fromJSON", &[bytes]));
