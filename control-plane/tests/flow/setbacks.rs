//! Setbacks: an item that cannot be stored, an answer that is lost on its way, a box that goes away while its session begins. Each
//! harms nobody else and leaves nothing half done.

use crate::support::claims::check;
use crate::support::{Fixture, PATIENCE, Session, TestBox, enroll, hello, learn_roots, samples, with_token, word};
use anyhow::{Context, Result, ensure};
use kaliun_proto::enrollment::v1::enroll_response::{Issued, Step as Answer};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::link_service_client::LinkServiceClient;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use kaliun_proto::link::v1::{Heartbeat, ItemClass};
use prost::Message;
use rcgen::KeyPair;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio_postgres::Client;
use tokio_stream::wrappers::ReceiverStream;

/// Asks the database until a count is as it should be.
async fn wait_for_count(admin: &Client, wanted: i64, count: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        // Inside a transaction the first look at the activity is repeated until it is forgotten.
        admin.execute("SELECT pg_stat_clear_snapshot()", &[]).await?;
        let found: i64 = admin.query_one(count, &[]).await?.get(0);
        if found == wanted {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{found} of {wanted}: {count}");
    }
}

/// Keeps sessions and samples from being written until the transaction ends.
async fn hold_writes(admin: &Client) -> Result<()> {
    Ok(admin.batch_execute("BEGIN; LOCK TABLE device_status IN EXCLUSIVE MODE").await?)
}

/// The numbers of a device's stored samples.
async fn stored(admin: &Client, known: &TestBox) -> Result<Vec<i64>> {
    let rows = admin
        .query("SELECT sequence FROM sample_head WHERE device_id::text = $1 ORDER BY sequence", &[&known.device_id])
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Makes the database refuse one sample of a device.
async fn refuse(admin: &Client, known: &TestBox, sequence: u64) -> Result<()> {
    let statements = format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'this cannot be stored' USING ERRCODE = 'data_exception'; END; $$;
         CREATE TRIGGER refuse BEFORE INSERT ON sample_head FOR EACH ROW
             WHEN (NEW.device_id = '{}' AND NEW.sequence = {sequence}) EXECUTE FUNCTION refuse()",
        known.device_id
    );
    Ok(admin.batch_execute(&statements).await?)
}

/// How far a box is told that its samples are stored.
fn mark(session: &Session) -> Option<u64> {
    let mark = session.welcome.stored.iter().find(|mark| mark.item_class() == ItemClass::Samples);
    mark.map(|mark| mark.sequence)
}

/// What the server measures of itself.
pub(crate) async fn metric(fixture: &Fixture, name: &str) -> Result<u64> {
    let mut stream = TcpStream::connect(fixture.server.addresses().internal).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("no {name}"))?.parse()?)
}

/// Asks the server until something it measures is as it should be.
async fn wait_for_metric(fixture: &Fixture, wanted: u64, name: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let found = metric(fixture, name).await?;
        if found == wanted {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{name} is {found}, not {wanted}");
    }
}

/// Reads to the end of a session: how far samples were acknowledged, and why it ended.
async fn last_words(session: &mut Session) -> Result<(u64, String)> {
    let mut acknowledged = 0;
    loop {
        match tokio::time::timeout(PATIENCE, session.hear.message()).await? {
            Ok(Some(message)) => {
                if let Some(ServerWord::Acknowledged(up_to)) = message.message
                    && up_to.item_class() == ItemClass::Samples
                {
                    acknowledged = up_to.sequence;
                }
            }
            Ok(None) => anyhow::bail!("the session ended without a reason"),
            Err(status) => return Ok((acknowledged, status.message().to_owned())),
        }
    }
}

#[tokio::test]
async fn an_item_that_cannot_be_stored_holds_up_its_own_session_only() -> Result<()> {
    // Nobody is given up for being silent here.
    let fixture = Fixture::start_with(|config| config.heartbeat_interval_ms = 60_000).await?;
    let admin = fixture.admin().await?;
    let bad = TestBox::enroll(&fixture, "bad").await?;
    let good = [TestBox::enroll(&fixture, "attic").await?, TestBox::enroll(&fixture, "barn").await?];
    refuse(&admin, &bad, 3).await?;
    let mut session = bad.open().await?;
    let mut others = [good[0].open().await?, good[1].open().await?];

    // What is sent while nothing can be written is stored in the same statements later.
    hold_writes(&admin).await?;
    for (first, count) in [(1, 2), (3, 1), (4, 2)] {
        session.send(DeviceWord::SampleBatch(samples(first, count))).await?;
        for other in &others {
            other.send(DeviceWord::SampleBatch(samples(first, count))).await?;
        }
    }
    admin.batch_execute("ROLLBACK").await?;

    let (acknowledged, reason) = last_words(&mut session).await?;
    assert_eq!(acknowledged, 2, "what lies behind the bad item is not acknowledged");
    assert!(reason.starts_with("link.protocol_error"), "{reason}");
    assert_eq!(stored(&admin, &bad).await?, [1, 2]);
    for (other, known) in others.iter_mut().zip(&good) {
        other.acknowledged(5).await?;
        assert_eq!(stored(&admin, known).await?, [1, 2, 3, 4, 5]);
    }

    // When the database is mended the box goes on where it was acknowledged: nothing is lost.
    admin.batch_execute("DROP TRIGGER refuse ON sample_head").await?;
    let mut session = bad.open().await?;
    assert_eq!(mark(&session), Some(2));
    session.send(DeviceWord::SampleBatch(samples(3, 3))).await?;
    session.acknowledged(5).await?;
    assert_eq!(stored(&admin, &bad).await?, [1, 2, 3, 4, 5]);
    fixture.stop().await
}

#[tokio::test]
async fn what_lies_behind_a_bad_item_waits_even_when_the_box_does_not_read() -> Result<()> {
    let fixture = Fixture::start_with(|config| config.heartbeat_interval_ms = 60_000).await?;
    let admin = fixture.admin().await?;
    let bad = TestBox::enroll(&fixture, "bad").await?;
    refuse(&admin, &bad, 3).await?;
    // Less than an acknowledgement may be on its way. The first fills that, the second waits for room, and then the server cannot
    // even tell the box that the session is over.
    let mut session = bad.open_over(bad.narrow_channel(16).await?).await?;
    ensure!(matches!(session.next().await?, ServerWord::Settings(_)), "the settings follow the welcome");
    hold_writes(&admin).await?;
    let mut sent = 0;
    for (first, count) in [(1, 1), (2, 1), (3, 1), (4, 2)] {
        let batch = DeviceWord::SampleBatch(samples(first, count));
        sent += u64::try_from(word(batch.clone()).encoded_len())?;
        session.send(batch).await?;
    }
    wait_for_metric(&fixture, sent, "kaliun_ingest_waiting_bytes").await?;
    admin.batch_execute("ROLLBACK").await?;

    let ended = "SELECT count(*) FROM device_status WHERE NOT online AND link_reason = 'link.protocol_error'";
    wait_for_count(&admin, 1, ended).await?;
    assert_eq!(stored(&admin, &bad).await?, [1, 2]);
    assert_eq!(mark(&bad.open().await?), Some(2));
    fixture.stop().await
}

/// A box must not be given up because the database is slow: what keeps sessions alive does not ask it.
#[tokio::test]
async fn heartbeats_do_not_wait_for_the_database() -> Result<()> {
    let fixture = Fixture::start_with(|config| config.heartbeat_interval_ms = 1_000).await?;
    let admin = fixture.admin().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut session = known.open().await?;
    admin.batch_execute("BEGIN; LOCK TABLE device_status IN ACCESS EXCLUSIVE MODE").await?;
    let asks =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%h.session_epoch%'";
    let began = Instant::now();
    let mut heard_meanwhile = 0;
    while heard_meanwhile < 3 {
        ensure!(began.elapsed() < PATIENCE, "{heard_meanwhile} heartbeats came while the database was asked");
        if matches!(session.next().await?, ServerWord::Heartbeat(_)) {
            session.send(DeviceWord::Heartbeat(Heartbeat { now_ms: 0 })).await?;
            admin.execute("SELECT pg_stat_clear_snapshot()", &[]).await?;
            heard_meanwhile += admin.query_one(asks, &[]).await?.get::<_, i64>(0);
        }
    }
    admin.batch_execute("ROLLBACK").await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_claimed_box_that_lost_its_answer_becomes_no_second_device() -> Result<()> {
    let fixture = Fixture::start().await?;
    let roots = learn_roots(&fixture).await?;
    let public = fixture.public().await?;
    let key = KeyPair::generate()?;
    let approved = Notify::new();
    let approve_and_stall = async |code: String| {
        let check = check(&fixture, &code).await.expect("its screen shows them");
        let request = fleet::ApproveClaimRequest { code, name: "attic".to_owned(), check, ..Default::default() };
        let mut claims = fleet::claim_service_client::ClaimServiceClient::new(public.clone());
        claims.approve_claim(with_token(request)).await.expect("it is approved");
        approved.notify_one();
        std::future::pending().await
    };
    tokio::select! {
        answer = enroll(&fixture, &roots, &key, "", "cellar", approve_and_stall) => anyhow::bail!("it was read: {answer:?}"),
        () = approved.notified() => {}
    }

    let ask_again = async || -> Result<Issued> {
        let no_code = async |code: String| panic!("it was approved and is shown the code {code}");
        match enroll(&fixture, &roots, &key, "", "cellar", no_code).await? {
            Answer::Issued(issued) => Ok(issued),
            other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Refused(_)) => {
                anyhow::bail!("not issued: {other:?}")
            }
        }
    };
    let first = ask_again().await?;
    let second = ask_again().await?;
    let listed = fixture.devices().await?.list_devices(with_token(fleet::ListDevicesRequest::default())).await?;
    let listed: Vec<(String, String)> =
        listed.into_inner().devices.into_iter().map(|device| (device.id, device.name)).collect();
    assert_eq!(listed, [(first.device_id.clone(), "attic".to_owned())]);
    assert_eq!(second.device_id, first.device_id);
    TestBox::from_issued(&fixture, key, roots.clone(), second).open().await.context("its certificate is good")?;
    fixture.stop().await
}

#[tokio::test]
async fn a_session_that_nobody_takes_over_ends() -> Result<()> {
    let fixture = Fixture::start().await?;
    let admin = fixture.admin().await?;
    let known = TestBox::enroll(&fixture, "cellar").await?;
    let mut client = LinkServiceClient::new(known.channel().await?);

    // The box goes away while its session begins.
    hold_writes(&admin).await?;
    let (say, outbound) = mpsc::channel(1);
    say.send(word(DeviceWord::Hello(Box::new(hello())))).await?;
    let begins = "SELECT count(*) FROM pg_stat_activity
                  WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT device_id FROM device_status WHERE device_id = ANY%'";
    tokio::select! {
        opened = client.open_link(ReceiverStream::new(outbound)) => {
            anyhow::bail!("it began while nothing could be written: {:?}", opened.map(|_| ()))
        }
        waits = wait_for_count(&admin, 1, begins) => waits?,
    }
    drop((client, say));
    wait_for_metric(&fixture, 0, "kaliun_device_connections").await?;
    admin.batch_execute("ROLLBACK").await?;

    let ended =
        "SELECT count(*) FROM device_status WHERE session_epoch = 1 AND NOT online AND link_reason = 'link.lost'";
    wait_for_count(&admin, 1, ended).await?;
    let codes = admin.query("SELECT code FROM event WHERE code LIKE 'link.%' ORDER BY id", &[]).await?;
    assert_eq!(codes.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["link.connected", "link.lost"]);
    fixture.stop().await
}
