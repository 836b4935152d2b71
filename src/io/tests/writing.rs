//! Writing to the peer: the bytes that follow from JavaScript's commands.

use std::io::Write;
use std::net::TcpStream;

use super::harness::{Client, GET, HELLO, accept, listen, noise, take, take_all, until_delivered};
use crate::records::{command, event};

/// Bytes that are more than the kernel's buffers of both ends hold.
const MUCH: usize = 24 * 1024 * 1024;

/// Gives the number of segments with data that a socket has sent.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn segments_sent(socket: std::os::fd::BorrowedFd<'_>) -> u32 {
    use std::os::fd::AsRawFd;
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut size = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the buffer has the size that is given, and all zeros is a value of it.
    unsafe {
        let status = libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut size,
        );
        assert_eq!(status, 0);
        info.assume_init().tcpi_data_segs_out
    }
}

/// Reads everything in a thread of its own.
fn reader(mut peer: TcpStream) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || take_all(&mut peer))
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_header_block_and_its_body_go_out_in_one_segment() {
    let listener = listen();
    let mut client = Client::new();
    client.send(|batch| {
        batch.push(command::NO_DELAY, command::ENABLE, 0, &[]);
        batch.connect(0, listener.local_addr().unwrap())
    });
    let connected = client.expect(0, event::CONNECTED);
    let mut peer = accept(&listener);

    client.send(|batch| batch.request(0).write(0, GET).write(0, b"body"));
    assert_eq!(segments_sent(connected.socket()), 1);
    take(&mut peer, GET.len() + 4);
    peer.write_all(HELLO).unwrap();
    client.response(0);

    // The same holds if the body comes by another way, or if another connection is closed in between.
    let body = noise(9000);
    client.send_with_body(|batch| batch.request(0).write(0, GET), 0, &body);
    assert_eq!(segments_sent(connected.socket()), 2);
    assert_eq!(take(&mut peer, GET.len() + body.len())[GET.len()..], body);
    client.send(|batch| batch.write(0, b"one").close(1).write(0, b"two"));
    assert_eq!(segments_sent(connected.socket()), 3);
    assert_eq!(take(&mut peer, 6), b"onetwo");
}

#[test]
fn what_the_kernel_cannot_take_waits_and_arrives_whole() {
    let listener = listen();
    let mut client = Client::new();
    let peer = client.connect(0, &listener);
    let bytes = noise(MUCH);
    for piece in bytes.chunks(64 * 1024) {
        let message = client.large_write(0, piece, true);
        client.send_messages(vec![message]);
    }
    client.drain();
    let at_once = client.log.drain(..).next_back().unwrap().total();
    assert!(at_once < MUCH as u64, "the kernel took everything");

    let reader = reader(peer);
    let mut totals = vec![at_once];
    while *totals.last().unwrap() < MUCH as u64 {
        totals.push(client.skip_to(0, event::WRITTEN).total());
    }
    assert!(totals.is_sorted(), "{totals:?}");
    client.send(|batch| batch.close(0));
    assert!(reader.join().unwrap() == bytes);
}

#[test]
fn writes_are_acknowledged_once_the_kernel_has_them_and_only_if_asked() {
    let listener = listen();
    let mut client = Client::new();
    let _peer = client.connect(0, &listener);
    client.send(|batch| batch.write(0, b"12345"));
    client.send(|batch| {
        batch
            .write_acknowledged(0, b"678")
            .write(0, b"90")
            .write_acknowledged(0, b"1")
    });
    assert_eq!(client.expect(0, event::WRITTEN).total(), 11);
    client.expect_nothing(0);
}

#[test]
fn more_pieces_than_one_system_call_takes_keep_their_order() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    let bytes = noise(100 * 1000);
    let messages = bytes
        .chunks(1000)
        .map(|piece| client.large_write(0, piece, false));
    let messages = messages.collect();
    client.send_messages(messages);
    assert!(take(&mut peer, bytes.len()) == bytes);
}

#[test]
fn small_and_large_pieces_of_several_connections_stay_apart() {
    let listener = listen();
    let mut client = Client::new();
    let mut peers = [0, 1].map(|id| client.connect(id, &listener));
    let large = noise(70_000);
    for round in 0..3 {
        let text = format!("{round}");
        client.send_with_body(
            |batch| batch.write(1, text.as_bytes()).write(0, text.as_bytes()),
            0,
            &large,
        );
        client.send(|batch| batch.write(0, b"!").write(1, b"!"));
    }
    for round in 0..3 {
        let text = format!("{round}");
        assert_eq!(take(&mut peers[0], 1), text.as_bytes());
        assert!(take(&mut peers[0], large.len()) == large);
        assert_eq!(take(&mut peers[0], 1), b"!");
        assert_eq!(take(&mut peers[1], 2), format!("{round}!").as_bytes());
    }
}

#[test]
fn closing_sends_what_was_written_before() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.write(0, b"the last words").close(0));
    assert_eq!(take_all(&mut peer), b"the last words");
    client.expect(0, event::CLOSED);
}

#[test]
fn closing_by_a_reset_is_a_reset() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.push(command::CLOSE, command::RESET, 0, &[]));
    client.expect(0, event::CLOSED);
    let error = std::io::Read::read(&mut peer, &mut [0; 1]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ECONNRESET));
}

#[test]
fn a_half_close_follows_everything_written_and_the_answer_still_comes() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    let body = noise(MUCH);
    client.send_with_body(|batch| batch.request(0).write(0, GET), 0, &body);
    client.send(|batch| batch.shutdown_acknowledged(0));
    client.expect_nothing(0);

    let mut reading = peer.try_clone().unwrap();
    let reader = std::thread::spawn(move || take_all(&mut reading));
    assert_eq!(client.expect(0, event::SHUTDOWN_DONE).errno(), 0);
    let arrived = reader.join().unwrap();
    assert!(arrived[..GET.len()] == *GET && arrived[GET.len()..] == body);
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
}

#[test]
fn a_half_close_before_the_connection_stands_is_done_when_it_does() {
    let listener = listen();
    let mut client = Client::new();
    client.send(|batch| {
        batch.connect(0, listener.local_addr().unwrap());
        batch.write(0, b"all").shutdown_acknowledged(0)
    });
    client.expect(0, event::CONNECTED);
    assert_eq!(client.expect(0, event::SHUTDOWN_DONE).errno(), 0);
    assert_eq!(take_all(&mut accept(&listener)), b"all");
}

#[test]
fn a_half_close_that_nobody_waits_for_is_done_and_not_answered() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| {
        batch.request(0).write(0, GET);
        batch.command(command::SHUTDOWN, 0)
    });
    assert_eq!(take_all(&mut peer), GET);
    client.expect_nothing(0);
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
}

#[test]
fn a_half_close_and_a_close_behind_it_end_the_stream_in_order() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| {
        batch.request(0).write(0, GET);
        batch.command(command::SHUTDOWN, 0).close(0)
    });
    client.expect(0, event::CLOSED);
    assert_eq!(take_all(&mut peer), GET, "and then the end, not a reset");
}

#[test]
fn a_half_close_comes_before_the_reset_that_a_close_is_with_bytes_unread() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    client.send(|batch| batch.command(command::PAUSE, 0));
    peer.write_all(HELLO).unwrap();
    until_delivered(&peer);
    client.spin(100);
    client.send(|batch| batch.command(command::SHUTDOWN, 0).close(0));
    client.expect(0, event::CLOSED);
    // A reset alone would be an error here.
    assert!(take_all(&mut peer).is_empty());
}

#[test]
fn an_answer_that_came_before_the_peer_stopped_reading_is_passed_on_whole() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    // A large response comes first, so that the kernel lets the receive buffer grow.
    client.send(|batch| batch.request(0).write(0, GET));
    let server = std::thread::spawn(move || {
        take(&mut peer, GET.len());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n");
        peer.write_all(head.as_bytes()).unwrap();
        peer.write_all(&noise(MUCH)).unwrap();
        peer
    });
    client.response(0);
    let mut peer = server.join().unwrap();

    client.send_with_body(|batch| batch.request(0).write(0, GET), 0, &noise(MUCH));
    take(&mut peer, GET.len());
    // The response takes more than one turn of reading.
    let answer = noise(500_000);
    peer.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 500000\r\n\r\n")
        .unwrap();
    peer.write_all(&answer).unwrap();
    until_delivered(&peer);
    // With much unread, the close is a reset at once.
    drop(peer);
    assert_eq!(client.expect(0, event::HEAD).status(), 413);
    let mut body = Vec::new();
    let last = loop {
        let event = client.next(0);
        if event.opcode != event::DATA {
            break event;
        }
        body.extend_from_slice(&event.payload);
    };
    assert!(body == answer, "{} of {} bytes", body.len(), answer.len());
    assert_eq!(last.opcode, event::END);
    assert_eq!(
        client.expect(0, event::WRITE_ERROR).errno(),
        libc::ECONNRESET
    );
}

#[test]
fn an_answer_that_nobody_has_noticed_when_a_write_fails_is_passed_on_first() {
    for is_known in [false, true] {
        let listener = listen();
        let mut client = Client::new();
        let mut peer = client.connect(0, &listener);
        if is_known {
            client.exchange(0, &mut peer);
        }
        client.send(|batch| batch.request(0).write(0, GET).write(0, b"unread"));
        if is_known {
            client.spin(2);
        }
        take(&mut peer, GET.len());
        peer.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            .unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        until_delivered(&peer);
        drop(peer);
        client.send(|batch| batch.write(0, b"too late"));
        assert_eq!(client.expect(0, event::HEAD).status(), 413);
        assert_eq!(client.expect(0, event::DATA).payload, b"no");
        client.expect(0, event::END);
        client.expect(0, event::EOF);
        assert_eq!(client.expect(0, event::WRITE_ERROR).errno(), libc::EPIPE);
    }
}

#[test]
fn a_reset_during_an_upload_is_found_by_the_read_that_comes_first() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send_with_body(|batch| batch.request(0).write(0, GET), 0, &noise(MUCH));
    take(&mut peer, GET.len());
    peer.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe first half")
        .unwrap();
    until_delivered(&peer);
    drop(peer);
    client.expect(0, event::HEAD);
    assert_eq!(client.expect(0, event::DATA).payload, b"the first half");
    assert_eq!(
        client.expect(0, event::READ_ERROR).errno(),
        libc::ECONNRESET
    );
}

#[test]
fn a_failed_read_tells_what_had_been_written() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.request(0).write(0, GET).write(0, b"body"));
    take(&mut peer, GET.len());
    peer.write_all(HELLO).unwrap();
    until_delivered(&peer);
    // With bytes unread.
    drop(peer);
    client.response(0);
    let error = client.expect(0, event::READ_ERROR);
    assert_eq!(error.errno(), libc::ECONNRESET);
    assert_eq!(error.u32_at(4), GET.len() as u32 + 4);
}

#[test]
fn a_reset_that_a_write_has_found_does_not_complete_a_body_that_the_end_delimits() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.request(0).write(0, GET).write(0, b"unread"));
    take(&mut peer, GET.len());
    peer.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nthe first half")
        .unwrap();
    until_delivered(&peer);
    drop(peer);
    client.send(|batch| batch.write(0, b"too late"));
    client.expect(0, event::HEAD);
    assert_eq!(client.expect(0, event::DATA).payload, b"the first half");
    assert_eq!(
        client.expect(0, event::WRITE_ERROR).errno(),
        libc::ECONNRESET
    );
}

#[test]
fn nothing_is_sent_after_a_write_has_failed() {
    let listener = listen();
    let mut client = Client::new();
    let peer = client.connect(0, &listener);
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    client.send(|batch| batch.write_acknowledged(0, b"too late"));
    client.skip_to(0, event::WRITE_ERROR);
    client.send(|batch| batch.write_acknowledged(0, b"later still"));
    client.expect_nothing(0);
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
}

#[test]
fn nothing_is_told_after_a_close_that_could_not_send_everything() {
    let listener = listen();
    let mut client = Client::new();
    let peer = client.connect(0, &listener);
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    client.send(|batch| batch.write(0, b"too late").close(0));
    client.expect(0, event::CLOSED);
    client.expect_nothing(0);
}

#[test]
fn a_connection_that_a_copy_of_its_descriptor_has_made_block_stops_no_other() {
    let listener = listen();
    let mut client = Client::new();
    let address = listener.local_addr().unwrap();
    client.send(|batch| batch.connect(0, address));
    let connected = client.expect(0, event::CONNECTED);
    let peer = accept(&listener);
    client.exchange(0, &mut peer.try_clone().unwrap());
    // What libuv does to the standard output of a child process, which is the same open file.
    socket2::SockRef::from(&connected.socket())
        .set_nonblocking(false)
        .unwrap();
    client.send(|batch| batch.request(0).write(0, &noise(MUCH)));
    client.spin(20);
    let mut other = client.connect(1, &listener);
    client.exchange(1, &mut other);
}
