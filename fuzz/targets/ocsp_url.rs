//! The path of a GET to the OCSP responder: what is taken for a request is one, and is never longer than the path.
#![no_main]

use chancery_pki::OcspRequest;

libfuzzer_sys::fuzz_target!(|path: &str| {
    if let Ok(request) = OcspRequest::from_path(path) {
        assert_eq!(OcspRequest::from_der(&request.to_der()).as_ref(), Ok(&request));
        let octets: usize = request.ids.iter().map(|id| id.as_der().len()).sum();
        assert!(octets <= path.len());
    }
});
