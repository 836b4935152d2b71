//! Requests on connections that died while they were idle.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;

use super::harness::{
    Client, GET, HELLO, accept, expect_no_connection, listen, noise, take, take_all,
};
use super::reading::{asked, send_body};
use crate::records::{command, event};
use crate::shared::binding::bind;
use crate::shared::completions::HIGH_WATER_MARK;

/// Bytes that are more than the kernel's buffers of both ends hold.
const MUCH: usize = 24 * 1024 * 1024;

fn reset(peer: TcpStream) {
    SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// Expects the request on the next connection, and answers it.
fn serve_again(client: &mut Client, listener: &std::net::TcpListener) -> TcpStream {
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
    let mut peer = accept(listener);
    assert_eq!(take(&mut peer, GET.len()), GET);
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
    peer
}

#[test]
fn a_connection_whose_end_was_seen_is_replaced() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    drop(peer);
    client.expect(0, event::EOF);
    client.send(|batch| batch.request(0).write(0, GET));
    serve_again(&mut client, &listener);
    expect_no_connection(&listener);
    let replaced = &client.completions.counters.stale_replaced;
    assert_eq!(replaced.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn a_connection_whose_end_only_the_kernel_knows_is_replaced() {
    for end in [drop, reset] {
        let listener = listen();
        let mut client = Client::new();
        let mut peer = client.connect(0, &listener);
        client.exchange(0, &mut peer);
        end(peer);
        client.send(|batch| batch.request(0).write(0, GET));
        serve_again(&mut client, &listener);
        expect_no_connection(&listener);
    }
}

#[test]
fn a_connection_with_an_answer_that_nobody_asked_for_is_replaced() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    let forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged";
    peer.write_all(forged).unwrap();
    client.send(|batch| batch.request(0).write(0, GET));
    serve_again(&mut client, &listener);
}

#[test]
fn what_comes_or_ends_before_the_first_byte_of_a_request_costs_no_request() {
    let misbehaviours: [fn(&mut TcpStream); 2] = [
        |peer| peer.write_all(HELLO).unwrap(),
        |peer| peer.shutdown(std::net::Shutdown::Both).unwrap(),
    ];
    for misbehave in misbehaviours {
        let listener = listen();
        let mut client = Client::new();
        let mut peer = client.connect(0, &listener);
        client.exchange(0, &mut peer);
        client.send(|batch| batch.request(0));
        misbehave(&mut peer);
        client.expect_nothing(0);
        expect_no_connection(&listener);
        client.send(|batch| batch.write(0, GET));
        serve_again(&mut client, &listener);
    }
}

#[test]
fn the_first_request_of_a_connection_that_had_been_idle_is_saved_too() {
    let listener = listen();
    let mut client = Client::new();
    drop(client.connect(0, &listener));
    client.expect(0, event::EOF);
    client.send(|batch| batch.request(0).write(0, GET));
    serve_again(&mut client, &listener);
}

#[test]
fn a_large_body_is_sent_whole_and_once() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    drop(peer);
    let body = noise(3_000_000);
    let head = b"POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n";
    client.send_with_body(|batch| batch.request(0).write(0, head), 0, &body);
    client.send(|batch| batch.write_acknowledged(0, b"!"));
    let server = std::thread::spawn(move || {
        let mut peer = accept(&listener);
        let arrived = take(&mut peer, head.len() + body.len() + 1);
        assert!(arrived.starts_with(head) && arrived.ends_with(b"!"));
        assert!(arrived[head.len()..arrived.len() - 1] == body);
        peer.write_all(HELLO).unwrap();
        // Nothing follows until the client closes.
        assert_eq!(take_all(&mut peer), b"");
        expect_no_connection(&listener);
    });
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
    // The account goes on from the connection before.
    let total = (GET.len() + head.len() + 3_000_000 + 1) as u64;
    assert_eq!(client.expect(0, event::WRITTEN).total(), total);
    assert_eq!(client.response(0), b"hello");
    client.send(|batch| batch.close(0));
    server.join().unwrap();
}

/// Makes a connection whose request was answered before all of it was sent.
fn answered_early(client: &mut Client, listener: &std::net::TcpListener) -> TcpStream {
    let mut peer = client.connect(0, listener);
    client.send_with_body(|batch| batch.request(0).write(0, GET), 0, &noise(MUCH));
    take(&mut peer, GET.len());
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
    peer
}

#[test]
fn what_an_answered_request_left_unsent_is_not_sent_on_the_new_connection() {
    let listener = listen();
    let mut client = Client::new();
    drop(answered_early(&mut client, &listener));
    client.send(|batch| batch.request(0).write_acknowledged(0, GET));
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
    let total = (GET.len() + MUCH + GET.len()) as u64;
    assert_eq!(client.expect(0, event::WRITTEN).total(), total);
    let mut peer = accept(&listener);
    assert_eq!(take(&mut peer, GET.len()), GET);
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
    client.send(|batch| batch.close(0));
    assert_eq!(take_all(&mut peer), b"");
}

#[test]
fn a_request_that_waits_behind_an_answered_one_is_saved_when_the_peer_closes() {
    let listener = listen();
    let mut client = Client::new();
    let peer = answered_early(&mut client, &listener);
    client.send(|batch| batch.request(0).write(0, GET));
    client.expect_nothing(0);
    drop(peer);
    let mut peer = serve_again(&mut client, &listener);
    client.send(|batch| batch.close(0));
    assert_eq!(take_all(&mut peer), b"");
}

#[test]
fn a_request_is_saved_although_the_rest_of_an_answered_one_has_failed_before() {
    let listener = listen();
    let mut client = Client::new();
    let peer = answered_early(&mut client, &listener);
    // While JavaScript takes nothing, nothing is read, and so the failure is not told.
    let flood = send_body(asked(&mut client, 1, &listener), noise(MUCH));
    client.spin_until("a full queue", |client| {
        client.completions.queued() >= HIGH_WATER_MARK
    });
    reset(peer);
    client.spin(100);
    client.send(|batch| batch.request(0).write_acknowledged(0, GET));
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
    let total = (GET.len() + MUCH + GET.len()) as u64;
    assert_eq!(client.expect(0, event::WRITTEN).total(), total);
    let mut peer = accept(&listener);
    assert_eq!(take(&mut peer, GET.len()), GET);
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
    client.send(|batch| batch.close(0));
    assert_eq!(take_all(&mut peer), b"");
    client.skip_to(1, event::END);
    flood.join().unwrap();
}

#[test]
fn once_a_byte_is_out_nothing_is_sent_again() {
    for end in [drop, reset] {
        let listener = listen();
        let mut client = Client::new();
        let mut peer = client.connect(0, &listener);
        client.exchange(0, &mut peer);
        client.send(|batch| batch.request(0).write(0, &GET[..1]));
        assert_eq!(take(&mut peer, 1), GET[..1]);
        end(peer);
        let told = client.next(0);
        assert!(
            [event::EOF, event::READ_ERROR].contains(&told.opcode),
            "{told:?}"
        );
        assert_eq!(told.flags & event::IDLE, 0);
        client.send(|batch| batch.write(0, &GET[1..]));
        client.expect_nothing(1);
        expect_no_connection(&listener);
    }
}

#[test]
fn a_connection_made_for_a_request_is_not_replaced() {
    let listener = listen();
    let mut client = Client::new();
    client.send(|batch| {
        batch.connect(0, listener.local_addr().unwrap());
        batch.request(0).write(0, GET)
    });
    client.expect(0, event::CONNECTED);
    reset(accept(&listener));
    let told = client.expect(0, event::READ_ERROR);
    assert_eq!((told.flags, told.errno()), (0, libc::ECONNRESET));
    expect_no_connection(&listener);
}

#[test]
fn a_pinned_connection_that_has_died_is_reset_instead_of_replaced() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    drop(peer);
    client.expect(0, event::EOF);
    client.send(|batch| {
        batch.command(command::PIN, 0);
        batch.request(0).write(0, GET)
    });
    let told = client.expect(0, event::READ_ERROR);
    assert_eq!((told.flags, told.errno()), (0, libc::ECONNRESET));
    expect_no_connection(&listener);
}

#[test]
fn a_pinned_connection_serves_requests() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.command(command::PIN, 0));
    client.exchange(0, &mut peer);
    client.exchange(0, &mut peer);
}

#[test]
fn a_connection_is_replaced_once_for_a_request_and_again_for_the_next() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    for _ in 0..3 {
        drop(peer);
        client.expect(0, event::EOF);
        client.send(|batch| batch.request(0).write(0, GET));
        peer = serve_again(&mut client, &listener);
    }
    drop(peer);
    client.expect(0, event::EOF);
    client.send(|batch| batch.request(0).write(0, GET));
    client.expect(0, event::CONNECTED);
    let mut peer = accept(&listener);
    take(&mut peer, GET.len());
    drop(peer);
    assert_eq!(client.expect(0, event::EOF).flags, 0);
    expect_no_connection(&listener);
}

#[test]
fn when_the_peer_is_gone_for_good_the_request_fails_to_connect() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    drop((peer, listener));
    client.send(|batch| batch.request(0).write(0, GET));
    assert_eq!(
        client.expect(0, event::CONNECT_FAILED).errno(),
        libc::ECONNREFUSED
    );
}

#[test]
fn closing_while_it_is_replaced_sends_nothing() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    drop(peer);
    client.expect(0, event::EOF);
    client.send(|batch| batch.request(0).write(0, GET));
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
    client.expect_nothing(0);
    assert_eq!(take_all(&mut accept(&listener)), b"");
}

#[test]
fn the_new_connection_has_the_options_of_the_old_one() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.push(command::NO_DELAY, command::ENABLE, 0, &[]));
    client.exchange(0, &mut peer);
    drop(peer);
    client.expect(0, event::EOF);
    client.send(|batch| batch.request(0).write(0, GET));
    let connected = client.expect(0, event::CONNECTED);
    assert!(SockRef::from(&connected.socket()).tcp_nodelay().unwrap());
}

#[test]
fn the_new_connection_comes_from_the_same_address_and_from_a_port_that_was_asked_for() {
    for port in [0, listen_port("127.0.0.5")] {
        let listener = listen();
        let mut client = Client::new();
        let bound = bind("127.0.0.5", port).unwrap();
        let bound = client.completions.keep_socket(bound);
        let address = listener.local_addr().unwrap();
        client.send(|batch| batch.connect_bound(0, address, bound));
        client.expect(0, event::CONNECTED);
        let mut peer = accept(&listener);
        client.exchange(0, &mut peer);
        drop(peer);
        client.expect(0, event::EOF);
        client.send(|batch| batch.request(0).write(0, GET));
        let from = serve_again(&mut client, &listener).peer_addr().unwrap();
        assert_eq!(from.ip().to_string(), "127.0.0.5");
        assert!(port == 0 || from.port() == port, "{from}");
    }
}

fn listen_port(host: &str) -> u16 {
    let listener = std::net::TcpListener::bind((host, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn a_half_close_behind_a_request_that_is_saved_from_a_failed_write_is_done() {
    let listener = listen();
    let mut client = Client::new();
    let peer = answered_early(&mut client, &listener);
    let flood = send_body(asked(&mut client, 1, &listener), noise(MUCH));
    client.spin_until("a full queue", |client| {
        client.completions.queued() >= HIGH_WATER_MARK
    });
    reset(peer);
    client.spin(100);
    client.send(|batch| batch.request(0).write(0, GET).shutdown_acknowledged(0));
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
    let mut peer = accept(&listener);
    assert_eq!(take(&mut peer, GET.len()), GET);
    client.expect(0, event::SHUTDOWN_DONE);
    assert_eq!(take_all(&mut peer), b"");
    client.skip_to(1, event::END);
    flood.join().unwrap();
}
