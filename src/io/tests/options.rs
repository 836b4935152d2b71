//! Options of the kernel's socket, which the tests read back from the kernel.

use socket2::SockRef;

use super::harness::{Batch, Client, Event, accept, listen};
use crate::records::{command, event};

/// Connects with commands before and after. Gives the event that names the socket.
fn connected(
    before: impl FnOnce(&mut Batch) -> &mut Batch,
    after: impl FnOnce(&mut Batch) -> &mut Batch,
) -> (Client, Event) {
    let listener = listen();
    let mut client = Client::new();
    client.send(|batch| {
        before(batch);
        batch.connect(0, listener.local_addr().unwrap())
    });
    let connected = client.expect(0, event::CONNECTED);
    drop(accept(&listener));
    client.send(after);
    (client, connected)
}

fn keep_alive(batch: &mut Batch, enable: bool, times: [u32; 3]) -> &mut Batch {
    let flags = if enable { command::ENABLE } else { 0 };
    let payload = times.map(u32::to_le_bytes);
    batch.push(command::KEEP_ALIVE, flags, 0, &[payload.as_flattened()])
}

fn no_delay(batch: &mut Batch, enable: bool) -> &mut Batch {
    let flags = if enable { command::ENABLE } else { 0 };
    batch.push(command::NO_DELAY, flags, 0, &[])
}

#[test]
fn nothing_is_set_that_was_not_asked_for() {
    let (_client, event) = connected(|batch| batch, |batch| batch);
    let socket = event.socket();
    let socket = SockRef::from(&socket);
    assert!(!socket.tcp_nodelay().unwrap());
    assert!(!socket.keepalive().unwrap());
}

#[test]
fn no_delay_is_set_before_connecting_and_changed_afterwards() {
    let (mut client, event) = connected(|batch| no_delay(batch, true), |batch| batch);
    let socket = event.socket();
    let socket = SockRef::from(&socket);
    assert!(socket.tcp_nodelay().unwrap());
    client.send(|batch| no_delay(batch, false));
    assert!(!socket.tcp_nodelay().unwrap());
}

#[test]
fn keep_alive_takes_its_times_and_has_libuvs_for_those_not_given() {
    let (mut client, event) = connected(|batch| batch, |batch| keep_alive(batch, true, [77, 0, 0]));
    let socket = event.socket();
    let socket = SockRef::from(&socket);
    let times = || {
        let seconds = |time: std::io::Result<std::time::Duration>| time.unwrap().as_secs();
        (
            seconds(socket.tcp_keepalive_time()),
            seconds(socket.tcp_keepalive_interval()),
            socket.tcp_keepalive_retries().unwrap(),
        )
    };
    assert!(socket.keepalive().unwrap());
    assert_eq!(times(), (77, 1, 10));
    client.send(|batch| keep_alive(batch, true, [88, 9, 3]));
    assert_eq!(times(), (88, 9, 3));
    client.send(|batch| keep_alive(batch, false, [0, 0, 0]));
    assert!(!socket.keepalive().unwrap());
}

#[test]
fn keep_alive_without_a_delay_leaves_the_systems_times() {
    let (_client, event) = connected(|batch| keep_alive(batch, true, [0, 0, 0]), |batch| batch);
    let socket = event.socket();
    let socket = SockRef::from(&socket);
    let listener = listen();
    let system = SockRef::from(&listener).tcp_keepalive_time().unwrap();
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), system);
}

#[test]
fn the_type_of_service_is_set() {
    let (_client, event) = connected(
        |batch| batch,
        |batch| batch.push(command::TYPE_OF_SERVICE, 0, 0, &[&0x10u32.to_le_bytes()]),
    );
    let socket = event.socket();
    assert_eq!(SockRef::from(&socket).tos_v4().unwrap(), 0x10);
}
