use super::*;
use crate::agent_state::AgentState;
use crate::facts::Machine;
use crate::homeassistant::Observation;
use crate::host::Measurements;
use crate::journal::JournalLimits;
use crate::state_dir::{Durability, StateDir};
use kaliun_proto::link::v1::DeviceEvent;
use prost::Message;

/// A machine whose Home Assistant is there for the first readings of each ten, and whose probes take a second.
#[derive(Default)]
struct ScriptedHost {
    readings: u32,
}

impl Host for ScriptedHost {
    fn boot_id(&self) -> String {
        "boot".to_owned()
    }

    fn machine(&mut self) -> Machine {
        Machine { cpu_count: 2, ..Machine::default() }
    }

    fn measure(&mut self) -> Measurements {
        Measurements { uptime_seconds: Some(f64::from(self.readings)), ..Measurements::default() }
    }

    async fn observe_home_assistant(&mut self) -> Observation {
        self.readings += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if self.readings % 10 < 5 {
            Observation::Unverified
        } else {
            Observation::Unreachable { message: "Gone.".to_owned() }
        }
    }
}

struct Fixture {
    journal: Journal,
    published: Published,
    clock: Clock,
    _state: watch::Receiver<AgentState>,
    _folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let state_dir = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let journal = Journal::open(&state_dir, JournalLimits::default(), "boot", Default::default()).unwrap();
    let (sender, state) = watch::channel(AgentState::default());
    Fixture { journal, clock: Clock::default(), published: Published::new(sender), _state: state, _folder: folder }
}

impl Fixture {
    fn measuring(&self, interval: watch::Receiver<Duration>) -> Measuring<'_, ScriptedHost> {
        Measuring {
            host: ScriptedHost::default(),
            journal: &self.journal,
            published: &self.published,
            home_assistant: HomeAssistantView::default(),
            clock: &self.clock,
            interval,
        }
    }

    fn taken(&self) -> u64 {
        self.journal.position(Class::Samples).pending()
    }

    fn event_codes(&self) -> Vec<String> {
        let batch = self.journal.read_after(Class::Events, 0, 10_000).unwrap();
        let payloads = batch.map(|batch| batch.payloads).unwrap_or_default();
        payloads.iter().map(|payload| DeviceEvent::decode(payload.as_slice()).unwrap().code).collect()
    }
}

async fn for_seconds(seconds: u64, future: &mut (impl Future<Output = ()> + Unpin)) {
    let ended = tokio::time::timeout(Duration::from_secs(seconds), future).await;
    assert!(ended.is_err(), "measuring never ends");
}

#[tokio::test(start_paused = true)]
async fn readings_keep_their_pace_however_long_a_probe_takes() {
    let fixture = fixture();
    let (interval, receiver) = watch::channel(Duration::from_secs(15));
    let mut measuring = Box::pin(fixture.measuring(receiver).run(Duration::from_secs(3)));
    for_seconds(2, &mut measuring).await;
    assert_eq!(fixture.taken(), 0);
    for_seconds(50, &mut measuring).await;
    // At 3, 18, 33 and 48 s, each with a probe of 1 s.
    assert_eq!(fixture.taken(), 4);
    // A shorter interval does not wait for the longer one to pass.
    interval.send_replace(Duration::from_secs(5));
    for_seconds(7, &mut measuring).await;
    assert_eq!(fixture.taken(), 5);
    for_seconds(50, &mut measuring).await;
    assert_eq!(fixture.taken(), 15);
}

#[tokio::test(start_paused = true)]
async fn home_assistant_going_and_coming_are_events() {
    let fixture = fixture();
    let (_interval, receiver) = watch::channel(Duration::from_secs(15));
    let mut measuring = Box::pin(fixture.measuring(receiver).run(Duration::ZERO));
    for_seconds(15 * 20, &mut measuring).await;
    assert_eq!(fixture.event_codes(), ["ha.offline", "ha.online", "ha.offline", "ha.online"]);
}
