//! The body of a POST to the OCSP responder: whatever is taken for a request reads back as the same one.
#![no_main]

use chancery_pki::{OcspRequest, REQUESTS_MAX};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    if let Ok(request) = OcspRequest::from_der(octets) {
        assert!((1..=REQUESTS_MAX).contains(&request.ids.len()));
        assert_eq!(OcspRequest::from_der(&request.to_der()).as_ref(), Ok(&request));
    }
});
