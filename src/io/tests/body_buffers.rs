//! Large bodies, read into memory that JavaScript has laid out.

use std::io::Write;
use std::ptr::NonNull;

use super::harness::{Client, Event, listen, noise};
use super::reading::asked;
use crate::records::event;
use crate::shared::body_buffers::Memory;
use crate::shared::completions::HIGH_WATER_MARK;
use crate::shared::exchange::READ_SIZE;
use crate::shared::mailbox::Message;

/// Memory that a test lays out, by place. It is never freed.
struct Laid(Vec<NonNull<u8>>);

impl Laid {
    fn lay(client: &Client, count: usize) -> Self {
        let places = (0..count).map(|place| {
            let bytes = Box::leak(vec![0u8; READ_SIZE].into_boxed_slice());
            let start = NonNull::new(bytes.as_mut_ptr()).unwrap();
            // SAFETY: the memory is leaked, and only `take` looks at it, when its place is filled.
            let memory = unsafe { Memory::new(start) };
            assert!(client.completions.body_buffers.lay(place, memory));
            start
        });
        Self(places.collect())
    }

    /// Takes the bytes that a `BODY` event names; their place is free again.
    fn take(&self, client: &mut Client, event: &Event) -> Vec<u8> {
        let (place, length) = (event.u32_at(0) as usize, event.u32_at(4) as usize);
        assert!((1..=READ_SIZE).contains(&length));
        // SAFETY: the place is filled with `length` bytes, and no read writes there until it is free.
        let bytes = unsafe { std::slice::from_raw_parts(self.0[place].as_ptr(), length) }.to_vec();
        client.completions.body_buffers.reuse(place);
        if client.completions.take_resume() {
            client.send_messages(vec![Message::Drained(client.completions.clone())]);
        }
        bytes
    }
}

/// Frames a body in every way. Gives a field, the bytes, and the event that ends the body.
fn framings(body: &[u8]) -> [(&'static str, Vec<u8>, u32); 3] {
    let chunked = body.chunks(300_000).flat_map(|chunk| {
        let head = format!("{:x}\r\n", chunk.len()).into_bytes();
        [head, chunk.to_vec(), b"\r\n".to_vec()].concat()
    });
    let chunked = chunked.chain(*b"0\r\n\r\n").collect();
    [
        ("Transfer-Encoding: chunked", chunked, event::END),
        ("Content-Length: 3000001", body.to_vec(), event::END),
        ("Connection: close", body.to_vec(), event::EOF),
    ]
}

#[test]
fn a_body_is_the_same_whichever_way_its_pieces_come() {
    let listener = listen();
    let body = noise(3_000_001);
    for count in [1, 3, 8] {
        let mut client = Client::new();
        let laid = Laid::lay(&client, count);
        let mut by_buffer = 0;
        for (id, (field, bytes, end)) in framings(&body).into_iter().enumerate() {
            let id = id as u32;
            let mut peer = asked(&mut client, id, &listener);
            let server = std::thread::spawn(move || {
                let head = format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n");
                peer.write_all(head.as_bytes()).unwrap();
                peer.write_all(&bytes).unwrap();
            });
            client.expect(id, event::HEAD);
            let mut received = Vec::new();
            loop {
                let event = client.next(id);
                match event.opcode {
                    event::DATA => received.extend_from_slice(&event.payload),
                    event::BODY => {
                        received.extend(laid.take(&mut client, &event));
                        by_buffer += 1;
                    }
                    other => {
                        assert_eq!(other, end, "{field}");
                        break;
                    }
                }
            }
            assert!(received == body, "{field} with {count} buffers");
            server.join().unwrap();
        }
        assert!(by_buffer > 3, "with {count} buffers");
    }
}

#[test]
fn a_body_of_whole_pieces_ends_with_the_last() {
    let listener = listen();
    let mut client = Client::new();
    let laid = Laid::lay(&client, 8);
    for (id, pieces) in (1..=5).enumerate() {
        let id = id as u32;
        let body = noise(pieces * READ_SIZE);
        let mut peer = asked(&mut client, id, &listener);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        peer.write_all(head.as_bytes()).unwrap();
        client.expect(id, event::HEAD);
        let sent = body.clone();
        let server = std::thread::spawn(move || peer.write_all(&sent).unwrap());
        let mut received = Vec::new();
        while received.len() < body.len() {
            let event = client.next(id);
            match event.opcode {
                event::DATA => received.extend_from_slice(&event.payload),
                _ => received.extend(laid.take(&mut client, &event)),
            }
        }
        client.expect(id, event::END);
        assert!(received == body, "{pieces} pieces");
        server.join().unwrap();
    }
}

#[test]
fn what_is_not_taken_stops_the_reading_and_what_is_taken_lets_it_go_on() {
    let listener = listen();
    let mut client = Client::new();
    let laid = Laid::lay(&client, 8);
    let body = noise(24 * 1024 * 1024);
    let mut peer = asked(&mut client, 0, &listener);
    let sent = body.clone();
    let server = std::thread::spawn(move || {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
        peer.write_all(head.as_bytes()).unwrap();
        peer.write_all(&sent).unwrap();
    });
    let full = |client: &Client| client.completions.queued() >= HIGH_WATER_MARK;
    client.spin_until("a full queue", full);
    client.spin(100);
    assert!(client.completions.queued() < HIGH_WATER_MARK + 5 * READ_SIZE);

    let mut received = Vec::new();
    client.expect(0, event::HEAD);
    loop {
        let event = client.next(0);
        match event.opcode {
            event::DATA => received.extend_from_slice(&event.payload),
            event::BODY => received.extend(laid.take(&mut client, &event)),
            _ => break,
        }
    }
    assert!(received == body);
    server.join().unwrap();
    assert!(client.completions.body_buffers.take_back(), "all are free");
}
