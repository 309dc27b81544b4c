//! A key and its certificate that never change, so that stores of them can be kept.

pub(crate) const PASSWORD: &[u8] = b"correct horse";

pub(crate) const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
MC4CAQAwBQYDK2VwBCIEIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n\
-----END PRIVATE KEY-----\n";

pub(crate) const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n\
MIIBIzCB1qADAgECAgEHMAUGAytlcDAQMQ4wDAYDVQQDDAVmaXhlZDAgFw0yNjEx\n\
MjMwMDE0NTFaGA8yMTI2MTAzMDAwMTQ1MVowEDEOMAwGA1UEAwwFZml4ZWQwKjAF\n\
BgMrZXADIQDqSmxj4pxSCr71UHsTLsX5lUd2rr6+e5JCHuppFEbSLKNTMFEwHQYD\n\
VR0OBBYEFExezkAjoDQe4qz/zE0XFUqFTwLlMB8GA1UdIwQYMBaAFExezkAjoDQe\n\
4qz/zE0XFUqFTwLlMA8GA1UdEwEB/wQFMAMBAf8wBQYDK2VwA0EAMSE+/6RIEUeb\n\
gk2839WrZsJwhPjoiaxHhAUBPf5n0MbqZ51SuVp/HsoxWyjh0cg/A2snCsxjEqlh\n\
+SLH4k6FDA==\n\
-----END CERTIFICATE-----\n";
