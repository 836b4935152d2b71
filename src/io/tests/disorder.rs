//! Commands in any order, to peers that do anything: nothing panics, and every close is answered.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use super::harness::{Client, Event, GET, HELLO, listen, noise};
use crate::records::event;

const CONNECTIONS: u32 = 6;
const ROUNDS: usize = 400;

/// Numbers that look random and are the same in each run.
struct Dice(u32);

impl Dice {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 % limit
    }
}

/// Peers that treat every connection badly, each in another way. They act between two turns of the
/// client, on its thread, so that the order of events does not depend on the scheduler.
struct BadPeers {
    listener: TcpListener,
    dice: Dice,
    kept: Vec<TcpStream>,
}

impl BadPeers {
    fn act(&mut self) {
        while let Ok((mut peer, _)) = self.listener.accept() {
            peer.set_nonblocking(true).unwrap();
            // A call that fails here is a way for the peer to behave too.
            match self.dice.below(7) {
                0 => drop(peer.read(&mut [0; 1])),
                1 => drop(peer.write(HELLO)),
                2 => drop(peer.write(&HELLO[..20])),
                3 => drop(peer.write(&noise(100_000))),
                4 => drop(peer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx",
                )),
                5 => drop(socket2::SockRef::from(&peer).set_linger(Some(std::time::Duration::ZERO))),
                _ => self.kept.push(peer),
            }
            if self.dice.below(4) == 0 {
                self.kept.clear();
            }
        }
    }
}

#[test]
fn commands_in_any_order_to_peers_that_do_anything_neither_panic_nor_leak() {
    let mut seen = [0; 32];
    for seed in 1..=10 {
        for event in disorder(seed * 4711) {
            seen[event.opcode as usize] += 1;
        }
    }
    // Without these events the test would show nothing.
    for opcode in [
        event::CONNECTED,
        event::HEAD,
        event::PARSE_ERROR,
        event::EOF,
        event::READ_ERROR,
        event::WRITE_ERROR,
        event::WRITTEN,
        event::RELEASED,
    ] {
        assert!(seen[opcode as usize] > 0, "no {opcode} in {seen:?}");
    }
}

fn disorder(seed: u32) -> VecDeque<Event> {
    let listener = listen();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut peers = BadPeers {
        listener,
        dice: Dice(seed + 1),
        kept: Vec::new(),
    };
    let mut client = Client::new();
    let mut dice = Dice(seed);
    let large = noise(70_000);
    let mut closes = 0;
    for _ in 0..ROUNDS {
        client.send(|batch| {
            for _ in 0..dice.below(12) {
                let id = dice.below(CONNECTIONS);
                match dice.below(16) {
                    0..4 => batch.connect(id, address),
                    4..6 => batch.request(id),
                    6 => batch.write(id, GET),
                    7 => batch.write_acknowledged(id, &large),
                    8 if dice.below(3) == 0 => {
                        closes += 1;
                        batch.close(id)
                    }
                    // CONNECT_* take addresses, CLOSE has to be counted.
                    _ => {
                        let opcodes = [3, 4, 5, 6, 7, 8, 9, 11, 12];
                        let opcode = opcodes[dice.below(opcodes.len() as u32) as usize];
                        let flags = dice.below(8);
                        batch.push(opcode, flags, id, &[&large[..dice.below(20) as usize]])
                    }
                };
            }
            batch
        });
        let turns = dice.below(6) as usize;
        client.spin(turns);
        peers.act();
        client.spin(turns);
        if dice.below(3) == 0 {
            client.drain();
        }
    }
    client.send(|batch| {
        closes += CONNECTIONS as usize;
        (0..CONNECTIONS).fold(batch, |batch, id| batch.close(id))
    });
    client.spin(20);
    client.drain();
    let count = |opcode| {
        client
            .log
            .iter()
            .filter(|event| event.opcode == opcode)
            .count()
    };
    assert_eq!(count(event::FAILED), 0, "seed {seed}");
    assert_eq!(count(event::CLOSED), closes, "seed {seed}");
    assert_eq!(client.runtime.metrics().num_alive_tasks(), 0);
    client.log
}
