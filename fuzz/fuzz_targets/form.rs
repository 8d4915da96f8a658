//! Whatever is sent to the token endpoint.
#![no_main]

libfuzzer_sys::fuzz_target!(|sent: (u8, &str, &[u8])| guildhall::fuzz::form(sent.0, sent.1, sent.2));
