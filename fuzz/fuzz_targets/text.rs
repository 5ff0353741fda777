#![no_main]

use libfuzzer_sys::fuzz_target;
use procwire_core::format::FormatName;
use procwire_fuzz::read;

fuzz_target!(|bytes: &[u8]| {
    read(bytes, Some(FormatName::Text), false);
});
