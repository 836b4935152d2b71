//! Requests that had not arrived when the peer closed the connection.
#![cfg(any(target_os = "linux", target_os = "android"))]

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};

use super::harness::{
    Batch, Client, GET, HELLO, accept, expect_no_connection, listen, noise, take, take_all,
};
use super::replacing::{reset, serve_again};
use crate::records::{command, event};

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn resent(client: &Client) -> u64 {
    count(&client.completions.counters.resent)
}

fn get(batch: &mut Batch) -> &mut Batch {
    batch.request(0).write(0, GET)
}

fn half_close(peer: TcpStream) -> TcpStream {
    peer.shutdown(Shutdown::Write).unwrap();
    peer
}

/// Has the peer of a connection end it at the moment at which a request goes out: behind the last look at it.
fn cross<T>(
    client: &mut Client,
    listener: &TcpListener,
    end: impl Fn(TcpStream) -> T,
    send: impl Fn(&mut Client),
) -> T {
    let mut peer = client.connect(0, listener);
    client.exchange(0, &mut peer);
    loop {
        let replaced = count(&client.completions.counters.stale_replaced);
        client.spin(1);
        let outcome = end(peer);
        send(client);
        if count(&client.completions.counters.stale_replaced) == replaced {
            return outcome;
        }
        // The last look was so old that the connection was looked at once more.
        peer = serve_again(client, listener);
    }
}

/// Expects that JavaScript hears of the end of a connection with a request, and that nothing is sent again.
#[track_caller]
fn expect_told(client: &mut Client, listener: &TcpListener) {
    let told = client.next(0);
    let opcodes = [event::EOF, event::READ_ERROR, event::WRITE_ERROR];
    assert!(opcodes.contains(&told.opcode), "{told:?}");
    assert_eq!(told.flags & event::IDLE, 0);
    client.expect_nothing(0);
    expect_no_connection(listener);
    assert_eq!(resent(client), 0);
}

#[test]
fn a_request_that_a_closed_peer_has_refused_goes_out_again() {
    let listener = listen();
    let mut client = Client::new();
    cross(&mut client, &listener, drop, |client| client.send(get));
    let mut peer = serve_again(&mut client, &listener);
    assert_eq!(resent(&client), 1);
    expect_no_connection(&listener);
    client.exchange(0, &mut peer);
}

#[test]
fn its_bytes_count_once() {
    let listener = listen();
    let mut client = Client::new();
    let body = noise(20_000);
    let head = b"POST / HTTP/1.1\r\nContent-Length: 20001\r\n\r\n";
    cross(&mut client, &listener, drop, |client| {
        client.send_with_body(|batch| batch.request(0).write(0, head), 0, &body);
    });
    client.send(|batch| batch.write_acknowledged(0, b"!"));
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
    let before = client.expect(0, event::WRITTEN).total();
    let mut peer = accept(&listener);
    assert_eq!(take(&mut peer, head.len()), head);
    assert!(take(&mut peer, body.len()) == body);
    assert_eq!(take(&mut peer, 1), b"!");
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
    assert_eq!(resent(&client), 1);
    client.send(|batch| batch.request(0).write_acknowledged(0, GET));
    let total = before + GET.len() as u64;
    assert_eq!(client.expect(0, event::WRITTEN).total(), total);
    assert_eq!(take(&mut peer, GET.len()), GET);
    client.send(|batch| batch.close(0));
    assert_eq!(take_all(&mut peer), b"");
}

#[test]
fn the_rest_of_a_request_that_fails_to_be_written_goes_out_with_it() {
    let listener = listen();
    let mut client = Client::new();
    cross(&mut client, &listener, drop, |client| {
        client.send(|batch| batch.request(0).write(0, &GET[..9]));
    });
    // The kernel has the reset, of which the task has not heard.
    client.send(|batch| batch.write(0, &GET[9..]));
    serve_again(&mut client, &listener);
    assert_eq!(resent(&client), 1);
}

#[test]
fn a_request_goes_out_twice_at_most() {
    let listener = listen();
    let mut client = Client::new();
    cross(&mut client, &listener, drop, |client| client.send(get));
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
    let mut peer = accept(&listener);
    take(&mut peer, GET.len());
    drop(peer);
    assert_eq!(client.expect(0, event::EOF).flags, 0);
    client.expect_nothing(0);
    expect_no_connection(&listener);
}

#[test]
fn a_request_is_not_sent_again_to_a_peer_that_has_reset_the_connection() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    client.send(|batch| batch.request(0).write(0, &GET[..9]));
    // It has read the request, and acknowledged nothing.
    take(&mut peer, 9);
    reset(peer);
    expect_told(&mut client, &listener);
    client.send(|batch| batch.write(0, &GET[9..]));
    client.spin(20);
    expect_no_connection(&listener);
}

#[test]
fn a_request_is_not_sent_again_to_a_peer_that_has_closed_behind_it() {
    for reads in [0, 1, GET.len()] {
        let listener = listen();
        let mut client = Client::new();
        let mut peer = client.connect(0, &listener);
        client.exchange(0, &mut peer);
        client.send(get);
        take(&mut peer, reads);
        drop(peer);
        expect_told(&mut client, &listener);
    }
}

#[test]
fn a_request_is_not_sent_again_to_a_peer_that_has_half_closed_and_reads_on() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = cross(&mut client, &listener, half_close, |client| {
        client.send(get);
    });
    assert_eq!(take(&mut peer, GET.len()), GET);
    expect_told(&mut client, &listener);
}

#[test]
fn a_peer_that_does_not_answer_at_all_is_not_waited_for_for_ever() {
    let listener = listen();
    let mut client = Client::new();
    let _peer = cross(&mut client, &listener, half_close, |client| {
        client.send(get);
    });
    expect_told(&mut client, &listener);
}

#[test]
fn what_is_written_while_the_fate_of_a_request_is_open_waits() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = cross(&mut client, &listener, half_close, |client| {
        client.send(|batch| batch.request(0).write(0, &GET[..9]));
    });
    assert_eq!(take(&mut peer, 9), GET[..9]);
    client.spin(3);
    client.send(|batch| batch.write(0, &GET[9..]));
    client.spin(3);
    peer.set_nonblocking(true).unwrap();
    let look = peer.peek(&mut [0]);
    assert!(look.is_err(), "{look:?}");
    expect_told(&mut client, &listener);
}

#[test]
fn a_large_request_is_not_kept() {
    let listener = listen();
    let mut client = Client::new();
    let body = noise(64 * 1024);
    cross(&mut client, &listener, drop, |client| {
        client.send_with_body(get, 0, &body);
    });
    expect_told(&mut client, &listener);
}

#[test]
fn a_request_on_a_pinned_connection_is_not_sent_again() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    client.send(|batch| batch.command(command::PIN, 0));
    client.spin(1);
    drop(peer);
    client.send(get);
    expect_told(&mut client, &listener);
}

#[test]
fn a_request_that_is_half_closed_is_not_sent_again() {
    let listener = listen();
    let mut client = Client::new();
    cross(&mut client, &listener, drop, |client| {
        client.send(|batch| get(batch).shutdown_acknowledged(0));
    });
    client.expect(0, event::SHUTDOWN_DONE);
    expect_told(&mut client, &listener);
}

#[test]
fn closing_in_doubt_closes() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = cross(&mut client, &listener, half_close, |client| {
        client.send(get);
    });
    client.spin(3);
    client.send(|batch| batch.close(0));
    client.skip_to(0, event::CLOSED);
    assert_eq!(take_all(&mut peer), GET);
    client.expect_nothing(0);
}
