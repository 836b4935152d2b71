//! Borrowed connections, with a real I/O thread that lends them and real peers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use bytes::Bytes;

use super::batch_kind::{BatchKind, FEW, MAX_REQUEST};
use crate::records::{self, command, event};
use crate::shared::exchange::PANIC;
use crate::tests::module::Module;
use crate::tests::support::{
    Batch as Commands, GET, HELLO, accept, expect_no_connection, listen, noise, take, take_all,
    until_delivered,
};

/// Loads a module that has borrowed connection 0.
fn borrower(listener: &TcpListener) -> (Module, TcpStream) {
    let mut module = Module::load_borrowing();
    let mut peer = module.connect(0, listener);
    module.exchange(0, &mut peer);
    module.until_it_has(0);
    (module, peer)
}

fn batch(fill: impl FnOnce(&mut Commands) -> &mut Commands) -> Bytes {
    let mut batch = Commands::default();
    fill(&mut batch);
    batch.into_bytes()
}

#[test]
fn an_idle_connection_is_lent_after_its_first_exchange_and_stays_with_javascript() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    for n in 1..100 {
        module.exchange(0, &mut peer);
        assert_eq!(module.exchanged(), n);
        assert!(module.has(0));
    }
    assert!(!module.take_cut_short());
}

#[test]
fn one_that_has_carried_no_request_is_not_lent() {
    let listener = listen();
    let mut module = Module::load_borrowing();
    let _peer = module.connect(0, &listener);
    let mut other = module.connect(1, &listener);
    module.exchange(1, &mut other);
    module.until_it_has(1);
    assert!(!module.has(0));
}

#[test]
fn one_that_the_peer_does_not_keep_is_not_lent() {
    let listener = listen();
    let mut module = Module::load_borrowing();
    let mut closing = module.connect(0, &listener);
    let mut other = module.connect(1, &listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut closing, GET.len());
    let response = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    closing.write_all(response).unwrap();
    module.expect(event::HEAD);
    module.expect(event::END);
    module.exchange(1, &mut other);
    module.until_it_has(1);
    assert!(!module.has(0));
}

#[test]
fn a_response_is_the_same_in_whatever_pieces_it_comes() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    peer.set_nodelay(true).unwrap();
    for cut in 1..HELLO.len() {
        module.send(|batch| batch.request(0).write(0, GET));
        take(&mut peer, GET.len());
        peer.write_all(&HELLO[..cut]).unwrap();
        until_delivered(&peer);
        peer.write_all(&HELLO[cut..]).unwrap();
        module.expect(event::HEAD);
        let mut body = Vec::new();
        while body.len() < 5 {
            body.extend(module.expect(event::DATA).payload);
        }
        assert_eq!(body, b"hello");
        module.expect(event::END);
    }
    assert_eq!(module.exchanged(), HELLO.len() as u64 - 1);
}

#[test]
fn a_panic_loses_its_connection_and_no_other() {
    let listener = listen();
    let (mut module, mut lost) = borrower(&listener);
    let mut other = module.connect(1, &listener);
    module.exchange(1, &mut other);
    module.until_it_has(1);
    module.send(|batch| batch.request(0).write(0, GET).request(1).write(1, GET));
    take(&mut lost, GET.len());
    take(&mut other, GET.len());
    lost.write_all(&[HELLO, PANIC].concat()).unwrap();
    assert_eq!(module.expect(event::FAILED).connection, 0);
    assert_eq!(take_all(&mut lost), b"");
    other.write_all(HELLO).unwrap();
    for opcode in [event::HEAD, event::DATA, event::END] {
        assert_eq!(module.expect(opcode).connection, 1);
    }
    module.send(|batch| batch.close(0));
    module.expect(event::CLOSED);
    let mut again = module.connect(0, &listener);
    module.exchange(0, &mut again);
}

#[test]
fn a_request_in_pieces_goes_out_whole() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    let (head, body) = GET.split_at(9);
    module.send(|batch| {
        batch
            .request(0)
            .write(0, head)
            .write(0, &body[..3])
            .write(0, &body[3..])
    });
    assert_eq!(take(&mut peer, GET.len()), GET);
    assert_eq!(module.exchanged(), 1);
}

#[test]
fn a_few_requests_on_several_connections_are_exchanged_at_once() {
    let listener = listen();
    let (mut module, mut first) = borrower(&listener);
    let mut second = module.connect(1, &listener);
    module.exchange(1, &mut second);
    module.until_it_has(1);
    module.send(|batch| batch.request(0).write(0, GET).request(1).write(1, GET));
    for (id, peer) in [(1, &mut second), (0, &mut first)] {
        assert_eq!(take(peer, GET.len()), GET);
        peer.write_all(HELLO).unwrap();
        for opcode in [event::HEAD, event::DATA, event::END] {
            assert_eq!(module.expect(opcode).connection, id);
        }
    }
    assert_eq!(module.exchanged(), 2);
}

/// Loads a module that has borrowed the first of its connections, and has others that have carried no request.
fn crowd(listener: &TcpListener, borrowed: u32, others: u32) -> (Module, Vec<TcpStream>) {
    let mut module = Module::load_borrowing();
    let mut peers = Vec::new();
    for id in 0..borrowed + others {
        peers.push(module.connect(id, listener));
    }
    for (id, peer) in (0..borrowed).zip(&mut peers) {
        module.exchange(id, peer);
        module.until_it_has(id);
    }
    (module, peers)
}

fn requests(batch: &mut Commands, ids: impl IntoIterator<Item = u32>) -> &mut Commands {
    for id in ids {
        batch.request(id).write(id, GET);
    }
    batch
}

/// Answers a request on each connection, of which the first has the id `first`.
fn answer(module: &mut Module, first: u32, peers: &mut [TcpStream]) {
    for (id, peer) in (first..).zip(peers) {
        assert_eq!(take(peer, GET.len()), GET);
        peer.write_all(HELLO).unwrap();
        for opcode in [event::HEAD, event::DATA, event::END] {
            assert_eq!(module.expect(opcode).connection, id);
        }
    }
}

#[test]
fn each_thread_sends_those_of_many_requests_whose_connections_it_has() {
    let listener = listen();
    let (mut module, mut peers) = crowd(&listener, 7, 3);
    let before = module.exchanged();
    module.send(|batch| requests(batch, 0..10));
    answer(&mut module, 0, &mut peers);
    assert_eq!(module.exchanged(), before + 7);
}

#[test]
fn connections_beyond_the_share_go_back_with_their_requests() {
    let listener = listen();
    let (mut module, mut peers) = crowd(&listener, 10, 0);
    let before = module.exchanged();
    module.send_sharing(4, |batch| requests(batch, 0..10));
    answer(&mut module, 0, &mut peers);
    assert_eq!(module.exchanged(), before + 4);
    module.send_sharing(4, |batch| requests(batch, 0..10));
    answer(&mut module, 0, &mut peers);
    assert_eq!(module.exchanged(), before + 8);
    module.send_sharing(0, |batch| requests(batch, 0..10));
    answer(&mut module, 0, &mut peers);
    assert_eq!(module.exchanged(), before + 8);
    assert!(!(0..10).any(|id| module.has(id)));
}

#[test]
fn idle_connections_that_no_request_names_leave_the_share_to_the_others() {
    let listener = listen();
    let (mut module, mut peers) = crowd(&listener, 12, 0);
    let before = module.exchanged();
    module.send_sharing(9, |batch| requests(batch, 3..12));
    answer(&mut module, 3, &mut peers[3..]);
    assert_eq!(module.exchanged(), before + 9);
    assert!(!(0..3).any(|id| module.has(id)));
}

#[test]
fn idle_connections_go_back_although_no_request_is_sent_on_a_borrowed_one() {
    let listener = listen();
    let (mut module, mut peers) = crowd(&listener, 2, 9);
    module.send_sharing(1, |batch| requests(batch, 2..11));
    answer(&mut module, 2, &mut peers[2..]);
    assert!(!module.has(0) && module.has(1));
    module.send_sharing(0, |batch| requests(batch, 2..11));
    answer(&mut module, 2, &mut peers[2..]);
    assert!(!module.has(1));
}

#[test]
fn two_requests_on_one_connection_go_out_in_their_order() {
    let listener = listen();
    let (mut module, mut peers) = crowd(&listener, 9, 0);
    module.send(|batch| requests(batch, (0..9).chain([0])));
    assert_eq!(take(&mut peers[0], 2 * GET.len()), [GET, GET].concat());
    assert!(!module.has(0));
    for peer in &mut peers[1..] {
        assert_eq!(take(peer, GET.len()), GET);
    }
}

#[test]
fn another_command_gives_the_connection_back_first() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.push(command::NO_DELAY, command::ENABLE, 0, &[]));
    assert!(!module.has(0));
    module.exchange(0, &mut peer);
    // The I/O thread has exchanged that one, and lends the connection again.
    assert_eq!(module.exchanged(), 0);
    module.until_it_has(0);
}

#[test]
fn a_command_in_the_middle_of_a_response_leaves_the_response_whole() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    peer.write_all(&HELLO[..HELLO.len() - 3]).unwrap();
    module.expect(event::HEAD);
    assert_eq!(module.expect(event::DATA).payload, b"he");
    module.send(|batch| batch.command(command::PAUSE, 0));
    peer.write_all(&HELLO[HELLO.len() - 3..]).unwrap();
    until_delivered(&peer);
    module.send(|batch| batch.command(command::RESUME, 0));
    assert_eq!(module.expect(event::DATA).payload, b"llo");
    module.expect(event::END);
}

#[test]
fn a_large_write_follows_a_request_on_a_borrowed_connection() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    let body = noise(100_000);
    module.send(|batch| batch.request(0).write(0, GET));
    module.write(0, body.clone());
    assert_eq!(take(&mut peer, GET.len()), GET);
    assert_eq!(take(&mut peer, body.len()), body);
    peer.write_all(HELLO).unwrap();
    module.expect(event::HEAD);
}

#[test]
fn a_request_that_is_left_with_its_body_is_not_sent_without_it() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    let body = noise(20_000);
    let mut left = Vec::new();
    module.leave_request(0, GET, body.clone(), &mut left);
    assert!(!module.has(0));
    peer.set_nonblocking(true).unwrap();
    assert!(peer.read(&mut [0]).is_err(), "it waits for the doorbell");
    peer.set_nonblocking(false).unwrap();
    module.send_behind(left, |batch| batch.write(0, b"tail"));
    assert!(take(&mut peer, GET.len() + body.len()) == [GET, &body].concat());
    assert_eq!(take(&mut peer, 4), b"tail");
    assert_eq!(module.exchanged(), 0);
}

#[test]
fn written_bytes_are_counted_over_both_threads() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    for _ in 0..10 {
        module.exchange(0, &mut peer);
    }
    assert_eq!(module.exchanged(), 10);
    module.send(|batch| batch.request(0).write_acknowledged(0, GET));
    assert_eq!(module.expect(event::WRITTEN).total(), 12 * GET.len() as u64);
}

/// Has a peer answer with a body, and takes it. Gives the peer back.
fn take_body(module: &mut Module, mut peer: TcpStream, body: &[u8]) -> TcpStream {
    let sent = body.to_vec();
    let server = std::thread::spawn(move || {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
        peer.write_all(&[head.as_bytes(), &sent].concat()).unwrap();
        peer
    });
    module.expect(event::HEAD);
    let mut received = Vec::new();
    while received.len() < body.len() {
        received.extend(module.expect(event::DATA).payload);
    }
    assert!(received == body);
    module.expect(event::END);
    server.join().unwrap()
}

/// Has so many requests wait at a time, and takes a body of 200,000 bytes. Tells whether the connection was returned in
/// the middle of it.
fn is_cut_short_among(waiting: u32) -> bool {
    let listener = listen();
    let (mut module, mut peers) = crowd(&listener, waiting, 0);
    module.send(|batch| requests(batch, 0..waiting));
    peers
        .iter_mut()
        .for_each(|peer| drop(take(peer, GET.len())));
    take_body(&mut module, peers.swap_remove(0), &noise(200_000));
    module.take_cut_short()
}

#[test]
fn a_body_that_is_not_long_is_read_here_while_few_wait() {
    assert!(!is_cut_short_among(2));
}

#[test]
fn the_same_body_comes_by_way_of_the_io_thread_while_more_wait() {
    assert!(is_cut_short_among(3));
}

#[test]
fn a_long_body_comes_by_way_of_the_io_thread() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    let mut peer = take_body(&mut module, peer, &noise(3_000_000));
    assert!(module.take_cut_short());
    assert!(!module.take_cut_short(), "it is told once");
    module.until_it_has(0);
    module.exchange(0, &mut peer);
}

#[test]
fn the_end_of_an_idle_connection_is_told_at_once() {
    let listener = listen();
    let (mut module, peer) = borrower(&listener);
    drop(peer);
    assert_eq!(module.expect(event::EOF).flags, event::IDLE);
}

#[test]
fn bytes_on_an_idle_connection_retire_it_and_are_not_decoded() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    peer.write_all(HELLO).unwrap();
    let event = module.expect(event::EOF);
    assert_eq!(event.flags, event::IDLE | event::UNSOLICITED);
}

#[test]
fn bytes_behind_a_response_retire_the_connection_too() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    peer.write_all(&[HELLO, b"HTTP/1.1 200"].concat()).unwrap();
    for opcode in [event::HEAD, event::DATA, event::END] {
        module.expect(opcode);
    }
    let event = module.expect(event::EOF);
    assert_eq!(event.flags, event::IDLE | event::UNSOLICITED);
}

#[test]
fn a_connection_whose_end_only_the_kernel_knows_is_replaced() {
    for speaks in [false, true] {
        let listener = listen();
        let (mut module, mut peer) = borrower(&listener);
        if speaks {
            peer.write_all(HELLO).unwrap();
        } else {
            peer.shutdown(Shutdown::Write).unwrap();
        }
        until_delivered(&peer);
        // JavaScript was busy, and has not looked.
        module.send(|batch| batch.request(0).write(0, GET));
        let mut next = accept(&listener);
        assert_eq!(take(&mut next, GET.len()), GET);
        assert_eq!(module.expect(event::CONNECTED).flags, event::AGAIN);
        next.write_all(HELLO).unwrap();
        module.expect(event::HEAD);
        peer.set_nonblocking(true).unwrap();
        assert!(
            !matches!(peer.read(&mut [0; 1]), Ok(1)),
            "the request went to the dead connection"
        );
    }
}

#[test]
fn once_a_byte_is_out_nothing_is_sent_again() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    drop(peer);
    let event = module.next();
    assert!(
        [event::EOF, event::READ_ERROR].contains(&event.opcode) && event.flags == 0,
        "{event:?}"
    );
    expect_no_connection(&listener);
}

#[test]
fn the_end_completes_a_body_that_it_delimits() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    peer.write_all(b"HTTP/1.1 200 OK\r\n\r\nall").unwrap();
    drop(peer);
    module.expect(event::HEAD);
    assert_eq!(module.expect(event::DATA).payload, b"all");
    assert_eq!(module.expect(event::EOF).flags, event::COMPLETES);
}

#[test]
fn a_reset_in_a_response_is_an_error_and_completes_nothing() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    peer.write_all(b"HTTP/1.1 200 OK\r\n\r\nnot all").unwrap();
    module.expect(event::HEAD);
    module.expect(event::DATA);
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    let event = module.expect(event::READ_ERROR);
    assert_eq!((event.errno(), event.flags), (libc::ECONNRESET, 0));
}

#[test]
fn a_peer_that_ends_in_a_short_response_does_not_make_that_too_long() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    peer.write_all(&HELLO[..HELLO.len() - 3]).unwrap();
    module.expect(event::HEAD);
    module.expect(event::DATA);
    drop(peer);
    module.expect(event::EOF);
    assert!(!module.take_cut_short());
}

#[test]
fn garbage_is_told_with_the_packet_and_nothing_is_read_after_it() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    peer.write_all(b"garbage").unwrap();
    assert!(
        module
            .expect(event::PARSE_ERROR)
            .payload
            .ends_with(b"garbage")
    );
    assert!(!module.has(0));
    module.send(|batch| batch.close(0));
    module.expect(event::CLOSED);
}

#[test]
fn an_upgrade_gives_what_followed_the_head_and_then_the_stream() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    peer.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nfirst",
    )
    .unwrap();
    module.expect(event::HEAD);
    let released = module.expect(event::RELEASED);
    assert_eq!(&released.payload[8..], b"first");
    assert_eq!(released.total(), 2 * GET.len() as u64);
    let mut stream = TcpStream::from(module.completions.take_descriptor(0).unwrap());
    peer.write_all(b"second").unwrap();
    stream.set_nonblocking(false).unwrap();
    assert_eq!(take(&mut stream, 6), b"second");
}

#[test]
fn a_connection_that_is_closed_closes() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.close(0));
    module.expect(event::CLOSED);
    assert_eq!(take_all(&mut peer), b"");
}

#[test]
fn a_request_whose_bytes_come_in_another_message_goes_by_the_io_thread() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0));
    assert!(!module.has(0));
    module.write(0, GET.to_vec());
    assert_eq!(take(&mut peer, GET.len()), GET);
    assert_eq!(module.exchanged(), 0);
    peer.write_all(HELLO).unwrap();
    module.expect(event::HEAD);
}

#[test]
fn what_was_written_before_the_close_still_goes_out() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    module.send(|batch| batch.request(0).write(0, GET).close(0));
    module.expect(event::CLOSED);
    assert_eq!(take_all(&mut peer), GET);
}

#[test]
fn a_large_write_before_the_close_goes_out_too() {
    let listener = listen();
    let (mut module, mut peer) = borrower(&listener);
    let body = noise(20_000);
    module.send(|batch| batch.request(0).write(0, GET));
    module.write(0, body.clone());
    module.send(|batch| batch.close(0));
    module.expect(event::CLOSED);
    assert!(take_all(&mut peer) == [GET, &body].concat());
}

#[test]
fn what_is_borrowed_closes_with_the_environment() {
    let listener = listen();
    let (mut module, mut idle) = borrower(&listener);
    let mut waiting = module.connect(1, &listener);
    module.exchange(1, &mut waiting);
    module.until_it_has(1);
    module.send(|batch| batch.request(1).write(1, GET));
    module.unload();
    assert_eq!(take_all(&mut idle), b"");
    assert_eq!(take_all(&mut waiting), GET);
}

#[test]
fn batches_are_told_apart() {
    let get = |batch: &mut Commands, id| {
        batch.request(id).write(id, GET);
    };
    let few = batch(|batch| {
        (0..FEW as u32).for_each(|id| get(batch, id));
        batch
    });
    let BatchKind::Few(requests) = BatchKind::of(&few) else {
        panic!("these are few");
    };
    assert_eq!(requests.len(), FEW);
    for (id, range) in requests {
        assert_eq!(few[range], batch(|batch| batch.request(id).write(id, GET)));
    }
    let many = batch(|batch| {
        (0..=FEW as u32).for_each(|id| get(batch, id));
        batch
    });
    assert!(matches!(BatchKind::of(&many), BatchKind::Many(requests) if requests.len() == FEW + 1));
}

#[test]
fn a_batch_that_does_anything_but_send_short_requests_is_another() {
    let others: [Bytes; 8] = [
        batch(|batch| batch),
        batch(|batch| batch.close(0)),
        batch(|batch| batch.request(0).write(0, GET).close(0)),
        batch(|batch| batch.write(0, GET).request(0).write(0, GET)),
        batch(|batch| batch.request(0).write_acknowledged(0, GET)),
        batch(|batch| batch.request(0).write(0, GET).write(1, GET)),
        batch(|batch| batch.request(0).write(0, GET).request(0).write(0, GET)),
        batch(|batch| batch.request(0).write(0, &[0; MAX_REQUEST])),
    ];
    for (n, bytes) in others.iter().enumerate() {
        assert_eq!(BatchKind::of(bytes), BatchKind::Other, "{n}");
    }
    let cut = batch(|batch| batch.request(0).write(0, GET));
    assert_eq!(
        BatchKind::of(&cut[..cut.len() - 4]),
        BatchKind::Few(vec![(0, 0..records::HEADER_SIZE + 8)])
    );
}
