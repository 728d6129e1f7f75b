//! Tells whatever goes on for long, such as a watch, that somebody's rights may be others now: a session that was ended, a role that changed,
//! a consent that is over. A hint: whoever hears it asks the rows.

use crate::tasks::Tasks;
use crate::wakeups::Wakeup;
use kaliun_store::{Principal, SystemStore};
use kaliun_types::id::{AccountId, ApiTokenId};
use tokio::sync::broadcast;

/// Most hints that a listener may be behind. One that is further behind asks in any case.
const BACKLOG: usize = 256;

/// Whose rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// A person's.
    Account(AccountId),
    /// A token's.
    ApiToken(ApiTokenId),
}

impl Holder {
    /// Of somebody who is signed in.
    pub(crate) fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Person(person) => Self::Account(person.account),
            Principal::ApiToken { id, .. } => Self::ApiToken(*id),
        }
    }

    /// As it is told to other replicas.
    pub(crate) fn encode(self) -> String {
        match self {
            Self::Account(account) => format!("account {account}"),
            Self::ApiToken(token) => format!("api-token {token}"),
        }
    }

    /// None for what a newer version says.
    pub(crate) fn decode(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "account" => Some(Self::Account(id.parse().ok()?)),
            "api-token" => Some(Self::ApiToken(id.parse().ok()?)),
            _ => None,
        }
    }
}

/// The place where changes of rights are told.
#[derive(Clone)]
pub(crate) struct Rights {
    sender: broadcast::Sender<Holder>,
    tasks: Tasks,
    store: SystemStore,
}

impl Rights {
    pub(crate) fn new(tasks: Tasks, store: SystemStore) -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG), tasks, store }
    }

    /// Listens from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Holder> {
        self.sender.subscribe()
    }

    /// Tells that a person's rights may be others now, here at once and at the other replicas within a moment.
    pub(crate) async fn changed(&self, account: AccountId) {
        self.tell(Holder::Account(account)).await;
    }

    /// The same of a token's.
    pub(crate) async fn token_changed(&self, token: ApiTokenId) {
        self.tell(Holder::ApiToken(token)).await;
    }

    /// Another replica told.
    pub(crate) fn heard(&self, holder: Holder) {
        // An error says that nobody listens, which is fine.
        let _nobody = self.sender.send(holder);
    }

    async fn tell(&self, holder: Holder) {
        self.heard(holder);
        let store = self.store.clone();
        // By itself: whoever made the change may hang up, and the others are told all the same.
        let (say, said) = tokio::sync::oneshot::channel();
        self.tasks.spawn_small(async move {
            if let Err(error) = store.wake(&Wakeup::Rights(holder).encode()).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "other replicas were not told of changed rights; they find out within seconds");
            }
            let _nobody_waits = say.send(());
        });
        let _stopping = said.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_reads_back() {
        for holder in [Holder::Account(AccountId::new()), Holder::ApiToken(ApiTokenId::new())] {
            let text = holder.encode();
            let (kind, id) = text.split_once(' ').unwrap();
            assert_eq!(Holder::decode(kind, id), Some(holder));
        }
        assert_eq!(Holder::decode("robot", "x"), None);
        assert_eq!(Holder::decode("account", "x"), None);
    }
}
