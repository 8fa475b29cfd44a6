#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (pattern, text) = bytes.split_at(bytes.len() / 2);
    sx_evaluator_fuzz::call("match", &[pattern, text]);
    sx_evaluator_fuzz::call("split", &[pattern, text]);
});
