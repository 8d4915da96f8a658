//! Wherever an application wants a browser sent.
#![no_main]

libfuzzer_sys::fuzz_target!(|places: (&str, &str)| guildhall::fuzz::redirect(places.0, places.1));
