//! Tests of the I/O thread, which JavaScript threads start, share and end, with real connections on it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use super::module::Module;
use super::support::{DEADLINE, GET, HELLO, accept, listen, noise, take, take_all};
use crate::records::{EVERY_CONNECTION, event};
use crate::shared::completions::HIGH_WATER_MARK;
use crate::shared::mailbox::Message;

#[test]
fn copies_of_the_module_share_the_thread_of_their_javascript_thread() {
    let (first, second) = (Module::load(), Module::load());
    assert!(Arc::ptr_eq(first.thread(), second.thread()));
    let first = Arc::as_ptr(first.thread()).addr();
    let other = std::thread::spawn(|| Arc::as_ptr(Module::load().thread()).addr());
    assert_ne!(first, other.join().unwrap());
}

#[test]
fn the_last_owner_ends_the_thread_and_all_that_it_has() {
    let listener = listen();
    let mut module = Module::load();
    let mut peers = [0, 1].map(|id| module.connect(id, &listener));
    module.exchange(0, &mut peers[0]);
    // A request in flight, and a connection that has just been asked for.
    module.send(|batch| batch.request(1).write(1, GET));
    module.send(|batch| batch.connect(2, listener.local_addr().unwrap()));
    module.unload();
    // The thread is gone: no other owner has the queue.
    assert_eq!(Arc::strong_count(&module.completions), 1);
    assert_eq!(take_all(&mut peers[0]), b"");
    // The request was handed over before the end, and has been sent.
    assert_eq!(take_all(&mut peers[1]), GET);
    assert_eq!(take_all(&mut accept(&listener)), b"");
}

#[test]
fn a_thread_can_be_started_and_ended_again_and_again() {
    let listener = listen();
    for _ in 0..20 {
        let mut module = Module::load();
        let mut peer = module.connect(0, &listener);
        module.exchange(0, &mut peer);
        module.unload();
    }
}

#[test]
fn the_end_of_one_copy_closes_its_connections_and_leaves_those_of_the_other() {
    let listener = listen();
    let (mut first, mut second) = (Module::load(), Module::load());
    let mut peer_of_first = first.connect(0, &listener);
    let mut peer_of_second = second.connect(0, &listener);
    first.unload();
    assert_eq!(take_all(&mut peer_of_first), b"");
    second.exchange(0, &mut peer_of_second);
}

#[test]
fn the_end_does_not_wait_for_a_peer_that_does_not_read() {
    let listener = listen();
    let mut module = Module::load();
    let peer = module.connect(0, &listener);
    module.completions.offers.announce();
    let message = Message::Write {
        completions: module.completions.clone(),
        connection: 0,
        bytes: noise(24 * 1024 * 1024).into(),
        acknowledge: false,
    };
    module.thread().mailbox().send(message);
    module.unload();
    drop(peer);
}

#[test]
fn the_end_does_not_wait_for_javascript_to_take_what_is_queued() {
    let listener = listen();
    let mut module = Module::load();
    let mut peer = module.connect(0, &listener);
    module.send(|batch| batch.request(0).write(0, GET));
    take(&mut peer, GET.len());
    let server = std::thread::spawn(move || {
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        let body = noise(1 << 20);
        let mut sent = peer.write_all(head);
        while sent.is_ok() {
            sent = peer.write_all(&body);
        }
    });
    let begun = Instant::now();
    while module.completions.queued() < HIGH_WATER_MARK {
        assert!(begun.elapsed() < DEADLINE);
        std::thread::yield_now();
    }
    module.unload();
    server.join().unwrap();
}

#[test]
fn a_panic_of_the_thread_is_told_to_every_copy_and_the_next_one_gets_another_thread() {
    let listener = listen();
    let (mut first, mut second) = (Module::load(), Module::load());
    let mut peer = first.connect(0, &listener);
    first.send(|batch| batch.request(0).write(0, GET));
    assert_eq!(take(&mut peer, GET.len()), GET);
    second.thread().mailbox().send(Message::Panic);
    for module in [&mut first, &mut second] {
        assert_eq!(module.expect(event::FAILED).connection, EVERY_CONNECTION);
    }
    assert_eq!(take_all(&mut peer), b"");

    // The lost thread still has owners.
    let mut third = Module::load();
    assert!(!Arc::ptr_eq(third.thread(), first.thread()));
    let mut peer = third.connect(0, &listener);
    third.exchange(0, &mut peer);
    first.send(|batch| batch.connect(5, listener.local_addr().unwrap()));
    first.unload();
    second.unload();
    third.exchange(0, &mut peer);
}

#[test]
fn events_and_commands_of_many_batches_keep_their_order() {
    const ROUNDS: usize = 2000;
    let listener = listen();
    let mut module = Module::load();
    let mut peer = module.connect(0, &listener);
    let server = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            assert_eq!(take(&mut peer, GET.len()), GET);
            peer.write_all(HELLO).unwrap();
        }
    });
    for _ in 0..ROUNDS {
        module.send(|batch| batch.request(0));
        module.send(|batch| batch.write(0, &GET[..7]));
        module.send(|batch| batch.write(0, &GET[7..]));
        for opcode in [event::HEAD, event::DATA, event::END] {
            module.expect(opcode);
        }
    }
    server.join().unwrap();
}

/// Answers each request, and then sometimes closes the connection or sends bytes that no request asked for.
fn capricious_server(listener: &TcpListener) {
    let mut caprices = noise(1 << 16).into_iter().cycle();
    while let Ok((mut peer, _)) = listener.accept() {
        peer.set_nodelay(true).unwrap();
        let mut request = [0; GET.len()];
        while peer.read_exact(&mut request).is_ok() {
            if peer.write_all(HELLO).is_err() {
                break;
            }
            let caprice = caprices.next().unwrap_or_default();
            // Just when the next request is on its way.
            (0..caprice % 8).for_each(|_| std::thread::yield_now());
            match caprice >> 3 {
                0..4 => break,
                4..8 if peer.write_all(b"HTTP/1.1 2").is_err() => break,
                _ => {}
            }
        }
    }
}

#[test]
fn no_request_waits_for_ever_whenever_the_peer_closes_or_speaks_unasked() {
    let exchanged = requests_to_a_capricious_server(Module::load());
    assert_eq!(exchanged, 0);
}

#[test]
fn no_request_on_a_borrowed_connection_waits_for_ever_either() {
    let exchanged = requests_to_a_capricious_server(Module::load_borrowing());
    assert!(exchanged > 500, "{exchanged} on borrowed connections");
}

/// Gives the number of requests that were exchanged on borrowed connections.
fn requests_to_a_capricious_server(mut module: Module) -> u64 {
    const REQUESTS: usize = 3000;
    let listener = listen();
    let address = listener.local_addr().unwrap();
    let server = listener.try_clone().unwrap();
    let server = std::thread::spawn(move || capricious_server(&server));
    module.send(|batch| batch.connect(0, address));
    module.expect(event::CONNECTED);
    let mut answered = 0;
    for _ in 0..REQUESTS {
        module.send(|batch| batch.request(0).write(0, GET));
        loop {
            let event = module.next();
            match event.opcode {
                event::END => {
                    answered += 1;
                    break;
                }
                event::DATA => assert_eq!(event.payload, b"hello"),
                event::HEAD | event::CONNECTED => {}
                // The old connection ended; the request gets another.
                event::EOF | event::READ_ERROR if event.flags & event::IDLE != 0 => {}
                event::EOF | event::READ_ERROR | event::WRITE_ERROR | event::PARSE_ERROR => {
                    module.send(|batch| batch.close(0));
                    while module.next().opcode != event::CLOSED {}
                    module.send(|batch| batch.connect(0, address));
                    while module.next().opcode != event::CONNECTED {}
                    break;
                }
                _ => panic!("{event:?}"),
            }
        }
    }
    // A request fails only if it was sent before the peer closed.
    assert!(answered > REQUESTS / 2, "{answered} of {REQUESTS}");
    socket2::SockRef::from(&listener)
        .shutdown(std::net::Shutdown::Both)
        .unwrap();
    module.unload();
    server.join().unwrap();
    module.exchanged()
}
