//! The event loop: accepts, and calls the connections that are ready.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::ServerConfig;
use slab::Slab;
use socket2::{Domain, Socket, Type};

use crate::connection::{Connection, Outcome};
use crate::response::Responses;

/// Thousands of clients connect in one tick in the idle-connections workload; none may meet a full queue, because its
/// SYN would be sent again only a second later.
const BACKLOG: i32 = 4096;

const EVENTS_A_POLL: usize = 1024;
const READ_BUFFER: usize = 256 * 1024;

// Connections take the tokens from 0 up, so the listeners are at the other end.
const HTTP: Token = Token(usize::MAX - 1);
const HTTPS: Token = Token(usize::MAX - 2);

/// Both listeners and everything that was accepted from them.
pub struct Server {
    poll: Poll,
    http: TcpListener,
    https: TcpListener,
    tls_config: Arc<ServerConfig>,
    connections: Slab<Connection>,
    /// The connections whose answers wait for more of their kind.
    gathered: Vec<usize>,
    responses: Responses,
    buffer: Vec<u8>,
}

impl Server {
    /// Listens on two free ports of the loopback address.
    pub fn bind(tls_config: Arc<ServerConfig>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut http = listen()?;
        let mut https = listen()?;
        poll.registry()
            .register(&mut http, HTTP, Interest::READABLE)?;
        poll.registry()
            .register(&mut https, HTTPS, Interest::READABLE)?;
        Ok(Self {
            poll,
            http,
            https,
            tls_config,
            connections: Slab::new(),
            gathered: Vec::new(),
            responses: Responses::new(),
            buffer: vec![0; READ_BUFFER],
        })
    }

    /// The ports for http and https.
    pub fn ports(&self) -> io::Result<(u16, u16)> {
        Ok((
            self.http.local_addr()?.port(),
            self.https.local_addr()?.port(),
        ))
    }

    /// Serves for ever.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_A_POLL);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                match event.token() {
                    HTTP | HTTPS => self.accept_all(event.token())?,
                    Token(key) => self.on_ready(key, event.is_readable(), event.is_writable()),
                }
            }
        }
    }

    fn accept_all(&mut self, listener: Token) -> io::Result<()> {
        loop {
            let accepted = if listener == HTTP {
                self.http.accept()
            } else {
                self.https.accept()
            };
            match accepted {
                Ok((stream, _)) => self.add(listener, stream)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The peer gave up before it was accepted (accept(2)).
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&mut self, listener: Token, stream: TcpStream) -> io::Result<()> {
        let connection = if listener == HTTP {
            Connection::plain(stream)
        } else {
            Connection::tls(stream, self.tls_config.clone())?
        };
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let connection = entry.insert(connection);
        // Both interests, once: edge-triggered, so that there is never a call to change them. Bytes that came before
        // this still make an event (epoll(7)).
        let interest = Interest::READABLE.add(Interest::WRITABLE);
        self.poll
            .registry()
            .register(connection.socket(), Token(key), interest)?;
        Ok(())
    }

    fn on_ready(&mut self, key: usize, readable: bool, writable: bool) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        let mut outcome = Outcome::Wait;
        if writable {
            outcome = connection.on_writable(&self.responses);
        }
        if readable && outcome == Outcome::Wait {
            outcome = connection.on_readable(&self.responses, &mut self.buffer);
        }
        match outcome {
            Outcome::Wait => {}
            Outcome::Gather(wanted) => self.gather(key, wanted),
            Outcome::Close => self.close(key),
        }
    }

    fn gather(&mut self, key: usize, wanted: usize) {
        self.gathered.push(key);
        if self.gathered.len() < wanted {
            return;
        }
        for key in std::mem::take(&mut self.gathered) {
            if let Some(connection) = self.connections.get_mut(key)
                && connection.release(&self.responses) == Outcome::Close
            {
                self.close(key);
            }
        }
    }

    fn close(&mut self, key: usize) {
        // Dropping a socket takes it out of the epoll set (epoll(7)).
        self.connections.try_remove(key);
        self.gathered.retain(|held| *held != key);
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit it (tcp(7)), which spares a call for each.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
