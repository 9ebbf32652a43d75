//! A task that polls on when it has woken itself. The body of a request reaches its handler by a channel inside the task of the connection,
//! so that every message wakes its own task while that runs; the runtime takes this for a task that gives way to others, queues it, and wakes
//! another thread to look for it. On two processors that is a tenth of a check-in.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// After so many polls in a row the others get their turn.
const MOST: usize = 8;

/// It is being polled: whoever wakes it need not wake the task.
const POLLED: u8 = 1;
/// It was woken since its last poll began.
const WOKEN: u8 = 2;

/// The future of such a task.
pub struct Again<F> {
    future: Pin<Box<F>>,
    bell: Arc<Bell>,
    waker: Waker,
}

struct Bell {
    state: AtomicU8,
    task: Mutex<Option<Waker>>,
}

impl<F: Future> Again<F> {
    /// Wraps the whole of a task.
    pub fn new(future: F) -> Self {
        let bell = Arc::new(Bell {
            state: AtomicU8::new(0),
            task: Mutex::default(),
        });
        Self {
            future: Box::pin(future),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        }
    }
}

impl<F: Future> Future for Again<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.bell.belongs_to(cx.waker());
        for _ in 0..MOST {
            this.bell.state.store(POLLED, Ordering::SeqCst);
            if let Poll::Ready(output) = this.future.as_mut().poll(&mut Context::from_waker(&this.waker)) {
                return Poll::Ready(output);
            }
            if this.bell.state.swap(0, Ordering::SeqCst) & WOKEN == 0 {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Bell {
    fn belongs_to(&self, waker: &Waker) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *task = Some(waker.clone());
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(WOKEN, Ordering::SeqCst) & POLLED == 0 {
            let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(task) = task {
                task.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Rung(AtomicUsize);

    impl Wake for Rung {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Wakes itself `left` times, then waits for somebody else; ready when it is polled after that.
    struct Wakes {
        left: usize,
        polls: Arc<AtomicUsize>,
        outside: Arc<Mutex<Option<Waker>>>,
    }

    impl Future for Wakes {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            self.polls.fetch_add(1, Ordering::SeqCst);
            if self.left > 0 {
                self.left -= 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut outside = self.outside.lock().unwrap();
            if outside.is_some() {
                return Poll::Ready(());
            }
            *outside = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    fn wakes(left: usize) -> (Again<Wakes>, Arc<AtomicUsize>, Arc<Mutex<Option<Waker>>>) {
        let (polls, outside) = (Arc::default(), Arc::default());
        let future = Wakes {
            left,
            polls: Arc::clone(&polls),
            outside: Arc::clone(&outside),
        };
        (Again::new(future), polls, outside)
    }

    #[test]
    fn it_polls_on_without_the_task_and_wakes_the_task_for_others() {
        let (mut future, polls, outside) = wakes(3);
        let rung = Arc::new(Rung::default());
        let task = Waker::from(Arc::clone(&rung));
        let mut cx = Context::from_waker(&task);
        assert!(Pin::new(&mut future).poll(&mut cx).is_pending());
        assert_eq!((polls.load(Ordering::SeqCst), rung.0.load(Ordering::SeqCst)), (4, 0));
        let waker = outside.lock().unwrap().clone().unwrap();
        waker.wake_by_ref();
        assert_eq!(rung.0.load(Ordering::SeqCst), 1, "between two polls the task is woken");
        assert!(Pin::new(&mut future).poll(&mut cx).is_ready());
    }

    #[test]
    fn others_get_their_turn() {
        let (mut future, polls, _) = wakes(1_000);
        let rung = Arc::new(Rung::default());
        let task = Waker::from(Arc::clone(&rung));
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&task)).is_pending());
        assert_eq!((polls.load(Ordering::SeqCst), rung.0.load(Ordering::SeqCst)), (MOST, 1));
    }

    #[test]
    fn it_belongs_to_the_task_that_polled_it_last() {
        let (mut future, _, outside) = wakes(0);
        let (first, second) = (Arc::new(Rung::default()), Arc::new(Rung::default()));
        for rung in [&first, &second] {
            let task = Waker::from(Arc::clone(rung));
            *outside.lock().unwrap() = None;
            assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&task)).is_pending());
        }
        outside.lock().unwrap().clone().unwrap().wake();
        assert_eq!(
            (first.0.load(Ordering::SeqCst), second.0.load(Ordering::SeqCst)),
            (0, 1)
        );
    }
}
