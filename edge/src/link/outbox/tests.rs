use super::*;
use crate::journal::JournalLimits;
use crate::state_dir::{Durability, StateDir};
use kaliun_proto::telemetry::v1::{Facts, SampleValues};
use kaliun_types::reason::ReasonCode;

struct Fixture {
    journal: Journal,
    _folder: tempfile::TempDir,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
    let journal = Journal::open(&state, JournalLimits::default(), "boot", Facts::default()).unwrap();
    Fixture { journal, _folder: folder }
}

impl Fixture {
    fn samples(&self, count: usize) {
        for _ in 0..count {
            let values = SampleValues { metrics: (1..=17).collect(), values: vec![0.5; 17] };
            self.journal.append_sample(&Sample { sampled_at_ms: 1, values: Some(values), health: None }).unwrap();
        }
    }

    fn begin(&self, welcome: &Welcome) -> Outbox {
        Outbox::begin(&self.journal, welcome, self.journal.facts_hash(), Instant::now()).unwrap()
    }

    fn next(&self, outbox: &mut Outbox) -> Option<Outgoing> {
        outbox.next(&self.journal, 0, Instant::now()).unwrap().map(|message| {
            assert!(message.encoded_len() <= LINK_MESSAGE_MAX_BYTES);
            message.message.unwrap()
        })
    }

    fn acknowledged(&self, class: Class, sequence: u64, credit_bytes: u32) -> Acknowledged {
        let spool_id = self.journal.position(class).spool_id.to_vec();
        Acknowledged { item_class: class.wire().into(), spool_id, sequence, credit_bytes }
    }
}

fn kind(message: Option<&Outgoing>) -> &'static str {
    match message {
        None => "nothing",
        Some(Outgoing::Hello(_)) => "hello",
        Some(Outgoing::Heartbeat(_)) => "heartbeat",
        Some(Outgoing::FactsReport(_)) => "facts",
        Some(Outgoing::SampleBatch(_)) => "samples",
        Some(Outgoing::EventBatch(_)) => "events",
        Some(Outgoing::SettingsApplied(_)) => "settings",
        Some(Outgoing::CertificateRequest(_)) => "certificate request",
        Some(Outgoing::TrustHeld(_)) => "trust",
    }
}

#[tokio::test]
async fn the_more_important_goes_first() {
    let fixture = fixture();
    fixture.samples(3);
    fixture.journal.append_event(1, ReasonCode::AgentStarted, "Started.").await.unwrap();
    let mut outbox = fixture.begin(&Welcome { send_facts: true, ..Welcome::default() });
    outbox.want_settings_applied(SettingsApplied::default());
    outbox.want_heartbeat();
    let order: Vec<&str> = std::iter::repeat_with(|| kind(fixture.next(&mut outbox).as_ref())).take(6).collect();
    assert_eq!(order, ["heartbeat", "settings", "facts", "events", "samples", "nothing"]);
    fixture.samples(1);
    outbox.want_heartbeat();
    assert_eq!(kind(fixture.next(&mut outbox).as_ref()), "heartbeat");
}

#[test]
fn changed_facts_are_told_once() {
    let fixture = fixture();
    let mut outbox = fixture.begin(&Welcome::default());
    assert_eq!(fixture.next(&mut outbox), None);
    assert!(fixture.journal.set_facts(Facts { hostname: "new".to_owned(), ..Facts::default() }));
    assert_eq!(kind(fixture.next(&mut outbox).as_ref()), "facts");
    assert_eq!(fixture.next(&mut outbox), None);
    outbox.want_facts();
    assert_eq!(kind(fixture.next(&mut outbox).as_ref()), "facts");
}

#[tokio::test(start_paused = true)]
async fn facts_that_flap_are_told_as_they_are_after_a_while() {
    let fixture = fixture();
    let mut outbox = fixture.begin(&Welcome::default());
    let hostname = |text: &str| Facts { hostname: text.to_owned(), ..Facts::default() };
    fixture.journal.set_facts(hostname("first"));
    assert_eq!(kind(fixture.next(&mut outbox).as_ref()), "facts");
    fixture.journal.set_facts(hostname("second"));
    assert_eq!(fixture.next(&mut outbox), None);
    let held_until = outbox.held_until(&fixture.journal, Instant::now());
    assert_eq!(held_until, Some(Instant::now() + FACTS_INTERVAL));
    fixture.journal.set_facts(hostname("third"));
    tokio::time::advance(FACTS_INTERVAL).await;
    let Some(Outgoing::FactsReport(report)) = fixture.next(&mut outbox) else { panic!("they are due") };
    assert_eq!(report.facts, Some(hostname("third")));
    assert_eq!(outbox.held_until(&fixture.journal, Instant::now()), None);
    // What flapped back is not told at all.
    fixture.journal.set_facts(hostname("fourth"));
    fixture.journal.set_facts(hostname("third"));
    tokio::time::advance(FACTS_INTERVAL).await;
    assert_eq!(fixture.next(&mut outbox), None);
    // A server that asks needs no patience.
    outbox.want_facts();
    assert_eq!(kind(fixture.next(&mut outbox).as_ref()), "facts");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_over_and_over_is_answered_at_a_pace() {
    let fixture = fixture();
    fixture.samples(1);
    let mut outbox = fixture.begin(&Welcome::default());
    let mut answers = 0;
    for generation in 0..100 {
        outbox.want_settings_applied(SettingsApplied { generation, ..SettingsApplied::default() });
        outbox.want_facts();
        answers +=
            std::iter::from_fn(|| fixture.next(&mut outbox)).filter(|sent| kind(Some(sent)) != "samples").count();
    }
    assert_eq!(answers, 8);
    // What is held back holds nothing else up, and in the end the newest is told.
    fixture.samples(1);
    assert_eq!(kind(fixture.next(&mut outbox).as_ref()), "samples");
    let held_until = outbox.held_until(&fixture.journal, Instant::now()).unwrap();
    tokio::time::advance(held_until - Instant::now()).await;
    let Some(Outgoing::SettingsApplied(applied)) = fixture.next(&mut outbox) else { panic!("it may go now") };
    assert_eq!(applied.generation, 99);
}

#[test]
fn no_message_and_no_window_is_exceeded() {
    let fixture = fixture();
    fixture.samples(1000);
    let mut outbox = fixture.begin(&Welcome::default());
    let mut spent = 0;
    let mut next_sequence = 1;
    while let Some(message) = fixture.next(&mut outbox) {
        let Outgoing::SampleBatch(batch) = &message else { panic!("{message:?}") };
        assert!(batch.samples.len() <= 128);
        assert_eq!(batch.first_sequence, next_sequence);
        next_sequence += batch.samples.len() as u64;
        spent += DeviceMessage { message: Some(message) }.encoded_len();
    }
    assert!(spent <= 65_536 && spent > 60_000, "{spent}");
    // Without credit nothing goes, whatever is acknowledged; with it, what follows.
    outbox.acknowledge(&fixture.journal, &fixture.acknowledged(Class::Samples, 10, 0)).unwrap();
    assert_eq!(fixture.next(&mut outbox), None);
    outbox.acknowledge(&fixture.journal, &fixture.acknowledged(Class::Samples, 10, 20_000)).unwrap();
    let Some(Outgoing::SampleBatch(batch)) = fixture.next(&mut outbox) else { panic!("credit lets more go") };
    assert_eq!(batch.first_sequence, next_sequence);
}

#[test]
fn a_new_session_goes_on_behind_what_is_stored() {
    let fixture = fixture();
    fixture.samples(10);
    let mut outbox = fixture.begin(&Welcome::default());
    assert_eq!(kind(fixture.next(&mut outbox).as_ref()), "samples");
    let stored = vec![fixture.acknowledged(Class::Samples, 4, 5_000)];
    let mut outbox = fixture.begin(&Welcome { stored, ..Welcome::default() });
    let Some(Outgoing::SampleBatch(batch)) = fixture.next(&mut outbox) else { panic!("six are left") };
    assert_eq!((batch.first_sequence, batch.samples.len()), (5, 6));
    assert_eq!(fixture.journal.position(Class::Samples).acknowledged, 4);
}

#[test]
fn a_box_that_was_put_back_sends_what_it_has_under_another_id() {
    let fixture = fixture();
    fixture.samples(3);
    let before = fixture.journal.position(Class::Samples).spool_id;
    let stored = vec![fixture.acknowledged(Class::Samples, 100, 5_000)];
    let mut outbox = fixture.begin(&Welcome { stored, ..Welcome::default() });
    let Some(Outgoing::SampleBatch(batch)) = fixture.next(&mut outbox) else { panic!("three are left") };
    assert_eq!((batch.first_sequence, batch.samples.len()), (1, 3));
    assert_ne!(batch.spool_id, before);
    assert_eq!(batch.spool_id, fixture.journal.position(Class::Samples).spool_id);
}

#[test]
fn acknowledgements_are_believed_only_for_what_was_sent() {
    let fixture = fixture();
    fixture.samples(3);
    let mut outbox = fixture.begin(&Welcome::default());
    let early = fixture.acknowledged(Class::Samples, 3, 0);
    assert!(matches!(outbox.acknowledge(&fixture.journal, &early), Err(Failure::BrokenProtocol { .. })));
    assert_eq!(fixture.journal.position(Class::Samples).pending(), 3);
    fixture.next(&mut outbox).unwrap();
    let foreign = Acknowledged { spool_id: vec![1; 16], ..early.clone() };
    assert_eq!(outbox.acknowledge(&fixture.journal, &foreign), Ok(None));
    let unknown = Acknowledged { item_class: 77, ..early.clone() };
    assert_eq!(outbox.acknowledge(&fixture.journal, &unknown), Ok(None));
    assert_eq!(fixture.journal.position(Class::Samples).pending(), 3);
    // Twice and out of order does no harm.
    let older = fixture.acknowledged(Class::Samples, 1, 0);
    for acknowledged in [&early, &early, &older] {
        assert_eq!(outbox.acknowledge(&fixture.journal, acknowledged), Ok(Some(Class::Samples)));
    }
    assert_eq!(fixture.journal.position(Class::Samples).pending(), 0);
    let absurd = vec![fixture.acknowledged(Class::Samples, u64::MAX, 0)];
    let welcome = Welcome { stored: absurd, ..Welcome::default() };
    let begun = Outbox::begin(&fixture.journal, &welcome, [0; 32], Instant::now());
    assert!(matches!(begun, Err(Failure::BrokenProtocol { .. })));
}
