//! Whatever is shown as an access token, an ID token or a signed assertion: it is refused, or it was signed.
#![no_main]

libfuzzer_sys::fuzz_target!(|token: &str| guildhall::fuzz::jwt(token));
