//! The measuring side of the agent: reads the machine at a steady pace, online or not.

use crate::clock::Clock;
use crate::facts::facts;
use crate::homeassistant::HomeAssistantView;
use crate::host::Host;
use crate::journal::{Class, Journal};
use crate::published::Published;
use crate::sample::{HealthHistory, SpoolFigures};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Reads one machine and writes down what it saw.
#[derive(Debug)]
pub(crate) struct Measuring<'a, H> {
    /// The machine.
    pub(crate) host: H,
    /// Where readings and events go.
    pub(crate) journal: &'a Journal,
    /// Where the newest reading is shown.
    pub(crate) published: &'a Published,
    /// What is known of Home Assistant.
    pub(crate) home_assistant: HomeAssistantView,
    /// What time it is.
    pub(crate) clock: &'a Clock,
    /// Time between two readings; may change.
    pub(crate) interval: watch::Receiver<Duration>,
}

impl<H: Host> Measuring<'_, H> {
    /// Measures for ever, the first time after so long.
    pub(crate) async fn run(mut self, first_after: Duration) {
        let mut history = HealthHistory::default();
        let mut next = Instant::now() + first_after;
        let mut interval_may_change = true;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => {
                    self.measure(&mut history).await;
                    let interval = *self.interval.borrow();
                    // Readings that were missed, in a suspended machine for example, are not made up for.
                    next = (next + interval).max(Instant::now() + interval / 2);
                }
                changed = self.interval.changed(), if interval_may_change => {
                    interval_may_change = changed.is_ok();
                    next = next.min(Instant::now() + *self.interval.borrow());
                }
            }
        }
    }

    async fn measure(&mut self, history: &mut HealthHistory) {
        let observation = self.host.observe_home_assistant().await;
        let now = self.clock.now_ms();
        if let Some(transition) = self.home_assistant.observe(observation, now) {
            tracing::info!(reason = %transition.reason, "home assistant changed");
            let appended = self.journal.append_event(now, transition.reason, &transition.message).await;
            report(appended.err());
            self.published.spool(self.journal, Class::Events);
        }
        let machine = self.host.machine();
        if self.journal.set_facts(facts(&machine, &self.home_assistant)) {
            tracing::debug!("facts changed");
        }
        let measured = self.host.measure();
        let position = self.journal.position(Class::Samples);
        let spool = SpoolFigures { dropped: position.dropped, pending: position.pending() };
        let (answers, certificate) = (self.home_assistant.answers(), self.published.certificate());
        let sample = history.sample(now, &measured, machine.cpu_count, answers, certificate, spool);
        report(self.journal.append_sample(&sample).err());
        self.published.sample(&sample);
        self.published.spool(self.journal, Class::Samples);
    }
}

/// A full disk must not end the agent: what could not be written is counted, and said.
fn report(error: Option<crate::spool::SpoolError>) {
    if let Some(error) = error {
        tracing::error!(error = %crate::link::transport::with_sources(&error), "an item could not be spooled and is lost");
    }
}

#[cfg(test)]
mod tests;
