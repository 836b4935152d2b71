//! HTTP/1.1 response decoding: bytes in, events out.
