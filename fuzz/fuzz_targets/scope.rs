//! Whatever is asked for.
#![no_main]

libfuzzer_sys::fuzz_target!(|scopes: (&str, &str)| guildhall::fuzz::scope(scopes.0, scopes.1));
