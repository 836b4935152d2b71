//! The I/O thread. Each JavaScript thread has one, made by its first request and ended before itself.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use super::outlet::flush_all;
use super::registry::Registry;
use crate::records::{self, event};
use crate::shared::completions::Completions;
use crate::shared::mailbox::{Mailbox, Message};

thread_local! {
    /// The I/O thread of this JavaScript thread. All copies of the module that the JavaScript thread has
    /// loaded (`jest.resetModules()`) own it together, so this is weak. It holds no JavaScript handle.
    static CURRENT: RefCell<Weak<IoThread>> = const { RefCell::new(Weak::new()) };
}

/// Queues that have to hear of a failure of the thread; `None` after it.
type Queues = Mutex<Option<Vec<Weak<Completions>>>>;

/// Running I/O thread. It is ended and joined when its last owner drops it.
pub struct IoThread {
    mailbox: Arc<Mailbox>,
    queues: Arc<Queues>,
    handle: Option<JoinHandle<()>>,
}

impl IoThread {
    /// Gives the I/O thread of the calling JavaScript thread, which serves `completions` from now on. It is
    /// started if there is none, or if it has failed.
    ///
    /// # Errors
    /// Fails when the system has no thread or no descriptor left.
    pub fn serving(completions: &Arc<Completions>) -> io::Result<Arc<Self>> {
        CURRENT.with_borrow_mut(|current| {
            if let Some(thread) = current.upgrade()
                && thread.attach(completions)
            {
                return Ok(thread);
            }
            let thread = Arc::new(Self::start()?);
            *current = Arc::downgrade(&thread);
            // A new thread has nothing to do yet, so nothing can have made it fail.
            thread.attach(completions);
            Ok(thread)
        })
    }

    /// Gives the mailbox, which takes messages for the thread.
    pub fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Gives a mailbox that may outlive the thread. Messages put there then stay there.
    pub fn shared_mailbox(&self) -> Arc<Mailbox> {
        self.mailbox.clone()
    }

    /// Registers a queue that has to hear of a failure. Returns false if the thread has failed already.
    fn attach(&self, completions: &Arc<Completions>) -> bool {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(queues) = queues.as_mut() else {
            return false;
        };
        queues.retain(|queue| queue.strong_count() > 0);
        queues.push(Arc::downgrade(completions));
        true
    }

    fn start() -> io::Result<Self> {
        let mailbox = Arc::new(Mailbox::default());
        let queues = Arc::new(Mutex::new(Some(Vec::new())));
        let shared = (mailbox.clone(), queues.clone());
        // The caller reports errors of the runtime, which is made on the new thread.
        let (report, outcome) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("ferrequest-io".into());
        let handle = thread.spawn(move || {
            let (mailbox, queues) = shared;
            if catch_unwind(AssertUnwindSafe(|| run(&mailbox, &report))).is_err() {
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
            // Every queue has heard of a panic of the thread already.
            let _ = handle.join();
        }
    }
}

thread_local! {
    /// The connections of this I/O thread, and the messages that it carries out next.
    static REGISTRY: RefCell<(Registry, Vec<Message>)> = RefCell::default();
}

/// Makes the runtime of an I/O thread, with the hooks that its connections need.
pub fn configure(builder: &mut Builder, mailbox: &Arc<Mailbox>) -> io::Result<LocalRuntime> {
    let (parked, unparked) = (mailbox.clone(), mailbox.clone());
    builder
        .enable_io()
        // The pages are as large, and the wakes as few, as they can be without a delay, if the thread
        // publishes when it is about to sleep.
        .on_thread_park(move || {
            flush_all();
            parked.sleep.begin();
        })
        // Commands come before the news that has woken the thread: JavaScript may have paused, or closed,
        // the connection that there is news of.
        .on_thread_unpark(move || {
            unparked.sleep.end();
            carry_out(&unparked);
        })
        .build_local(LocalOptions::default())
}

/// Carries out the messages that JavaScript has handed over.
fn carry_out(mailbox: &Mailbox) {
    REGISTRY.with_borrow_mut(|(registry, messages)| {
        mailbox.collect(messages);
        if !messages.is_empty() {
            registry.handle(messages);
        }
    });
}

fn run(mailbox: &Arc<Mailbox>, report: &std::sync::mpsc::SyncSender<io::Result<()>>) {
    let runtime = match configure(&mut Builder::new_current_thread(), mailbox) {
        Ok(runtime) => runtime,
        Err(error) => return drop(report.send(Err(error))),
    };
    // The receiver waits for this, so it cannot fail.
    let _ = report.send(Ok(()));
    runtime.block_on(async {
        while mailbox.has_messages().await {
            carry_out(mailbox);
        }
        // Dropped inside the runtime, to which the sockets belong.
        REGISTRY.take();
    });
}

/// Tells every queue that the thread is lost.
fn fail_all(queues: &Queues) {
    let queues = queues.lock().unwrap_or_else(PoisonError::into_inner).take();
    for completions in queues.iter().flatten().filter_map(Weak::upgrade) {
        let mut page = Vec::new();
        records::push(&mut page, event::FAILED, 0, records::EVERY_CONNECTION, &[]);
        completions.publish(&mut page);
    }
}
