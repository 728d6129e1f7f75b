//! The tab that holds the stream for all tabs of this browser.

use super::Live;
use super::tab_message::TabMessage;
use crate::api::watch;
use crate::browser;
use crate::model::backoff::wait_ms;
use crate::model::by_id::ById;
use crate::model::failure::Failure;
use crate::model::freshness::{Phase, SILENCE_MAX_MS};
use crate::model::picture::Picture;
use crate::model::subscription::Wanted;
use futures_util::future::{AbortHandle, Either, abortable, select};
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::{WatchRequest, WatchResponse};

/// What the leading tab knows beyond what every tab knows.
#[derive(Default)]
pub(crate) struct Leader {
    wanted: Wanted,
    /// What the open stream asked for.
    request: Option<WatchRequest>,
    /// Ends the task that reads the stream.
    task: Option<AbortHandle>,
    /// By subscription id: what has come, to be told to tabs that come later. Holds only what is asked for.
    pictures: ById<Picture>,
    /// Subscriptions that a tab joined while their present state was coming: it is told again when it is complete.
    owed: Vec<String>,
}

impl Leader {
    /// Takes what a tab follows from now on. Says whether that tab is new here.
    pub(crate) fn want(&mut self, live: Live, tab: &str, request: WatchRequest) -> bool {
        let ids: Vec<String> = request.subscriptions.iter().map(|subscription| subscription.id.clone()).collect();
        let is_new = self.wanted.set(tab, request.subscriptions);
        if !self.reopen_if_changed(live) {
            for id in ids {
                self.tell_again(live, id);
            }
        }
        is_new
    }

    /// Forgets a tab that is gone.
    pub(crate) fn gone(&mut self, live: Live, tab: &str) {
        self.wanted.remove(tab);
        self.reopen_if_changed(live);
    }

    /// Opens the stream anew at once, for example when the network is back.
    pub(crate) fn reopen(&mut self, live: Live) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        let Some(request) = self.request.clone() else {
            self.pictures = ById::default();
            live.set_phase(Phase::Idle);
            return;
        };
        let ids: Vec<&str> = request.subscriptions.iter().map(|subscription| subscription.id.as_str()).collect();
        self.pictures.retain(|id, _| ids.contains(&id));
        self.owed.retain(|id| ids.contains(&id.as_str()));
        let (task, handle) = abortable(read(live, request));
        self.task = Some(handle);
        leptos::task::spawn_local(async move {
            // Aborted when the subscriptions change; the next task goes on.
            let _ended = task.await;
        });
    }

    fn reopen_if_changed(&mut self, live: Live) -> bool {
        let request = self.wanted.request();
        if request == self.request {
            return false;
        }
        self.request = request;
        self.reopen(live);
        true
    }

    fn tell_again(&mut self, live: Live, id: String) {
        let messages = self.pictures.get(&id).map(Picture::messages).unwrap_or_default();
        if messages.is_empty() {
            if !self.owed.contains(&id) {
                self.owed.push(id);
            }
            return;
        }
        for message in messages {
            let response = WatchResponse { subscription_id: id.clone(), message: Some(message) };
            live.tell_all(TabMessage::Frame(Box::new(response)));
        }
    }

    fn restart(&mut self) {
        for picture in self.pictures.values_mut() {
            picture.restart();
        }
    }

    fn take(&mut self, live: Live, response: &WatchResponse) {
        let Some(message) = response.message.clone() else {
            return;
        };
        if matches!(message, Message::KeepAlive(_)) {
            return;
        }
        let is_complete = matches!(message, Message::CaughtUp(_));
        let id = &response.subscription_id;
        match self.pictures.get_mut(id) {
            Some(picture) => {
                picture.apply(message);
            }
            None => {
                let mut picture = Picture::default();
                picture.apply(message);
                self.pictures.set(id, picture);
            }
        }
        if is_complete && self.owed.contains(id) {
            self.owed.retain(|owed| owed != id);
            self.tell_again(live, id.clone());
        }
    }
}

/// Reads the stream for as long as the request holds, opening it again whenever it breaks.
async fn read(live: Live, mut request: WatchRequest) {
    let mut attempt = 0;
    live.set_phase(Phase::Opening);
    loop {
        match read_once(live, &request, &mut attempt).await {
            Failure::SignedOut => {
                live.set_phase(Phase::Idle);
                return live.session_ended();
            }
            Failure::Refused(_) | Failure::NotNow(_) | Failure::NotFound(_) | Failure::Denied(_) => {
                leave_out_refused(live, &mut request).await;
                if request.subscriptions.is_empty() {
                    return live.set_phase(Phase::Idle);
                }
            }
            Failure::Unreachable | Failure::Unexpected(_) => {}
        }
        live.set_phase(Phase::Broken);
        TimeoutFuture::new(wait_ms(attempt, browser::random())).await;
        attempt = attempt.saturating_add(1);
    }
}

/// The server refused the request as a whole. One bad subscription must not stop the others, so each is tried alone; what is
/// refused is left out, and the tabs are told. At most 32 short calls, one after another.
async fn leave_out_refused(live: Live, request: &mut WatchRequest) {
    let mut accepted = Vec::new();
    for subscription in std::mem::take(&mut request.subscriptions) {
        let alone = WatchRequest { subscriptions: vec![subscription.clone()] };
        match within(Box::pin(watch::open(alone))).await {
            Ok(Err(
                failure @ (Failure::Refused(_) | Failure::NotNow(_) | Failure::NotFound(_) | Failure::Denied(_)),
            )) => {
                live.tell_all(TabMessage::Refused { id: subscription.id, sentence: failure.sentence() });
            }
            Ok(_) | Err(_) => accepted.push(subscription),
        }
    }
    request.subscriptions = accepted;
}

/// Reads one stream to its end and says why it ended.
async fn read_once(live: Live, request: &WatchRequest, attempt: &mut u32) -> Failure {
    let opened = within(Box::pin(watch::open(request.clone()))).await;
    let mut stream = match opened {
        Ok(Ok(stream)) => stream,
        Ok(Err(failure)) => return failure,
        Err(silent) => return silent,
    };
    live.with_leader(|leader| leader.restart());
    live.tell_all(TabMessage::Restart);
    loop {
        match within(Box::pin(watch::next(&mut stream))).await {
            Ok(Ok(Some(response))) => {
                *attempt = 0;
                live.set_phase(Phase::Live);
                live.with_leader(|leader| leader.take(live, &response));
                live.tell_all(TabMessage::Frame(Box::new(response)));
            }
            Ok(Ok(None)) => return Failure::Unreachable,
            Ok(Err(failure)) => return failure,
            Err(silent) => return silent,
        }
    }
}

/// Waits for something, but not longer than the server may be silent.
async fn within<T>(future: impl Future<Output = T> + Unpin) -> Result<T, Failure> {
    match select(future, TimeoutFuture::new(SILENCE_MAX_MS)).await {
        Either::Left((value, _)) => Ok(value),
        Either::Right(((), _)) => Err(Failure::Unreachable),
    }
}
