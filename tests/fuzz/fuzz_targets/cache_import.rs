//! `cache_import` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| valetkey_fuzz::cache_import::run(data));
