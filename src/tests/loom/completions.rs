//! Models of the queue to the JavaScript thread: no wake is lost, and no connection waits for ever.

use std::io::Read;
use std::ptr::NonNull;
use std::sync::Arc;

use loom::sync::Notify;
use loom::thread;

use super::{EventLoop, check, connection};
use crate::shared::body_buffers::Memory;
use crate::shared::completions::{Drained, HIGH_WATER_MARK};

#[test]
fn a_page_is_drained_without_another_wake() {
    check(|| {
        let event_loop = EventLoop::new();
        let completions = event_loop.completions.clone();
        let io = thread::spawn(move || {
            for byte in 1..=3 {
                completions.publish(&mut vec![byte]);
            }
        });
        let mut bytes = Vec::new();
        while bytes.len() < 3 {
            bytes.extend(event_loop.turn().bytes);
        }
        assert_eq!(bytes, [1, 2, 3]);
        io.join().unwrap();
    });
}

#[test]
fn an_offer_is_taken_without_another_wake() {
    check(|| {
        let event_loop = EventLoop::new();
        let completions = event_loop.completions.clone();
        let (lent, _peer) = connection(7);
        let io = thread::spawn(move || {
            completions.publish(&mut vec![1]);
            assert!(completions.offers.offer(|| Some(lent)));
            completions.wake_reader();
        });
        let mut offers = Vec::new();
        while offers.is_empty() {
            offers = event_loop.turn().offers;
        }
        assert_eq!(offers[0].id(), 7);
        io.join().unwrap();
    });
}

#[test]
fn connections_that_wait_for_a_drain_are_let_on() {
    check(|| {
        let event_loop = EventLoop::new();
        let completions = event_loop.completions.clone();
        let drained = Arc::new(Notify::new());
        let resumed = drained.clone();
        let io = thread::spawn(move || {
            completions.publish(&mut vec![1; HIGH_WATER_MARK]);
            if completions.throttle() {
                resumed.wait();
            }
            completions.publish(&mut vec![2]);
        });
        let mut bytes = Vec::new();
        while bytes.last() != Some(&2) {
            let turn = event_loop.turn();
            bytes.extend(turn.bytes);
            if turn.resume {
                drained.notify();
            }
        }
        io.join().unwrap();
    });
}

#[test]
fn connections_that_wait_for_body_buffers_are_let_on() {
    check(|| {
        let completions = EventLoop::new().completions;
        // SAFETY: neither thread reads or writes the memory.
        let memory = unsafe { Memory::new(NonNull::dangling()) };
        completions.body_buffers.lay(0, memory);
        for claim in completions.body_buffers.claim(1) {
            claim.fill(HIGH_WATER_MARK);
        }
        let drained = Arc::new(Notify::new());
        let (queue, resumed) = (completions.clone(), drained.clone());
        let io = thread::spawn(move || {
            if queue.throttle() {
                resumed.wait();
            }
        });
        completions.body_buffers.reuse(0);
        if completions.take_resume() {
            drained.notify();
        }
        io.join().unwrap();
    });
}

#[test]
fn nothing_is_left_behind_when_the_environment_ends() {
    check(|| {
        let event_loop = EventLoop::new();
        let completions = event_loop.completions.clone();
        let (lent, mut peer) = connection(7);
        let io = thread::spawn(move || {
            completions.publish(&mut vec![1; HIGH_WATER_MARK]);
            // The drop of an offer that is not taken closes the connection.
            completions.offers.offer(|| Some(lent));
            completions.wake_reader();
            completions.throttle();
        });
        event_loop.completions.close();
        io.join().unwrap();
        let completions = event_loop.completions;
        assert_eq!(completions.drain(&mut [0; 8]), Drained::Empty);
        assert_eq!(completions.queued(), 0);
        assert!(!completions.throttle());
        peer.set_nonblocking(true).unwrap();
        let end = peer.read(&mut [0; 8]);
        assert_eq!(end.ok(), Some(0), "the connection is open");
    });
}
