#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sx_export_fuzz::archive(bytes));
