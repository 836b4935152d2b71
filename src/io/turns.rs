//! Turns for what takes the I/O thread long: a step of a handshake, in which OpenSSL makes keys or verifies a chain.
//!
//! The runtime polls the tasks that are ready one after the other, and looks between two such rounds for messages of
//! JavaScript's and for news of the kernel. A step takes as long as dozens of reads. So there is one in each round: neither a
//! message nor another connection waits for many.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use tokio::task::yield_now;

thread_local! {
    static ROUND: RefCell<Round> = const { RefCell::new(Round::new()) };
}

/// Number of a task in the order in which they came.
type Place = u64;

/// The running round of this thread, and the tasks that wait for a later one.
struct Round {
    /// A task has taken the turn, and the runtime has the waker that begins the next round.
    is_taken: bool,
    /// The task that was woken to take the turn, and has not come yet. Nobody else may take it.
    called: Option<Place>,
    waiting: VecDeque<(Place, Waker)>,
    next_place: Place,
}

impl Round {
    const fn new() -> Self {
        Self {
            is_taken: false,
            called: None,
            waiting: VecDeque::new(),
            next_place: 0,
        }
    }

    /// Calls the task that has waited longest. Gives its waker.
    fn call_next(&mut self) -> Option<Waker> {
        let next = self.waiting.pop_front();
        self.called = next.as_ref().map(|&(place, _)| place);
        next.map(|(_, waker)| waker)
    }
}

/// Changes the round, and wakes the task that the change has called, if any.
fn change(change: impl FnOnce(&mut Round) -> Option<Waker>) {
    // At the end of the thread there is nobody to call.
    let called = ROUND.try_with(|round| change(&mut round.borrow_mut()));
    called.into_iter().flatten().for_each(Waker::wake);
}

/// Waker that the runtime has until the next round. Its end begins that round, so also a runtime that ends before does.
struct NextRound;

impl Wake for NextRound {
    fn wake(self: Arc<Self>) {}
}

impl Drop for NextRound {
    fn drop(&mut self) {
        change(|round| {
            round.is_taken = false;
            round.call_next()
        });
    }
}

/// A task's way to its turns. It ends with the task: nobody waits for one that is gone.
#[derive(Default)]
pub struct Turns {
    /// Its place, while it waits or is called.
    place: Option<Place>,
}

impl Turns {
    /// Takes the turn of this round. Gives `false` if another task has it: the task of `context` is called when it is its
    /// turn. The thread does not sleep before.
    pub fn take(&mut self, context: &mut Context<'_>) -> bool {
        let is_admitted = ROUND.with_borrow_mut(|round| {
            let is_admitted = match self.place {
                Some(place) => round.called == Some(place),
                None => !round.is_taken && round.called.is_none(),
            };
            if is_admitted {
                round.is_taken = true;
                round.called = None;
                self.place = None;
            } else if self.place.is_none() {
                round.next_place += 1;
                self.place = Some(round.next_place);
                let waiting = (round.next_place, context.waker().clone());
                round.waiting.push_back(waiting);
            }
            is_admitted
        });
        if is_admitted {
            await_round(&mut Context::from_waker(&Waker::from(Arc::new(NextRound))));
        }
        is_admitted
    }

    /// Passes the turn on if the task was called and has not taken it. The task does so at the end of each poll.
    pub fn pass_on(&mut self) {
        if self.place.is_some() && ROUND.with_borrow(|round| round.called == self.place) {
            self.leave();
        }
    }

    /// Gives up the place. If the task was called, the one behind it is.
    fn leave(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        change(|round| {
            round.waiting.retain(|&(other, _)| other != place);
            match round.called == Some(place) {
                true => round.call_next(),
                false => None,
            }
        });
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Has the runtime call the waker of `context` between this round and the next.
fn await_round(context: &mut Context<'_>) {
    // The future is pending when it is polled first, and has left the waker with the runtime then.
    let _ = pin!(yield_now()).poll(context);
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::rc::Rc;
    use std::task::Poll;

    use tokio::runtime::{Builder, LocalOptions};
    use tokio::task::{JoinHandle, spawn_local};

    use super::*;

    type Log = Rc<RefCell<Vec<&'static str>>>;

    fn run<T>(work: impl Future<Output = T>) -> T {
        Builder::new_current_thread()
            .build_local(LocalOptions::default())
            .unwrap()
            .block_on(work)
    }

    /// Takes several turns, and logs each.
    fn spawn(name: &'static str, count: usize, log: &Log) -> JoinHandle<()> {
        let log = log.clone();
        spawn_local(async move {
            let mut turns = Turns::default();
            for _ in 0..count {
                poll_fn(|context| match turns.take(context) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                })
                .await;
                log.borrow_mut().push(name);
            }
        })
    }

    #[test]
    fn other_tasks_run_between_two_turns() {
        let log = Log::default();
        run(async {
            let tasks = [spawn("step", 3, &log), {
                let log = log.clone();
                spawn_local(async move {
                    for _ in 0..2 {
                        log.borrow_mut().push("other");
                        yield_now().await;
                    }
                })
            }];
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*log.borrow(), ["step", "other", "other", "step", "step"]);
    }

    #[test]
    fn tasks_have_their_turns_in_the_order_in_which_they_came() {
        let log = Log::default();
        run(async {
            let mut tasks = Vec::new();
            for name in ["a", "b", "c", "d"] {
                tasks.push(spawn(name, 1, &log));
            }
            // Others come while these wait.
            yield_now().await;
            for name in ["e", "f"] {
                tasks.push(spawn(name, 1, &log));
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*log.borrow(), ["a", "b", "c", "d", "e", "f"]);
    }

    #[test]
    fn more_tasks_than_the_runtime_polls_in_one_round_have_their_turns() {
        const TASKS: usize = 500;
        let log = Log::default();
        run(async {
            let tasks = [(); TASKS].map(|()| spawn("a", 3, &log));
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(log.borrow().len(), 3 * TASKS);
    }

    #[test]
    fn the_turn_of_a_task_that_has_ended_passes_to_the_one_behind_it() {
        let log = Log::default();
        run(async {
            let tasks = ["a", "b", "c"].map(|name| spawn(name, 1, &log));
            yield_now().await;
            assert_eq!(*log.borrow(), ["a"]);
            // The runtime has called it by now.
            tasks[1].abort();
            for task in tasks {
                let _ = task.await;
            }
        });
        assert_eq!(*log.borrow(), ["a", "c"]);
    }

    #[test]
    fn a_task_that_does_not_come_passes_the_turn_on() {
        let log = Log::default();
        run(async {
            let first = spawn("a", 1, &log);
            let idle = spawn_local(async {
                let mut turns = Turns::default();
                let mut polls = 0;
                poll_fn(|context| {
                    polls += 1;
                    if polls == 1 {
                        assert!(!turns.take(context));
                    }
                    turns.pass_on();
                    match polls {
                        2 => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                })
                .await;
            });
            let last = spawn("b", 1, &log);
            for task in [first, idle, last] {
                task.await.unwrap();
            }
        });
        assert_eq!(*log.borrow(), ["a", "b"]);
    }

    #[test]
    fn a_runtime_that_ends_leaves_the_turn_to_the_next() {
        let take = || {
            run(poll_fn(|context| {
                Poll::Ready(Turns::default().take(context))
            }))
        };
        assert!(take());
        assert!(take());
    }
}
