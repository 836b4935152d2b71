//! Connecting to a peer, and closing.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

use socket2::{Domain, SockAddr, Socket, Type};

use super::harness::{Client, GET, accept, expect_no_connection, listen, take, take_all};
use crate::records::{command, event};
use crate::shared::binding::{bind, connect_if_doubtful, new_socket, start_connect};

fn unused_address() -> SocketAddr {
    listen().local_addr().unwrap()
}

/// Makes a TCP listener whose queue is full, so that the next client waits.
fn full_listener() -> (Socket, Vec<Socket>, SocketAddr) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = (0..4).map(|_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        socket
    });
    let waiting = waiting.collect();
    (listener, waiting, address.as_socket().unwrap())
}

/// Gives a port on which no socket listens, of an address that no other test uses.
fn port_of(host: &str) -> u16 {
    TcpListener::bind((host, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Tells whether a port can be bound exclusively, so that no other socket is bound to it.
fn port_is_free(address: SocketAddr) -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&address.into()).is_ok()
}

#[test]
fn a_connection_tells_its_descriptor_and_its_own_address() {
    let listener = listen();
    let mut client = Client::new();
    client.send(|batch| batch.connect(0, listener.local_addr().unwrap()));
    let connected = client.expect(0, event::CONNECTED);
    let from = accept(&listener).peer_addr().unwrap();
    assert_eq!(connected.local(), (from.port().into(), "127.0.0.1".into()));
    let socket = socket2::SockRef::from(&connected.socket())
        .local_addr()
        .unwrap();
    assert_eq!(socket.as_socket(), Some(from));
    assert_eq!(connected.flags, 0);
}

#[test]
fn a_connection_over_ipv6_tells_its_address_without_brackets() {
    let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
        // The machine has no IPv6.
        return;
    };
    let mut client = Client::new();
    client.send(|batch| batch.connect(0, listener.local_addr().unwrap()));
    assert_eq!(client.expect(0, event::CONNECTED).local().1, "::1");
}

#[test]
fn a_refused_connection_tells_so_later_as_libuv_does() {
    let mut client = Client::new();
    client.send(|batch| batch.connect(0, unused_address()));
    let failed = client.expect(0, event::CONNECT_FAILED);
    assert_eq!((failed.errno(), failed.flags), (libc::ECONNREFUSED, 0));
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
}

#[test]
fn what_the_kernel_refuses_before_it_sends_is_told_at_once() {
    let mut client = Client::new();
    // Broadcast needs an option that TCP does not have.
    client.send(|batch| batch.connect(0, ([255, 255, 255, 255], 80).into()));
    let failed = client.expect(0, event::CONNECT_FAILED);
    assert_eq!(failed.flags, event::AT_ONCE);
}

#[test]
fn an_address_that_is_none_is_invalid_and_costs_no_descriptor() {
    let bound = bind("127.0.0.3", port_of("127.0.0.3")).unwrap();
    let address = socket2::SockRef::from(&bound).local_addr().unwrap();
    let address = address.as_socket().unwrap();
    assert!(!port_is_free(address));
    let mut client = Client::new();
    let bound = client.completions.keep_socket(bound);
    client.send(|batch| {
        let payload: [&[u8]; 3] = [&80u32.to_le_bytes(), &bound.to_le_bytes(), b"localhost"];
        batch.push(command::CONNECT_TCP, 0, 0, &payload)
    });
    let failed = client.expect(0, event::CONNECT_FAILED);
    assert_eq!(
        (failed.errno(), failed.flags),
        (libc::EINVAL, event::AT_ONCE)
    );
    assert!(port_is_free(address));
}

#[test]
fn a_bound_socket_is_the_one_that_connects() {
    let listener = listen();
    let bound = bind("127.0.0.2", 0).unwrap();
    let mut client = Client::new();
    let bound = client.completions.keep_socket(bound);
    client.send(|batch| batch.connect_bound(0, listener.local_addr().unwrap(), bound));
    let connected = client.expect(0, event::CONNECTED);
    assert_eq!(connected.errno(), bound);
    assert_eq!(connected.local().1, "127.0.0.2");
    let from = accept(&listener).peer_addr().unwrap();
    assert_eq!(connected.local().0, from.port().into());
}

#[test]
fn a_connect_that_another_thread_has_begun_is_waited_for() {
    let listener = listen();
    let address = listener.local_addr().unwrap();
    let socket = new_socket(Domain::IPV4).unwrap();
    start_connect(&socket, &address.into()).unwrap();
    let mut client = Client::new();
    let started = client.completions.keep_socket(socket.into());
    client.send(|batch| {
        let port = u32::from(address.port()).to_le_bytes();
        let payload: [&[u8]; 3] = [&port, &started.to_le_bytes(), b"127.0.0.1"];
        batch.push(command::CONNECT_TCP, command::STARTED, 0, &payload)
    });
    let connected = client.expect(0, event::CONNECTED);
    assert_eq!(connected.errno(), started);
    let mut peer = accept(&listener);
    assert_eq!(connected.local().0, peer.peer_addr().unwrap().port().into());
    client.exchange(0, &mut peer);
    // Another one that takes its place has any local port.
    drop(peer);
    client.expect(0, event::EOF);
    client.send(|batch| batch.request(0).write(0, GET));
    assert_eq!(client.expect(0, event::CONNECTED).flags, event::AGAIN);
}

#[test]
fn a_connect_that_the_kernel_refuses_is_an_error_where_it_is_begun() {
    for host in ["255.255.255.255", "224.0.0.1"] {
        let error = connect_if_doubtful(host, 80).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENETUNREACH), "{host}");
    }
    // Nobody listens there, and nobody is asked.
    assert!(connect_if_doubtful("127.0.0.1", 1).unwrap().is_none());
}

#[test]
fn bound_sockets_that_javascript_has_not_handed_over_are_closed_when_its_environment_ends() {
    let client = Client::new();
    let addresses = ["127.0.0.4", "127.0.0.6"].map(|host| {
        let bound = Socket::from(bind(host, port_of(host)).unwrap());
        let address = bound.local_addr().unwrap().as_socket().unwrap();
        client.completions.keep_socket(bound.into());
        address
    });
    assert!(!addresses.into_iter().any(port_is_free));
    client.completions.close();
    assert!(addresses.into_iter().all(port_is_free));
}

#[test]
fn a_number_that_names_no_bound_socket_is_refused() {
    let mut client = Client::new();
    let address = listen().local_addr().unwrap();
    client.send(|batch| batch.connect_bound(0, address, 0));
    let failed = client.expect(0, event::CONNECT_FAILED);
    assert_eq!(
        (failed.errno(), failed.flags),
        (libc::EBADF, event::AT_ONCE)
    );
}

#[test]
fn a_local_address_of_another_machine_cannot_be_bound() {
    let error = bind("192.0.2.1", 0).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL));
    assert_eq!(
        bind("nowhere", 0).unwrap_err().raw_os_error(),
        Some(libc::EINVAL)
    );
}

#[test]
fn unix_domain_sockets_connect_by_path_and_by_abstract_name() {
    let folder = std::env::temp_dir().join(format!("ferrequest-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let _ = std::fs::remove_file(&path);
    let by_path = UnixListener::bind(&path).unwrap();
    let name = format!("\0ferrequest-test-{}", std::process::id());
    let by_name = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    by_name.bind(&SockAddr::unix(&name).unwrap()).unwrap();
    by_name.listen(1).unwrap();

    let mut client = Client::new();
    let text = path.to_str().unwrap();
    client.send(|batch| {
        batch.connect_unix(0, text.as_bytes()).write(0, b"by path");
        batch.connect_unix(1, name.as_bytes()).write(1, b"by name")
    });
    for id in [0, 1] {
        assert_eq!(
            client.expect(id, event::CONNECTED).local(),
            (0, String::new())
        );
    }
    assert_eq!(take(&mut by_path.accept().unwrap().0, 7), b"by path");
    assert_eq!(take(&mut by_name.accept().unwrap().0, 7), b"by name");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn unix_domain_sockets_fail_with_the_errors_of_the_kernel() {
    let mut client = Client::new();
    client.send(|batch| {
        batch.connect_unix(0, b"/nonexistent/socket");
        batch.connect_unix(1, std::env::temp_dir().to_str().unwrap().as_bytes());
        batch.connect_unix(2, &[b'a'; 4096])
    });
    for (id, errno) in [
        (0, libc::ENOENT),
        (1, libc::ECONNREFUSED),
        (2, libc::EINVAL),
    ] {
        let failed = client.expect(id, event::CONNECT_FAILED);
        assert_eq!(
            (failed.errno(), failed.flags),
            (errno, 0),
            "connection {id}"
        );
    }
}

#[test]
fn a_unix_domain_socket_with_a_full_queue_says_try_again() {
    let name = format!("\0ferrequest-full-{}", std::process::id());
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&name).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let mut client = Client::new();
    client.send(|batch| batch.connect_unix(0, name.as_bytes()));
    client.expect(0, event::CONNECTED);
    client.send(|batch| batch.connect_unix(1, name.as_bytes()));
    assert_eq!(
        client.expect(1, event::CONNECT_FAILED).errno(),
        libc::EAGAIN
    );
}

#[test]
fn closing_while_it_connects_ends_the_connection_and_its_task() {
    let (_listener, _waiting, address) = full_listener();
    let mut client = Client::new();
    client.send(|batch| batch.connect(0, address).request(0).write(0, b"never sent"));
    client.expect_nothing(0);
    assert_eq!(client.runtime.metrics().num_alive_tasks(), 1);
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
    client.expect_nothing(0);
    assert_eq!(client.runtime.metrics().num_alive_tasks(), 0);
}

#[test]
fn an_id_can_be_used_again_once_it_is_closed() {
    let listener = listen();
    let mut client = Client::new();
    for round in 0..3 {
        let mut peer = client.connect(0, &listener);
        client.exchange(0, &mut peer);
        client.send(|batch| batch.close(0));
        client.expect(0, event::CLOSED);
        assert_eq!(take_all(&mut peer), b"", "round {round}");
    }
    client.expect_nothing(0);
    assert_eq!(client.runtime.metrics().num_alive_tasks(), 0);
}

#[test]
fn closing_what_was_never_used_is_answered() {
    let mut client = Client::new();
    client.send(|batch| batch.close(7));
    client.expect(7, event::CLOSED);
    assert_eq!(client.runtime.metrics().num_alive_tasks(), 0);
}

#[test]
fn unknown_ids_and_commands_harm_nobody() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| {
        batch.write(u32::MAX, b"to nobody").close(u32::MAX - 1);
        batch.command(200, 0).command(command::PAUSE, u32::MAX)
    });
    client.expect(u32::MAX - 1, event::CLOSED);
    client.exchange(0, &mut peer);
}

#[test]
fn commands_may_come_before_the_connection() {
    let listener = listen();
    let address = listener.local_addr().unwrap();
    let mut client = Client::new();
    client.send(|batch| {
        batch.push(command::NO_DELAY, command::ENABLE, 0, &[]);
        batch.request(0).write(0, b"early")
    });
    client.send(|batch| batch.connect(0, address));
    let connected = client.expect(0, event::CONNECTED);
    let socket = connected.socket();
    assert!(socket2::SockRef::from(&socket).tcp_nodelay().unwrap());
    assert_eq!(take(&mut accept(&listener), 5), b"early");
}

#[test]
fn a_second_connect_of_the_same_connection_is_ignored() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    client.send(|batch| batch.connect(0, listener.local_addr().unwrap()));
    client.exchange(0, &mut peer);
    expect_no_connection(&listener);
}

#[test]
fn hundreds_of_connections_each_get_their_own_answer() {
    const COUNT: u32 = 300;
    let listener = listen();
    let address = listener.local_addr().unwrap();
    let mut client = Client::new();
    let server = std::thread::spawn(move || {
        let mut peers: Vec<_> = (0..COUNT).map(|_| accept(&listener)).collect();
        for peer in &mut peers {
            let name = take(peer, 8);
            let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n".to_vec();
            answer.extend_from_slice(&name);
            peer.write_all(&answer).unwrap();
        }
        for peer in &mut peers {
            assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
        }
    });
    client.send(|batch| {
        (0..COUNT).fold(batch, |batch, id| {
            let name = format!("{id:08}");
            batch
                .connect(id, address)
                .request(id)
                .write(id, name.as_bytes())
        })
    });
    for id in 0..COUNT {
        client.expect(id, event::CONNECTED);
        assert_eq!(client.response(id), format!("{id:08}").as_bytes());
    }
    client.send(|batch| (0..COUNT).fold(batch, |batch, id| batch.close(id)));
    server.join().unwrap();
}
