//! The path of a request to the responder: what is taken for a route is part of the path, and what is taken for an OCSP request is one,
//! and never longer than the path.
#![no_main]

// The module alone: the operator around it would take most of an hour to build for this.
#[expect(dead_code, reason = "metrics are not fuzzed")]
#[path = "../../src/responder/route.rs"]
mod route;

use chancery_pki::OcspRequest;
use route::Route;

libfuzzer_sys::fuzz_target!(|path: &str| {
    let prefixes = ["/ocsp/pki", "/ocsp"].map(str::to_owned);
    for route in [Route::of(path), Route::below(&prefixes, path)].into_iter().flatten() {
        match route {
            Route::List { authority, shard, delta } => {
                let tail = if delta { "-delta" } else { "" };
                assert!(path.ends_with(&format!("/crl/{authority}/{shard}{tail}.crl")));
            }
            Route::Certificate { authority } => assert!(path.ends_with(&format!("/ca/{authority}.crt"))),
            Route::Ocsp { request } => {
                assert!(request.is_none_or(|request| path.ends_with(&format!("/ocsp/{request}"))));
                let _ = request.map(OcspRequest::from_path);
            }
        }
    }
    if let Ok(request) = OcspRequest::from_path(path) {
        assert_eq!(OcspRequest::from_der(&request.to_der()).as_ref(), Ok(&request));
        let octets: usize = request.ids.iter().map(|id| id.as_der().len()).sum();
        assert!(octets <= path.len());
    }
});
