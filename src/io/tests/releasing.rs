//! Releases: a connection becomes a descriptor for libuv.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::harness::{
    Client, Event, GET, HELLO, expect_no_connection, listen, noise, take, take_all, until_delivered,
};
use crate::records::{command, event};

/// Bytes that are more than the kernel's buffers of both ends hold.
const MUCH: usize = 24 * 1024 * 1024;

const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n";

/// Exchanges the request and the response that end HTTP.
fn upgrade(client: &mut Client, peer: &mut TcpStream, head: &[u8]) -> Event {
    client.send(|batch| batch.request(0).write(0, GET));
    take(peer, GET.len());
    peer.write_all(&[SWITCHING, head].concat()).unwrap();
    let switching = client.expect(0, event::HEAD);
    assert_eq!(switching.flags & event::UPGRADE, event::UPGRADE);
    client.expect(0, event::RELEASED)
}

/// Takes the descriptor over, as libuv would.
fn taken(client: &mut Client) -> TcpStream {
    let stream = TcpStream::from(client.take_descriptor(0));
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
    stream.set_nonblocking(false).unwrap();
    stream
}

#[test]
fn an_upgrade_gives_what_followed_the_head_and_then_the_stream() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    let released = upgrade(&mut client, &mut peer, b"\x00first\xff");
    assert_eq!(released.total(), GET.len() as u64);
    assert_eq!(&released.payload[8..], b"\x00first\xff");
    let mut stream = taken(&mut client);
    peer.write_all(b"second").unwrap();
    assert_eq!(take(&mut stream, 6), b"second");
    stream.write_all(b"answer").unwrap();
    drop(stream);
    assert_eq!(take_all(&mut peer), b"answer");
}

#[test]
fn after_an_upgrade_not_one_byte_more_is_read() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    upgrade(&mut client, &mut peer, b"");
    let read = client.bytes_in();
    peer.write_all(b"not HTTP").unwrap();
    client.expect_nothing(0);
    assert_eq!(client.bytes_in(), read);
    assert_eq!(take(&mut taken(&mut client), 8), b"not HTTP");
}

#[test]
fn a_descriptor_is_given_away_once_everything_written_is_out() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    let bytes = noise(MUCH);
    let write = client.large_write(0, &bytes, false);
    client.send_messages(vec![write]);
    client.send(|batch| batch.command(command::RELEASE, 0));
    client.expect_nothing(0);
    let server = std::thread::spawn(move || {
        let bytes = take(&mut peer, MUCH);
        (peer, bytes)
    });
    assert_eq!(client.expect(0, event::RELEASED).total(), MUCH as u64);
    let (mut peer, arrived) = server.join().unwrap();
    assert!(arrived == bytes);
    taken(&mut client).write_all(b"more").unwrap();
    assert_eq!(take_all(&mut peer), b"more");
}

#[test]
fn before_the_response_the_descriptor_can_be_had_with_the_response_unread() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.request(0).write(0, GET).command(command::RELEASE, 0));
    client.expect(0, event::RELEASED);
    take(&mut peer, GET.len());
    peer.write_all(HELLO).unwrap();
    client.expect_nothing(0);
    assert_eq!(take(&mut taken(&mut client), HELLO.len()), HELLO);
}

#[test]
fn in_a_response_the_descriptor_waits_for_its_end() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    let (first, second) = HELLO.split_at(HELLO.len() - 2);
    peer.write_all(first).unwrap();
    client.expect(0, event::HEAD);
    client.expect(0, event::DATA);
    client.send(|batch| batch.command(command::RELEASE, 0));
    client.expect_nothing(0);
    peer.write_all(second).unwrap();
    assert_eq!(client.expect(0, event::DATA).payload, b"lo");
    client.expect(0, event::END);
    client.expect(0, event::RELEASED);
    peer.write_all(b"what follows").unwrap();
    assert_eq!(take(&mut taken(&mut client), 12), b"what follows");
}

#[test]
fn what_is_written_after_the_descriptor_was_offered_goes_out_before_the_next_offer() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.command(command::RELEASE, 0));
    client.send(|batch| batch.write(0, b"late"));
    assert_eq!(client.expect(0, event::RELEASED).total(), 0);
    client.send(|batch| batch.command(command::RELEASE, 0));
    assert_eq!(client.expect(0, event::RELEASED).total(), 4);
    drop(taken(&mut client));
    // The end shows that the first descriptor is closed too.
    assert_eq!(take_all(&mut peer), b"late");
}

#[test]
fn a_descriptor_that_nobody_takes_is_closed_with_the_connection() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    upgrade(&mut client, &mut peer, b"");
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
    assert!(client.completions.take_descriptor(0).is_none());
}

#[test]
fn a_descriptor_that_nobody_takes_is_closed_with_the_environment() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    upgrade(&mut client, &mut peer, b"");
    client.completions.close();
    let detach = crate::shared::mailbox::Message::Detach(client.completions.clone());
    client.send_messages(vec![detach]);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_connection_given_away_before_its_request_is_written_carries_it_all_the_same() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    client.send(|batch| batch.request(0).command(command::RELEASE, 0).write(0, GET));
    let before = GET.len() as u64;
    assert_eq!(client.expect(0, event::RELEASED).total(), before);
    assert_eq!(take(&mut peer, GET.len()), GET);
    client.send(|batch| batch.command(command::RELEASE, 0));
    assert_eq!(client.expect(0, event::RELEASED).total(), 2 * before);
    expect_no_connection(&listener);
}

#[test]
fn an_upgrade_behind_which_a_write_fails_gives_the_descriptor_and_tells_both() {
    let listener = listen();
    for is_noticed in [true, false] {
        let mut client = Client::new();
        let mut peer = client.connect(0, &listener);
        let length = if is_noticed { MUCH } else { 6 };
        client.send_with_body(|batch| batch.request(0).write(0, GET), 0, &noise(length));
        take(&mut peer, GET.len());
        peer.write_all(&[SWITCHING, b"first"].concat()).unwrap();
        until_delivered(&peer);
        // With bytes unread, which is a reset.
        drop(peer);
        let mut total = GET.len() + length;
        if !is_noticed {
            client.send(|batch| batch.write(0, b"late"));
            total += 4;
        }
        let switching = client.expect(0, event::HEAD);
        assert_eq!(switching.flags & event::UPGRADE, event::UPGRADE);
        let released = client.expect(0, event::RELEASED);
        assert_eq!(released.flags, libc::ECONNRESET as u32);
        assert_eq!(released.total(), total as u64);
        assert_eq!(&released.payload[8..], b"first");
        assert!(take_all(&mut taken(&mut client)).is_empty());
    }
}

#[test]
fn a_descriptor_that_waits_for_a_later_write_is_offered_again_when_that_fails() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    assert_eq!(upgrade(&mut client, &mut peer, b"").flags, 0);
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    client.send(|batch| batch.write(0, b"late"));
    let released = client.expect(0, event::RELEASED);
    assert_eq!(released.flags, libc::ECONNRESET as u32);
    assert_eq!(released.total(), GET.len() as u64 + 4);
    client.expect_nothing(0);
}
