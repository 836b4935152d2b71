//! All connections of the I/O thread, and the commands that reach them.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::connect::{Target, parse_address};
use super::outlet::Outlet;
use super::socket_options::KeepAlive;
use super::task::Connection;
use crate::bridge::completions::Completions;
use crate::bridge::mailbox::Message;
use crate::bridge::records::{self, Record, command, event};

/// The connections of one loaded module; ids are dense, chosen by its JavaScript side.
struct Channel {
    outlet: Rc<Outlet>,
    connections: Vec<Option<Rc<Connection>>>,
}

/// Every connection, by queue and id.
#[derive(Default)]
pub struct Registry {
    /// By the address of the queue, which its `Arc` keeps unique.
    channels: HashMap<usize, Channel>,
}

impl Registry {
    /// Carries out one message. Must run inside the I/O thread's runtime.
    pub fn handle(&mut self, message: Message) {
        match message {
            Message::Batch(completions, batch) => self.channel(&completions).run(&batch),
            Message::Write {
                completions,
                connection,
                bytes,
                acknowledge,
            } => {
                let connection = self.channel(&completions).connection(connection);
                connection.write_owned(bytes, acknowledge);
                connection.flush();
            }
            Message::Drained(completions) => self.channel(&completions).outlet.drained(),
            Message::Detach(completions) => {
                if let Some(channel) = self.channels.remove(&key(&completions)) {
                    for connection in channel.connections.into_iter().flatten() {
                        connection.close(false);
                    }
                }
            }
        }
    }

    fn channel(&mut self, completions: &Arc<Completions>) -> &mut Channel {
        self.channels
            .entry(key(completions))
            .or_insert_with(|| Channel {
                outlet: Outlet::new(completions.clone()),
                connections: Vec::new(),
            })
    }
}

fn key(completions: &Arc<Completions>) -> usize {
    Arc::as_ptr(completions) as usize
}

impl Channel {
    fn run(&mut self, batch: &[u8]) {
        // Writes are sent at the end, so that a header block and the body behind it go out together.
        let mut to_flush: Vec<Rc<Connection>> = Vec::new();
        for record in records::iter(batch) {
            if record.opcode == command::CLOSE {
                // What was written before the close still goes out, as far as the kernel takes it.
                to_flush.drain(..).for_each(|connection| connection.flush());
                self.close(record);
                continue;
            }
            let connection = self.connection(record.connection);
            if run_command(connection, &record)
                && !to_flush
                    .last()
                    .is_some_and(|last| Rc::ptr_eq(last, connection))
            {
                to_flush.push(connection.clone());
            }
        }
        to_flush
            .into_iter()
            .for_each(|connection| connection.flush());
    }

    /// The connection with this id; a new one starts to wait for its socket.
    fn connection(&mut self, id: u32) -> &Rc<Connection> {
        let index = id as usize;
        if index >= self.connections.len() {
            self.connections.resize_with(index + 1, || None);
        }
        let outlet = &self.outlet;
        // The slot exists: the vector has just been grown to hold it.
        #[allow(clippy::indexing_slicing)]
        self.connections[index].get_or_insert_with(|| {
            let connection = Connection::new(id, outlet.clone());
            tokio::task::spawn_local(run_guarded(connection.clone(), id, outlet.clone()));
            connection
        })
    }

    fn close(&mut self, record: Record<'_>) {
        match self
            .connections
            .get_mut(record.connection as usize)
            .and_then(Option::take)
        {
            Some(connection) => connection.close(record.flags & command::RESET != 0),
            // Never used: it is as closed as it can be.
            None => self
                .outlet
                .append(|page| records::push(page, event::CLOSED, 0, record.connection, &[])),
        }
    }
}

/// Runs a connection's task; should it panic, JavaScript is told that the connection is lost.
async fn run_guarded(connection: Rc<Connection>, id: u32, outlet: Rc<Outlet>) {
    struct Guard(u32, Rc<Outlet>);
    impl Drop for Guard {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.1
                    .append(|page| records::push(page, event::FAILED, 0, self.0, &[]));
            }
        }
    }
    let _guard = Guard(id, outlet);
    connection.run().await;
}

/// Carries out a command; gives `true` if the connection has to be flushed.
fn run_command(connection: &Connection, record: &Record<'_>) -> bool {
    let enable = record.flags & command::ENABLE != 0;
    match record.opcode {
        command::CONNECT_TCP => connect_tcp(connection, record),
        command::CONNECT_UNIX => connection.connect(Target::Unix(record.payload.to_vec()), None),
        command::REQUEST => connection.request(record.flags, record.u32_at(0), record.u32_at(4)),
        command::WRITE => {
            connection.write(record.payload, record.flags & command::ACKNOWLEDGE != 0);
            return true;
        }
        command::SHUTDOWN => connection.shutdown(),
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
        // Both sides are built together and a test compares their tables.
        other => debug_assert!(false, "unknown command {other}"),
    }
    false
}

fn connect_tcp(connection: &Connection, record: &Record<'_>) {
    let port = record.u32_at(0) as u16;
    let bound = Some(record.u32_at(4).cast_signed()).filter(|descriptor| *descriptor >= 0);
    let address = std::str::from_utf8(record.rest(8))
        .ok()
        .and_then(|host| parse_address(host, port));
    match address {
        Some(address) => connection.connect(Target::Tcp(address), bound),
        None => connection.refuse(libc::EINVAL),
    }
}
