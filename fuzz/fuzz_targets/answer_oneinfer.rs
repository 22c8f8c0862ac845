//! See the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| weir_fuzz::answer::check("oneinfer", input));
