//! `stored_entry` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| valetkey_fuzz::stored_entry::run(data));
