//! One certificate after the other for each holder, in the order in which they were asked for.
//!
//! Two doses of one holder go into one folder. Registered in order they get their places in
//! order, and do not fight over the folder's version. Other processes are not seen here; against
//! them the folder's version guards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// The queues, one for each HCID that someone waits for.
#[derive(Debug, Clone, Default)]
pub(crate) struct HolderQueue {
    tails: Arc<Mutex<HashMap<String, Tail>>>,
}

#[derive(Debug)]
struct Tail {
    number: u64,
    finished: oneshot::Receiver<()>,
}

/// A place in a queue. Dropping it lets the next one go.
#[derive(Debug)]
pub(crate) struct Ticket {
    queue: HolderQueue,
    hcid: String,
    number: u64,
    before: Option<oneshot::Receiver<()>>,
    _finished: oneshot::Sender<()>,
}

impl HolderQueue {
    /// Takes the next place for this holder, at once.
    pub(crate) fn ticket(&self, hcid: &str) -> Ticket {
        let (sender, receiver) = oneshot::channel();
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = tails.remove(hcid);
        let number = previous.as_ref().map_or(0, |tail| tail.number + 1);
        tails.insert(
            hcid.to_owned(),
            Tail {
                number,
                finished: receiver,
            },
        );
        Ticket {
            queue: self.clone(),
            hcid: hcid.to_owned(),
            number,
            before: previous.map(|tail| tail.finished),
            _finished: sender,
        }
    }
}

impl Ticket {
    /// Waits until everyone before is done.
    pub(crate) async fn turn(&mut self) {
        if let Some(before) = self.before.take() {
            // An error says that the ticket before was dropped, which is how it ends.
            let _ = before.await;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut tails = self
            .queue
            .tails
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if tails
            .get(&self.hcid)
            .is_some_and(|tail| tail.number == self.number)
        {
            tails.remove(&self.hcid);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test]
    async fn goes_in_the_order_of_the_tickets_and_leaves_nothing_behind() {
        let queue = HolderQueue::default();
        let done = Mutex::new(Vec::new());
        let tickets: Vec<(usize, Ticket)> = (0..5).map(|n| (n, queue.ticket("one"))).collect();
        let done = &done;
        let work = tickets
            .into_iter()
            .rev()
            .map(|(number, mut ticket)| async move {
                ticket.turn().await;
                tokio::task::yield_now().await;
                done.lock().unwrap().push(number);
            });
        futures::future::join_all(work).await;
        assert_eq!(*done.lock().unwrap(), [0, 1, 2, 3, 4]);
        assert!(queue.tails.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn holders_do_not_wait_for_each_other() {
        let queue = HolderQueue::default();
        let _first = queue.ticket("one");
        queue.ticket("other").turn().await;
    }
}
