//! What goes to a watcher, of devices or of the audit: a short queue, and an end that does not stand in it.
//!
//! A watcher that does not read is ended, and what waits for it is thrown away with its watch. So it keeps neither a place nor
//! memory, and one that may not watch any more gets nothing more that was meant for it before.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tonic::Status;

/// Messages that wait to be sent. Enough for one write to carry several; a device is about 1 kB, 30 kB at the very most, and all
/// of this is once for each watch.
const MESSAGES_MAX: usize = 16;
/// What one look brings, a page at the most, is taken within this time: 500 kB for 500 devices, which a poor line of 200 kbit/s
/// carries. With the look after it, it stays below the 30 s within which the contract promises to ask again who may watch.
const TAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// The server's end.
pub(crate) struct Outlet<T> {
    messages: mpsc::Sender<T>,
    /// Weak, so that the queue goes with the watcher.
    queue: Weak<Queue<T>>,
    end: oneshot::Sender<Status>,
}

/// The watcher's end, which the connection reads as it has room for more.
pub(crate) struct Answers<T> {
    queue: Arc<Queue<T>>,
    end: Option<oneshot::Receiver<Status>>,
}

/// Reachable from both ends: the connection does not look at it while the watcher does not read.
struct Queue<T> {
    messages: Mutex<Option<mpsc::Receiver<T>>>,
}

/// Why messages were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The watcher is gone.
    Gone,
    /// It does not read, or too slowly.
    TooSlow,
}

/// Makes both ends.
pub(crate) fn outlet<T>() -> (Outlet<T>, Answers<T>) {
    let (messages, receiver) = mpsc::channel(MESSAGES_MAX);
    let (end, ended) = oneshot::channel();
    let queue = Arc::new(Queue { messages: Mutex::new(Some(receiver)) });
    let outlet = Outlet { messages, queue: Arc::downgrade(&queue), end };
    (outlet, Answers { queue, end: Some(ended) })
}

impl<T> Outlet<T> {
    /// Says what one look brought. Returns when the last of it is in the queue.
    pub(crate) async fn say(&self, messages: Vec<T>) -> Result<(), NotTaken> {
        let said = async {
            for message in messages {
                self.messages.send(message).await.map_err(|_gone| NotTaken::Gone)?;
            }
            Ok(())
        };
        tokio::time::timeout(TAKE_TIMEOUT, said).await.unwrap_or(Err(NotTaken::TooSlow))
    }

    /// Waits until the watcher is gone.
    pub(crate) async fn closed(&self) {
        self.messages.closed().await;
    }

    /// Ends the watch at once. What was said and is not on its way yet is not sent any more.
    pub(crate) fn end(self, status: Status) {
        if let Some(queue) = self.queue.upgrade() {
            queue.messages().take();
        }
        // An error says that the watcher is gone.
        let _gone = self.end.send(status);
    }
}

impl<T> Queue<T> {
    fn messages(&self) -> MutexGuard<'_, Option<mpsc::Receiver<T>>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Stream for Answers<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(end) = &mut self.end {
            match Pin::new(end).poll(context) {
                Poll::Ready(Ok(status)) => {
                    self.end = None;
                    return Poll::Ready(Some(Err(status)));
                }
                // The server stops: what was said goes out, and then the stream ends.
                Poll::Ready(Err(_nothing_to_say)) => self.end = None,
                Poll::Pending => {}
            }
        }
        match &mut *self.queue.messages() {
            Some(messages) => messages.poll_recv(context).map(|message| message.map(Ok)),
            None => Poll::Ready(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::fleet::v1::WatchResponse;
    use tokio_stream::StreamExt;
    use tonic::Code;

    fn messages(count: usize) -> Vec<WatchResponse> {
        let message = |number: usize| WatchResponse { subscription_id: number.to_string(), message: None };
        (0..count).map(message).collect()
    }

    async fn next_code(answers: &mut Answers<WatchResponse>) -> Option<Code> {
        answers.next().await.map(|answer| answer.map_or_else(|status| status.code(), |_| Code::Ok))
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_ended_and_what_waits_is_thrown_away() {
        let (outlet, mut answers) = outlet();
        assert_eq!(outlet.say(messages(MESSAGES_MAX)).await, Ok(()), "there is room for these");
        let began = tokio::time::Instant::now();
        assert_eq!(outlet.say(messages(1)).await, Err(NotTaken::TooSlow));
        assert_eq!(began.elapsed(), TAKE_TIMEOUT);
        let queue = Weak::clone(&outlet.queue);
        outlet.end(Status::unavailable("not read"));
        assert!(queue.upgrade().is_some_and(|queue| queue.messages().is_none()), "the watcher has not looked since");
        assert_eq!(next_code(&mut answers).await, Some(Code::Unavailable));
        assert_eq!(next_code(&mut answers).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_gets_everything_in_order() {
        let (outlet, answers) = outlet();
        let said = async {
            assert_eq!(outlet.say(messages(100)).await, Ok(()));
            drop(outlet);
        };
        let (heard, ()) =
            tokio::join!(answers.map(|answer| answer.map_err(|_| "an end")).collect::<Result<Vec<_>, _>>(), said);
        assert_eq!(heard, Ok(messages(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_told_to_one_who_waits() {
        let (outlet, mut answers) = outlet();
        let ended = async { outlet.end(Status::unauthenticated("it has ended")) };
        let (code, ()) = tokio::join!(next_code(&mut answers), ended);
        assert_eq!(code, Some(Code::Unauthenticated));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watcher_that_went_away_is_noticed() {
        let (outlet, answers) = outlet::<WatchResponse>();
        drop(answers);
        outlet.closed().await;
        assert_eq!(outlet.say(messages(1)).await, Err(NotTaken::Gone));
    }
}
