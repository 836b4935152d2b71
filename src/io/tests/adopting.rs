//! Adoptions: connections that libuv has made, and that the I/O thread takes over.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};

use socket2::SockRef;

use super::harness::{Batch, Client, GET, HELLO, accept, expect_no_connection, listen, take};
use crate::records::{command, event};
use crate::shared::binding::duplicate;

fn adopt<'a>(batch: &'a mut Batch, descriptor: i32, port: u16, place: &[u8]) -> &'a mut Batch {
    let port = u32::from(port).to_le_bytes();
    let payload: [&[u8]; 3] = [&descriptor.to_le_bytes(), &port, place];
    batch.push(command::ADOPT, 0, 0, &payload)
}

/// Connects as libuv does, and hands a duplicate over.
fn adopted(client: &mut Client, listener: &TcpListener, set: fn(&SockRef<'_>)) -> TcpStream {
    let address = listener.local_addr().unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    set(&SockRef::from(&stream));
    let duplicate = duplicate(stream.as_raw_fd()).unwrap();
    let descriptor = client.completions.keep_socket(duplicate);
    drop(stream);
    let host = address.ip().to_string();
    client.send(|batch| adopt(batch, descriptor, address.port(), host.as_bytes()));
    accept(listener)
}

#[test]
fn an_adopted_connection_serves_one_request_after_the_other() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = adopted(&mut client, &listener, |_| {});
    client.exchange(0, &mut peer);
    client.exchange(0, &mut peer);
    expect_no_connection(&listener);
    drop(peer);
    client.expect(0, event::EOF);
}

#[test]
fn an_adopted_connection_to_a_path_serves_requests() {
    let folder = std::env::temp_dir().join(format!("ferrequest-adopt-{}", std::process::id()));
    let listener = UnixListener::bind(&folder).unwrap();
    let stream = UnixStream::connect(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    stream.set_nonblocking(true).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let mut client = Client::new();
    let path = folder.to_string_lossy().into_owned();
    let descriptor = client.completions.keep_socket(stream.into());
    client.send(|batch| {
        adopt(batch, descriptor, 0, path.as_bytes())
            .request(0)
            .write(0, GET)
    });
    assert_eq!(take(&mut peer, GET.len()), GET);
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
}

#[test]
fn an_adopted_connection_that_has_died_is_replaced_by_one_with_its_options() {
    let listener = listen();
    let mut client = Client::new();
    drop(adopted(&mut client, &listener, |socket| {
        socket.set_tcp_nodelay(true).unwrap();
        socket.set_keepalive(true).unwrap();
    }));
    client.send(|batch| batch.request(0).write(0, GET));
    let connected = client.skip_to(0, event::CONNECTED);
    assert_eq!(connected.flags, event::AGAIN);
    let socket = connected.socket();
    let socket = SockRef::from(&socket);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    let mut peer = accept(&listener);
    assert_eq!(take(&mut peer, GET.len()), GET);
    peer.write_all(HELLO).unwrap();
    assert_eq!(client.response(0), b"hello");
}

#[test]
fn what_is_no_connection_is_refused() {
    let mut client = Client::new();
    client.send(|batch| adopt(batch, -1, 80, b"127.0.0.1"));
    client.expect(0, event::CONNECT_FAILED);
}

#[test]
fn what_is_no_descriptor_is_not_duplicated() {
    assert!(duplicate(-1).is_err());
}
