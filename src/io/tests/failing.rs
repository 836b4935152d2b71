//! Panics. Each prints a message, which belongs to the test's output.

use std::io::Write;

use super::harness::{Client, GET, HELLO, listen, take, take_all};
use crate::io::registry::{PANIC, PANIC_IN_TASK};
use crate::records::event;

#[test]
fn a_panic_in_a_command_loses_its_connection_and_no_other() {
    let listener = listen();
    let mut client = Client::new();
    let mut lost = client.connect(0, &listener);
    let mut other = client.connect(1, &listener);
    client.send(|batch| {
        batch.request(1).command(PANIC, 0).write(1, GET);
        batch.write(0, b"not sent")
    });
    client.expect(0, event::FAILED);
    assert_eq!(take(&mut other, GET.len()), GET);
    other.write_all(HELLO).unwrap();
    assert_eq!(client.response(1), b"hello");
    // The socket is closed already; the id is free once JavaScript has closed the connection too.
    assert_eq!(take_all(&mut lost), b"");
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
    let mut again = client.connect(0, &listener);
    client.exchange(0, &mut again);
}

#[test]
fn a_panic_in_a_task_loses_its_connection_and_no_other() {
    let listener = listen();
    let mut client = Client::new();
    let mut lost = client.connect(0, &listener);
    let mut other = client.connect(1, &listener);
    client.send(|batch| batch.request(0).write(0, GET).command(PANIC_IN_TASK, 0));
    client.expect(0, event::FAILED);
    client.exchange(1, &mut other);
    assert_eq!(take_all(&mut lost), GET);
    client.send(|batch| batch.close(0));
    client.expect(0, event::CLOSED);
    client.expect_nothing(0);
    assert_eq!(client.runtime.metrics().num_alive_tasks(), 1);
}

#[test]
fn a_panic_while_events_are_appended_leaves_whole_records() {
    let listener = listen();
    let mut client = Client::new();
    let mut peer = client.connect(0, &listener);
    let outlet = crate::io::outlet::Outlet::new(client.completions.clone());
    outlet.append(|page| crate::records::push(page, event::WRITTEN, 0, 1, &[&[0; 8]]));
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        outlet.append(|page| -> () {
            crate::records::begin(page, event::DATA, 0, 1, 100);
            panic!("a test asked for this panic");
        })
    }));
    assert!(panic.is_err());
    outlet.append(|page| crate::records::push(page, event::FAILED, 0, 1, &[]));
    client.expect(1, event::WRITTEN);
    client.expect(1, event::FAILED);
    client.exchange(0, &mut peer);
}
