//! Whatever is shown as the assertion of the JWT bearer grant.
#![no_main]

libfuzzer_sys::fuzz_target!(|payload: &[u8]| guildhall::fuzz::assertion(payload));
