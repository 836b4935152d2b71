//! The I/O thread: one for each JavaScript thread, made by its first request, gone before it.

use std::cell::RefCell;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};

use super::completions::Completions;
use super::mailbox::Mailbox;
use super::records::{self, event};
use crate::connection::{Registry, flush_all, note_poll};

/// Id of a `FAILED` event that means all connections.
const EVERY_CONNECTION: u32 = u32::MAX;

thread_local! {
    /// The I/O thread that serves this JavaScript thread, shared by all copies of the module that it
    /// has loaded (`jest.resetModules()`). Weak: the copies own it. It holds no JavaScript handle.
    static CURRENT: RefCell<Weak<IoThread>> = const { RefCell::new(Weak::new()) };
}

/// A running I/O thread; ends and is joined when the last owner lets go of it.
pub struct IoThread {
    mailbox: Arc<Mailbox>,
    queues: Arc<Mutex<Vec<Weak<Completions>>>>,
    handle: Option<JoinHandle<()>>,
}

impl IoThread {
    /// The I/O thread of the calling JavaScript thread, started if there is none.
    ///
    /// # Errors
    /// When the system has no thread or no descriptor left.
    pub fn current() -> io::Result<Arc<Self>> {
        CURRENT.with_borrow_mut(|current| {
            if let Some(thread) = current.upgrade() {
                return Ok(thread);
            }
            let thread = Arc::new(Self::start()?);
            *current = Arc::downgrade(&thread);
            Ok(thread)
        })
    }

    /// Where to put messages for it.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Registers a queue that has to hear of a failure of the thread.
    pub fn attach(&self, completions: &Arc<Completions>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(completions));
    }

    fn start() -> io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let queues = Arc::new(Mutex::new(Vec::new()));
        let runtime = (mailbox.clone(), queues.clone());
        // Errors of the runtime are reported here rather than on its own thread.
        let (report, outcome) = std::sync::mpsc::sync_channel(1);
        let handle = std::thread::Builder::new()
            .name("ferrequest-io".into())
            .spawn(move || {
                let (mailbox, queues) = runtime;
                let finished =
                    std::panic::catch_unwind(AssertUnwindSafe(|| run(&mailbox, &report)));
                if finished.is_err() {
                    fail_all(&queues);
                }
            })?;
        outcome
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the I/O thread did not start")))?;
        Ok(Self {
            mailbox,
            queues,
            handle: Some(handle),
        })
    }
}

impl Drop for IoThread {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(handle) = self.handle.take() {
            // A panic of the thread has been reported to every queue already.
            let _ = handle.join();
        }
    }
}

fn run(mailbox: &Mailbox, report: &std::sync::mpsc::SyncSender<io::Result<()>>) {
    // Publishing when the thread is about to sleep makes the pages as large, and the wakes as few,
    // as they can be without delaying anything.
    let runtime = Builder::new_current_thread()
        .enable_io()
        .on_thread_park(flush_all)
        .on_thread_unpark(note_poll)
        .build_local(LocalOptions::default());
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(report.send(Err(error))),
    };
    // The receiver waits for exactly this.
    let _ = report.send(Ok(()));
    runtime.block_on(async {
        let mut registry = Registry::default();
        let mut messages = Vec::new();
        while mailbox.receive(&mut messages).await {
            for message in messages.drain(..) {
                registry.handle(message);
            }
        }
    });
}

/// The thread is lost: says so to everybody who may wait for it.
fn fail_all(queues: &Mutex<Vec<Weak<Completions>>>) {
    let queues = std::mem::take(&mut *queues.lock().unwrap_or_else(PoisonError::into_inner));
    for completions in queues.iter().filter_map(Weak::upgrade) {
        let mut page = Vec::new();
        records::push(&mut page, event::FAILED, 0, EVERY_CONNECTION, &[]);
        completions.publish(&mut page);
    }
}
