use crate::boxed::{RunningBox, config};
use crate::double::{Double, sha256};
use crate::linking::{Session, welcome};
use kaliun_proto::link::v1::device_message::Message as FromBox;
use kaliun_proto::link::v1::server_message::Message as ToBox;
use kaliun_proto::link::v1::{Settings, SettingsApplied, SettingsDocument};
use prost::Message;

fn settings(generation: u64, sample_interval_ms: u32) -> Settings {
    let document = SettingsDocument { sample_interval_ms }.encode_to_vec();
    Settings { generation, hash: sha256(&document).to_vec(), document }
}

async fn answer(session: &mut Session, settings: Settings) -> SettingsApplied {
    session.say(ToBox::Settings(settings)).await;
    loop {
        if let FromBox::SettingsApplied(applied) = session.next().await {
            return applied;
        }
    }
}

#[tokio::test]
async fn settings_are_applied_kept_and_guarded() {
    let mut double = Double::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut by_settings = config(&double);
    by_settings.sample_interval = None;
    let running = RunningBox::start(folder.path(), by_settings.clone());
    let mut session = Session::open(&mut double, welcome(1)).await;
    assert_eq!(session.hello.settings_generation, 0);

    let applied = answer(&mut session, settings(4, 1_000)).await;
    assert_eq!((applied.generation, applied.failure), (4, None));
    // The default of 15 s is not in force any more.
    session.next_samples().await;
    session.next_samples().await;

    let again = answer(&mut session, settings(4, 1_000)).await;
    assert_eq!((again.generation, again.failure), (4, None));
    for refused in
        [settings(3, 2_000), settings(4, 2_000), settings(5, 10), Settings { hash: vec![], ..settings(6, 2_000) }]
    {
        let answered = answer(&mut session, refused).await;
        assert_eq!((answered.generation, &answered.hash), (4, &settings(4, 1_000).hash));
        assert_eq!(answered.failure.unwrap().code, "settings.invalid");
    }
    running.kill().await;

    let running = RunningBox::start(folder.path(), by_settings);
    let session = Session::open(&mut double, welcome(2)).await;
    assert_eq!((session.hello.settings_generation, session.hello.settings_hash.clone()), (4, settings(4, 1_000).hash));
    running.stop().await.unwrap();
}
