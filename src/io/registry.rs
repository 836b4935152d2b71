//! The registry of all connections of the I/O thread. It carries out the commands that reach them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;

use super::connect::{Prepared, Target};
use super::connection::Connection;
use super::outlet::{Outlet, note_work};
use super::socket_options::KeepAlive;
use super::state::State;
use crate::records::{self, Record, command, event};
use crate::shared::address::{parse_address, with_zone};
use crate::shared::completions::{Completions, Counters};
use crate::shared::detached::Detached;
use crate::shared::mailbox::Message;

/// Highest id of a connection. Ids are dense, so this bounds the table, whatever a batch says.
const MAX_CONNECTIONS: u32 = 1 << 22;

/// JavaScript gives -1 in place of the number of a socket where it has made none.
const NO_SOCKET: u32 = u32::MAX;

/// Connections of one loaded module. Its JavaScript side chooses the ids, which are dense.
struct Channel {
    outlet: Rc<Outlet>,
    connections: Vec<Option<Rc<Connection>>>,
}

/// Registry of every connection, by queue and id.
#[derive(Default)]
pub struct Registry {
    /// Channels by the address of their queue, which its `Arc` keeps unique.
    channels: HashMap<usize, Channel>,
    /// Connections with something new to send.
    unsent: Vec<Rc<Connection>>,
}

impl Registry {
    /// Carries out messages in their order, inside the I/O thread's runtime.
    ///
    /// The bytes that they write are sent at the end. So a header block and the body behind it go out
    /// together, in whatever pieces JavaScript has handed them over.
    pub fn handle(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            note_work();
            self.handle_one(message);
        }
        self.flush();
    }

    fn handle_one(&mut self, message: Message) {
        match message {
            Message::Batch(completions, batch) => self.run_batch(&completions, &batch, 0),
            Message::SentBatch(completions, batch, sent) => {
                Counters::add(&completions.counters.bytes_out, sent as u64);
                self.run_batch(&completions, &batch, sent);
            }
            Message::Write {
                completions,
                connection,
                bytes,
                acknowledge,
            } => self.write(&completions, connection, bytes, acknowledge),
            Message::Secure(completions, id, tls) => {
                if let Some(connection) = self.channel(&completions).connection(id) {
                    guarded(connection, |connection| connection.secure(tls));
                }
            }
            Message::Return(completions, lent) => {
                completions.offers.taken_back();
                if let Some(connection) = self.channel(&completions).connection(lent.id()) {
                    guarded(connection, |connection| connection.take_back(*lent));
                }
            }
            // The JavaScript thread may have given up waiting for the answer, here and below.
            Message::Settle(completions, answer) => {
                let _ = answer.try_send(self.settle(&completions));
            }
            Message::LocalAddress(completions, id, answer) => {
                let _ = answer.try_send(self.channel(&completions).local_address(id));
            }
            Message::Drained(completions) => self.channel(&completions).outlet.drained(),
            Message::Detach(completions) => self.detach(&completions),
            #[cfg(test)]
            Message::Panic => panic!("a test asked for this panic"),
        }
    }

    /// Carries out a batch of commands. The first `sent` bytes that they write are out already.
    fn run_batch(&mut self, completions: &Arc<Completions>, batch: &[u8], mut sent: usize) {
        let Self { channels, unsent } = self;
        let channel = channel(channels, completions);
        for record in records::iter(batch) {
            channel.run(&record, sent, unsent);
            if record.opcode == command::WRITE {
                sent = sent.saturating_sub(record.payload.len());
            }
        }
        completions.offers.carried_out();
    }

    fn write(&mut self, completions: &Arc<Completions>, id: u32, bytes: Bytes, acknowledge: bool) {
        let Self { channels, unsent } = self;
        if let Some(connection) = channel(channels, completions).connection(id) {
            guarded(connection, |connection| {
                connection.write_owned(bytes, acknowledge);
            });
            note_unsent(connection, unsent);
        }
        completions.offers.carried_out();
    }

    /// Sends what is queued. Tells whether the kernel has every byte of the connections.
    fn settle(&mut self, completions: &Arc<Completions>) -> bool {
        self.flush();
        let connections = &self.channel(completions).connections;
        let mut connections = connections.iter().flatten();
        !connections.any(|connection| connection.ask(State::has_unsent))
    }

    /// Closes the connections of a queue whose environment is gone.
    fn detach(&mut self, completions: &Arc<Completions>) {
        self.flush();
        if let Some(channel) = self.channels.remove(&key(completions)) {
            for connection in channel.connections.iter().flatten() {
                guarded(connection, |connection| connection.close(false));
            }
        }
    }

    fn channel(&mut self, completions: &Arc<Completions>) -> &mut Channel {
        channel(&mut self.channels, completions)
    }

    fn flush(&mut self) {
        for connection in self.unsent.drain(..) {
            guarded(&connection, Connection::flush);
        }
    }
}

fn channel<'a>(
    channels: &'a mut HashMap<usize, Channel>,
    completions: &Arc<Completions>,
) -> &'a mut Channel {
    channels.entry(key(completions)).or_insert_with(|| Channel {
        outlet: Outlet::new(completions.clone()),
        connections: Vec::new(),
    })
}

fn key(completions: &Arc<Completions>) -> usize {
    Arc::as_ptr(completions) as usize
}

fn note_unsent(connection: &Rc<Connection>, unsent: &mut Vec<Rc<Connection>>) {
    if !connection.unsent.replace(true) {
        unsent.push(connection.clone());
    }
}

/// Does some work on a connection; a panic loses that connection and nothing else.
fn guarded(connection: &Rc<Connection>, work: impl FnOnce(&Connection)) {
    // The outlet's page, which all connections share, is whole after a panic.
    if catch_unwind(AssertUnwindSafe(|| work(connection))).is_err() {
        connection.fail();
    }
}

impl Channel {
    /// Carries out one command. The first `sent` bytes of a write are out already.
    fn run(&mut self, record: &Record<'_>, sent: usize, unsent: &mut Vec<Rc<Connection>>) {
        if record.opcode == command::CLOSE {
            self.close(record);
        } else if let Some(connection) = self.connection(record.connection) {
            guarded(connection, |connection| {
                run_command(connection, record, sent)
            });
            if matches!(
                record.opcode,
                command::WRITE | command::SHUTDOWN | command::SHAKE_HANDS | command::VERIFIED
            ) {
                note_unsent(connection, unsent);
            }
        }
    }

    /// Gives the connection with this id; a new one starts to wait for its socket.
    fn connection(&mut self, id: u32) -> Option<&Rc<Connection>> {
        if id > MAX_CONNECTIONS {
            return None;
        }
        let index = id as usize;
        if index >= self.connections.len() {
            self.connections.resize_with(index + 1, || None);
        }
        let outlet = &self.outlet;
        self.connections.get_mut(index).map(|slot| {
            &*slot.get_or_insert_with(|| {
                let connection = Connection::new(id, outlet.clone());
                tokio::task::spawn_local(run_guarded(connection.clone()));
                connection
            })
        })
    }

    /// Gives the local port and address of a connection; both are empty if it has none.
    fn local_address(&self, id: u32) -> (u16, String) {
        let connection = self.connections.get(id as usize).and_then(Option::as_ref);
        let address = connection.map(|connection| connection.ask(State::local_address));
        address.unwrap_or_default()
    }

    fn close(&mut self, record: &Record<'_>) {
        let slot = self.connections.get_mut(record.connection as usize);
        match slot.and_then(Option::take) {
            Some(connection) => guarded(&connection, |connection| {
                connection.close(record.flags & command::RESET != 0);
            }),
            // A connection that was never used is as closed as it can be.
            None => self
                .outlet
                .append(|page| records::push(page, event::CLOSED, 0, record.connection, &[])),
        }
    }
}

/// Runs a connection's task. Should it panic, JavaScript hears that the connection is lost.
async fn run_guarded(connection: Rc<Connection>) {
    struct Guard(Rc<Connection>);
    impl Drop for Guard {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.fail();
            }
        }
    }
    let guard = Guard(connection);
    guard.0.clone().run().await;
}

fn run_command(connection: &Connection, record: &Record<'_>, sent: usize) {
    let enable = record.flags & command::ENABLE != 0;
    match record.opcode {
        command::CONNECT_TCP => connect_tcp(connection, record),
        command::CONNECT_UNIX => {
            connection.connect(Target::Unix(record.payload.to_vec()), Prepared::Nothing);
        }
        command::REQUEST => connection.request(record.flags, record.u32_at(0), record.u32_at(4)),
        command::WRITE => {
            let acknowledge = record.flags & command::ACKNOWLEDGE != 0;
            connection.write(record.payload, sent, acknowledge);
        }
        command::SHUTDOWN => connection.shutdown(record.flags & command::ACKNOWLEDGE != 0),
        command::SHAKE_HANDS => connection.shake_hands(),
        command::VERIFIED => connection.verified(),
        command::RECONNECT => connection.reconnect(),
        command::PAUSE => connection.pause(true),
        command::RESUME => connection.pause(false),
        command::NO_DELAY => connection.set_options(|options| options.no_delay = Some(enable)),
        command::KEEP_ALIVE => {
            let number = |offset| Some(record.u32_at(offset)).filter(|n| *n != 0);
            let keep_alive = KeepAlive {
                enable,
                delay: number(0),
                interval: number(4),
                count: number(8),
            };
            connection.set_options(|options| options.keep_alive = Some(keep_alive));
        }
        command::TYPE_OF_SERVICE => {
            connection.set_options(|options| options.type_of_service = Some(record.u32_at(0)));
        }
        command::RELEASE => connection.release(),
        command::PIN => connection.pin(),
        command::ADOPT => adopt(connection, record),
        #[cfg(test)]
        PANIC => panic!("a test asked for this panic"),
        #[cfg(test)]
        PANIC_IN_TASK => connection.panic_in_task(),
        // Both sides are built together and a test compares their tables.
        _ => {}
    }
}

/// Opcode of a command that panics as it is carried out; only tests send it.
#[cfg(test)]
pub const PANIC: u32 = 254;
/// Opcode of a command that makes the connection's task panic; only tests send it.
#[cfg(test)]
pub const PANIC_IN_TASK: u32 = 255;

fn adopt(connection: &Connection, record: &Record<'_>) {
    let Some(descriptor) = connection.take_socket(record.u32_at(0)) else {
        return connection.refuse(libc::EBADF);
    };
    let place = record.rest(8);
    match record.u32_at(4) as u16 {
        0 => connection.adopt(
            Detached::Unix(descriptor.into()),
            Target::Unix(place.to_vec()),
        ),
        port => match parse_host(place, port) {
            Some(remote) => connection.adopt(
                Detached::Tcp(descriptor.into()),
                Target::Tcp {
                    remote,
                    local: None,
                },
            ),
            None => connection.refuse(libc::EINVAL),
        },
    }
}

fn connect_tcp(connection: &Connection, record: &Record<'_>) {
    let port = record.u32_at(0) as u16;
    let number = record.u32_at(4);
    let prepared = if number == NO_SOCKET {
        Prepared::Nothing
    } else {
        match connection.take_socket(number) {
            Some(socket) if record.flags & command::STARTED != 0 => Prepared::Connecting(socket),
            Some(socket) => Prepared::Bound(socket),
            // The environment has ended.
            None => return connection.refuse(libc::EBADF),
        }
    };
    match parse_host(record.rest(8), port) {
        Some(remote) => connection.connect(
            Target::Tcp {
                remote: with_zone(remote),
                local: None,
            },
            prepared,
        ),
        None => connection.refuse(libc::EINVAL),
    }
}

fn parse_host(text: &[u8], port: u16) -> Option<SocketAddr> {
    let host = std::str::from_utf8(text).ok()?;
    parse_address(host, port)
}
