//! Reading from the peer: the events that JavaScript gets, and their bounds.

use std::io::Write;
use std::net::TcpStream;

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::harness::until_delivered;
use super::harness::{Client, Event, GET, HELLO, listen, noise, take};
use crate::io::reader::BODY_PAGE;
use crate::records::{command, event};
use crate::shared::completions::HIGH_WATER_MARK;
use crate::shared::exchange::READ_SIZE;

/// Bytes that are more than all buffers on the way hold.
const MUCH: usize = 24 * 1024 * 1024;

/// Sends a response with a large body from a thread of its own.
pub fn send_body(mut peer: TcpStream, body: Vec<u8>) -> std::thread::JoinHandle<TcpStream> {
    std::thread::spawn(move || {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        peer.write_all(head.as_bytes()).unwrap();
        peer.write_all(&body).unwrap();
        peer
    })
}

/// Makes a connection that has just sent its request.
pub fn asked(client: &mut Client, id: u32, listener: &std::net::TcpListener) -> TcpStream {
    let mut peer = client.connect(id, listener);
    client.send(|batch| batch.request(id).write(id, GET));
    take(&mut peer, GET.len());
    peer
}

/// Spins until a value stays as it is for a while. Gives the value.
fn settled(client: &mut Client, value: impl Fn(&Client) -> u64) -> u64 {
    let mut last = value(client);
    let mut same = 0;
    while same < 200 {
        client.spin(1);
        std::thread::yield_now();
        let now = value(client);
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

fn body_in_log(client: &Client) -> usize {
    let data = client
        .log
        .iter()
        .filter(|event| event.opcode == event::DATA);
    data.map(|event| event.payload.len()).sum()
}

#[test]
fn each_read_tells_how_many_bytes_it_brought_and_how_many_were_written() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = asked(&mut client, 0, &listener);
    peer.write_all(HELLO).unwrap();
    client.until("the end", |client| {
        client
            .log
            .iter()
            .any(|event| event.opcode == event::END)
            .then_some(())
    });
    let opcodes: Vec<_> = client.log.iter().map(|event| event.opcode).collect();
    assert_eq!(opcodes, [event::READ, event::HEAD, event::DATA, event::END]);
    assert_eq!(client.log[0].u32_at(0), HELLO.len() as u32);
    assert_eq!(client.log[0].u32_at(4), GET.len() as u32);
    assert_eq!(client.bytes_in(), HELLO.len() as u64);
}

#[test]
fn a_response_in_single_bytes_is_the_same_response() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = asked(&mut client, 0, &listener);
    for byte in HELLO {
        peer.write_all(&[*byte]).unwrap();
        client.spin(2);
    }
    assert_eq!(client.response(0), b"hello");
}

/// The kernel stops a read before a byte of urgent data, whatever is behind it.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn what_is_behind_urgent_data_is_read_too() {
    let listener = listen();
    let mut client = Client::new();
    for (id, length) in [(0, 10), (1, READ_SIZE + 10)] {
        let mut peer = asked(&mut client, id, &listener);
        let body = noise(length);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        peer.write_all(head.as_bytes()).unwrap();
        client.skip_to(id, event::HEAD);
        let (before, behind) = body.split_at(5);
        peer.write_all(before).unwrap();
        socket2::SockRef::from(&peer)
            .send_out_of_band(b"!")
            .unwrap();
        peer.write_all(behind).unwrap();
        until_delivered(&peer);
        let mut received = Vec::new();
        while received.len() < length {
            received.extend(client.skip_to(id, event::DATA).payload);
        }
        assert_eq!(received, body);
        client.skip_to(id, event::END);
    }
}

#[test]
fn a_large_body_arrives_whole_whatever_its_framing() {
    let listener = listen();
    let mut client = Client::new();
    let body = noise(3_000_001);
    let chunked = body.chunks(200_000).flat_map(|chunk| {
        let head = format!("{:x}\r\n", chunk.len()).into_bytes();
        [head, chunk.to_vec(), b"\r\n".to_vec()].concat()
    });
    let chunked: Vec<u8> = chunked.chain(*b"0\r\n\r\n").collect();
    let framed = [
        ("Transfer-Encoding: chunked", chunked),
        ("Content-Length: 3000001", body.clone()),
        ("Connection: close", body.clone()),
    ];
    for (id, (field, bytes)) in framed.into_iter().enumerate() {
        let id = id as u32;
        let mut peer = asked(&mut client, id, &listener);
        let server = std::thread::spawn(move || {
            peer.write_all(format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n").as_bytes())
                .unwrap();
            peer.write_all(&bytes).unwrap();
        });
        client.expect(id, event::HEAD);
        let mut received = Vec::new();
        let end = loop {
            let event = client.next(id);
            if event.opcode != event::DATA {
                break event;
            }
            received.extend_from_slice(&event.payload);
        };
        assert!(received == body, "{field}");
        if field.starts_with("Connection") {
            assert_eq!((end.opcode, end.flags), (event::EOF, event::COMPLETES));
        } else {
            assert_eq!(end.opcode, event::END, "{field}");
        }
        server.join().unwrap();
    }
}

#[test]
fn a_body_that_comes_fast_is_told_in_reads_of_the_usual_size() {
    let listener = listen();
    let mut client = Client::new();
    for (id, length) in [READ_SIZE, 3 * READ_SIZE, 20 * READ_SIZE + 1, 1_000_003]
        .into_iter()
        .enumerate()
    {
        let id = id as u32;
        let body = noise(length);
        let server = send_body(asked(&mut client, id, &listener), body.clone());
        client.until("the end", |client| {
            let mut events = client.log.iter();
            events
                .any(|event| event.connection == id && event.opcode == event::END)
                .then_some(())
        });
        server.join().unwrap();
        let mut received = Vec::new();
        let mut told = 0;
        for event in client.log.iter().filter(|event| event.connection == id) {
            match event.opcode {
                event::READ => {
                    assert!(event.u32_at(0) as usize <= READ_SIZE);
                    told += event.u32_at(0) as usize;
                }
                event::DATA => {
                    assert!(event.payload.len() <= READ_SIZE);
                    received.extend_from_slice(&event.payload);
                    assert!(told >= received.len(), "a read is told before its bytes");
                }
                _ => {}
            }
        }
        assert!(received == body, "{length} bytes");
    }
}

#[test]
fn a_paused_connection_reads_nothing_more_until_it_is_resumed() {
    let listener = listen();
    let mut client = Client::new();
    let peer = asked(&mut client, 0, &listener);
    let body = noise(MUCH);
    let server = send_body(peer, body.clone());
    client.expect(0, event::HEAD);
    client.send(|batch| batch.command(command::PAUSE, 0));
    let read = client.bytes_in();
    assert_eq!(settled(&mut client, Client::bytes_in), read);
    assert!(!server.is_finished(), "the peer could send everything");

    client.send(|batch| batch.command(command::RESUME, 0));
    let mut received = Vec::new();
    while received.len() < body.len() {
        received.extend_from_slice(&client.expect(0, event::DATA).payload);
    }
    client.expect(0, event::END);
    assert!(received == body);
    server.join().unwrap();
}

#[test]
fn the_end_of_a_paused_stream_is_told_unless_bytes_wait_before_it() {
    let listener = listen();
    let mut client = Client::new();
    let peers = [0, 1].map(|id| asked(&mut client, id, &listener));
    client.send(|batch| batch.command(command::PAUSE, 0).command(command::PAUSE, 1));
    let [silent, mut speaking] = peers;
    speaking.write_all(HELLO).unwrap();
    drop((silent, speaking));
    assert_eq!(client.expect(0, event::EOF).flags, 0);
    client.expect_nothing(1);

    client.send(|batch| batch.command(command::RESUME, 1));
    client.response(1);
    assert_eq!(client.expect(1, event::EOF).flags, event::IDLE);
}

#[test]
fn a_reset_reaches_a_paused_reader() {
    let listener = listen();
    let mut client = Client::new();
    let peer = asked(&mut client, 0, &listener);
    client.send(|batch| batch.command(command::PAUSE, 0));
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    let error = client.expect(0, event::READ_ERROR);
    assert_eq!((error.flags, error.errno()), (0, libc::ECONNRESET));
}

#[test]
fn what_javascript_does_not_take_is_bounded_for_all_connections_together() {
    let listener = listen();
    let mut client = Client::new();
    let body = noise(MUCH / 4);
    let peers = [0, 1, 2, 3].map(|id| asked(&mut client, id, &listener));
    let servers = peers.map(|peer| send_body(peer, body.clone()));
    client.spin_until("a full queue", |client| {
        client.completions.queued() >= HIGH_WATER_MARK
    });
    let queued = settled(&mut client, |client| client.completions.queued() as u64) as usize;
    // The bound allows for one more read, with the headers of its records.
    assert!(queued <= HIGH_WATER_MARK + BODY_PAGE, "{queued}");
    assert!(servers.iter().all(|server| !server.is_finished()));

    for id in 0..4 {
        assert!(client.response(id) == body, "connection {id}");
    }
    for server in servers {
        server.join().unwrap();
    }
}

#[test]
fn small_reads_count_with_the_headers_of_their_records() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = asked(&mut client, 0, &listener);
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = std::thread::spawn(move || {
        peer.write_all(head).unwrap();
        peer.write_all(&b"1\r\na\r\n".repeat(1_000_000)).unwrap();
        peer.write_all(b"0\r\n\r\n").unwrap();
    });
    client.spin_until("a full queue", |client| {
        client.completions.queued() >= HIGH_WATER_MARK
    });
    let queued = settled(&mut client, |client| client.completions.queued() as u64) as usize;
    // One byte of a body takes 16 here and 6 on the wire.
    assert!(
        queued <= HIGH_WATER_MARK + READ_SIZE / 6 * 16 + 1024,
        "{queued}"
    );
    assert_eq!(client.response(0).len(), 1_000_000);
    server.join().unwrap();
}

#[test]
fn a_busy_connection_does_not_keep_others_waiting() {
    let listener = listen();
    let mut client = Client::new();
    let flood = asked(&mut client, 0, &listener);
    let mut other = asked(&mut client, 1, &listener);
    let server = send_body(flood, noise(MUCH));
    while !server.is_finished() && client.bytes_in() == 0 {
        client.spin(1);
    }
    other.write_all(HELLO).unwrap();
    let before = body_in_log(&client);
    client.until("the other's response", |client| {
        let mut events = client.log.iter();
        events
            .any(|event| event.connection == 1 && event.opcode == event::END)
            .then_some(())
    });
    let end = client
        .log
        .iter()
        .position(|event| event.connection == 1 && event.opcode == event::END);
    let ahead: Vec<&Event> = client.log.iter().take(end.unwrap()).collect();
    let ahead: usize = ahead
        .iter()
        .filter(|event| event.connection == 0 && event.opcode == event::DATA)
        .map(|event| event.payload.len())
        .sum();
    // The bound allows for the bytes queued before and for a few turns, not for the whole body.
    assert!(
        ahead - before <= 3 * HIGH_WATER_MARK,
        "{ahead} bytes came first"
    );
    client.skip_to(0, event::END);
    server.join().unwrap();
}

#[test]
fn the_end_of_an_idle_connection_is_told_as_such() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    drop(peer);
    assert_eq!(client.expect(0, event::EOF).flags, event::IDLE);
    client.expect_nothing(0);
}

#[test]
fn a_reset_of_an_idle_connection_is_told_as_such() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    let error = client.expect(0, event::READ_ERROR);
    assert_eq!(
        (error.flags, error.errno()),
        (event::IDLE, libc::ECONNRESET)
    );
}

#[test]
fn the_end_before_and_in_a_response_is_not_idle_and_completes_nothing() {
    let listener = listen();
    let mut client = Client::new();
    drop(asked(&mut client, 0, &listener));
    assert_eq!(client.expect(0, event::EOF).flags, 0);

    let mut peer = asked(&mut client, 1, &listener);
    peer.write_all(&HELLO[..HELLO.len() - 1]).unwrap();
    drop(peer);
    client.expect(1, event::HEAD);
    client.expect(1, event::DATA);
    assert_eq!(client.expect(1, event::EOF).flags, 0);
}

#[test]
fn a_reset_in_a_response_is_an_error() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = asked(&mut client, 0, &listener);
    peer.write_all(&HELLO[..HELLO.len() - 1]).unwrap();
    client.expect(0, event::HEAD);
    client.expect(0, event::DATA);
    socket2::SockRef::from(&peer)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(peer);
    let error = client.expect(0, event::READ_ERROR);
    assert_eq!((error.flags, error.errno()), (0, libc::ECONNRESET));
}

#[test]
fn bytes_on_an_idle_connection_retire_it_and_are_not_decoded() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    peer.write_all(HELLO).unwrap();
    assert_eq!(
        client.expect(0, event::EOF).flags,
        event::IDLE | event::UNSOLICITED
    );
    client.expect_nothing(0);
}

#[test]
fn unasked_bytes_are_told_once_and_the_end_behind_them_is_noticed() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.exchange(0, &mut peer);
    peer.write_all(b"HT").unwrap();
    assert_eq!(
        client.expect(0, event::EOF).flags,
        event::IDLE | event::UNSOLICITED
    );
    let before = client.bytes_in();
    peer.write_all(HELLO).unwrap();
    client.spin_until("the bytes behind", |client| {
        client.bytes_in() == before + HELLO.len() as u64
    });
    drop(peer);
    assert_eq!(client.expect(0, event::EOF).flags, event::IDLE);
    client.expect_nothing(0);
}

#[test]
fn garbage_is_told_with_the_packet_and_nothing_is_read_after_it() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = asked(&mut client, 0, &listener);
    peer.write_all(b"garbage").unwrap();
    let error = client.expect(0, event::PARSE_ERROR);
    assert!(error.payload.ends_with(b"garbage"));
    peer.write_all(HELLO).unwrap();
    client.expect_nothing(0);
}

#[test]
fn two_reads_that_javascript_takes_at_once_stay_two() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = asked(&mut client, 0, &listener);
    peer.write_all(&HELLO[..20]).unwrap();
    client.spin_until("the first read", |client| client.bytes_in() == 20);
    peer.write_all(&HELLO[20..]).unwrap();
    client.spin_until("the second read", |client| {
        client.bytes_in() == HELLO.len() as u64
    });
    client.drain();
    let reads: Vec<_> = client
        .log
        .iter()
        .filter(|event| event.opcode == event::READ)
        .collect();
    assert_eq!(
        reads.iter().map(|read| read.u32_at(0)).collect::<Vec<_>>(),
        [20, HELLO.len() as u32 - 20]
    );
    assert_eq!(client.response(0), b"hello");
}
