//! The server that the benchmarks measure clients against.
//!
//! One thread, edge-triggered epoll, responses built before the first request: cheap enough that the client is what
//! limits a run. It prints one line of JSON with its ports and its certificate, and exits when its standard input
//! closes, so that it never outlives the benchmark that started it.
//!
//! | request | answer |
//! |---|---|
//! | `GET /small` | 15 bytes |
//! | `GET /headers` | 18 header fields and 15 bytes |
//! | `GET /bytes/N` | N bytes, with a `Content-Length` |
//! | `GET /gather/N` | 15 bytes, held back until N such requests wait |
//! | `GET /handshakes` | the counts of full and resumed TLS handshakes, as JSON |
//! | `POST /sink/N` | 15 bytes if the body had N bytes, else 400 |
//!
//! `Connection: close` in a request closes the connection after the answer.

mod body;
mod connection;
mod request;
mod response;
mod server;
mod tls;

use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    let identity = tls::Identity::self_signed()?;
    let mut server = server::Server::bind(identity.config.clone())?;
    let (http, https) = server.ports()?;
    let mut stdout = std::io::stdout();
    writeln!(
        stdout,
        r#"{{"http":{http},"https":{https},"certificate":"{}"}}"#,
        // PEM has no character that JSON escapes but the line break.
        identity
            .certificate_pem
            .replace("\r\n", "\n")
            .replace('\n', "\\n")
    )?;
    stdout.flush()?;
    std::thread::spawn(exit_when_stdin_closes);
    server.run()
}

/// Ends the process once the benchmark that started it has gone.
fn exit_when_stdin_closes() {
    let mut scratch = [0; 64];
    let mut stdin = std::io::stdin();
    while matches!(stdin.read(&mut scratch), Ok(read) if read > 0) {}
    std::process::exit(0);
}
