//! Two tenants on one server: what one cannot see, tell, change or follow of the other.

mod answer;
mod calls;
mod handles;
mod page;
mod people;
mod rows;
mod second_wall;
mod tenant;
mod unchecked;

use crate::authorization::paths;
use crate::support::claims::check;
use crate::support::{Fixture, PATIENCE, claim_code, samples};
use answer::Answer;
use anyhow::{Context, Result};
use calls::{Caller, Standing};
use handles::Handles;
use kaliun_domain::authorization::{Rule, rule};
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use rows::rows_of;
use tenant::Tenant;
use tonic::Code;

/// The RPCs that people can call: first those that only look, last those that end something.
fn public_paths() -> Result<Vec<String>> {
    let is_public = |path: &String| !matches!(rule(path), Some(Rule::AnyPeer | Rule::Device));
    let mut paths: Vec<String> = paths()?.into_iter().filter(is_public).collect();
    paths.sort_by_key(|path| {
        let verb = path.rsplit('/').next().unwrap_or_default();
        let looks = ["Get", "List", "Query", "Summarize", "Watch", "Follow", "Export", "LookUp", "Who", "Sign"];
        // What is deleted cannot even be revoked, what is replaced serves nothing any more, and who signed out asks nothing any more.
        let ends = ["Remove", "Decommission", "Replace", "Revoke", "Delete", "Leave", "SignOut"]
            .iter()
            .position(|prefix| verb.starts_with(prefix));
        let ends = ends.map_or(0, |place| place + 1);
        (ends, !looks.iter().any(|prefix| verb.starts_with(prefix)))
    });
    assert!(paths.len() > 20, "{paths:?}");
    Ok(paths)
}

/// Lets somebody of one tenant try every call with everything that another has. Returns what came back, each with its RPC.
async fn find_nothing(fixture: &Fixture, caller: &Caller<'_>, owner: &Tenant) -> Result<Vec<(String, Answer)>> {
    let admin = fixture.admin().await?;
    let nobody = Handles::of_nobody();
    let before = rows_of(&admin, owner.organization).await?;
    let mut refused = Vec::new();
    for path in public_paths()? {
        let foreign = caller.call(&path, &owner.handles).await.with_context(|| path.clone())?;
        let absent = caller.call(&path, &nobody).await.with_context(|| path.clone())?;
        assert!(!foreign.is_empty() && foreign.len() == absent.len(), "{path}");
        let is_above = caller.may(rule(&path)) == Some(false);
        for (foreign, absent) in foreign.into_iter().zip(absent) {
            let what = format!("{path}, {}, as {:?} of {}", foreign.question, caller.standing, caller.tenant.word);
            let of_owner = foreign.essence.clone().map(|text| owner.handles.hidden_in(&text));
            let of_owner = of_owner.map_err(|(code, text)| (code, owner.handles.hidden_in(&text)));
            let of_nobody = absent.essence.clone().map(|text| nobody.hidden_in(&text));
            let of_nobody = of_nobody.map_err(|(code, text)| (code, nobody.hidden_in(&text)));
            assert_eq!(of_owner, of_nobody, "{what}: the answer tells that it exists");
            owner.assert_absent(&foreign.whole, &what);
            let code = foreign.essence.as_ref().err().map(|(code, _)| *code);
            assert!(!is_above || code == Some(Code::PermissionDenied), "{what}: {:?}", foreign.essence);
            refused.push((path.clone(), foreign));
        }
    }
    assert_eq!(before, rows_of(&admin, owner.organization).await?, "something of {} changed", owner.word);
    Ok(refused)
}

/// Lets an admin of one tenant try every call with everything that the other has, and then the owner.
async fn try_everything(fixture: &Fixture, stranger: &Tenant, owner: &Tenant) -> Result<()> {
    let waiting = claim_code(fixture, "waiting").await?;
    let caller = Caller::new(fixture, stranger, Role::Admin, &waiting).await?;
    let refused = find_nothing(fixture, &caller, owner).await?;

    // All that was refused is good in the owner's hands, so it was refused for being another's.
    let caller = Caller::new(fixture, owner, Role::Admin, &waiting).await?;
    for path in public_paths()? {
        for answer in caller.call(&path, &owner.handles).await.with_context(|| path.clone())? {
            let of_stranger = refused.iter().find(|(of, other)| *of == path && other.question == answer.question);
            let (_, of_stranger) = of_stranger.context("the same questions")?;
            if answer.owner_differs {
                let what = format!("{path}, {}: the owner is answered as a stranger is", answer.question);
                assert_ne!(answer.essence, of_stranger.essence, "{what}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_admin_finds_nothing_of_the_server_s_first_tenant() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    try_everything(&fixture, &second, &first).await?;
    fixture.stop().await
}

#[tokio::test]
async fn the_first_tenant_s_admin_finds_nothing_of_another() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    try_everything(&fixture, &first, &second).await?;
    fixture.stop().await
}

#[tokio::test]
async fn no_lesser_role_finds_anything_of_another_tenant() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let waiting = claim_code(&fixture, "waiting").await?;
    for role in [Role::Viewer, Role::Support, Role::Operator] {
        let caller = Caller::new(&fixture, &second, role, &waiting).await?;
        find_nothing(&fixture, &caller, &first).await?;
    }
    fixture.stop().await
}

#[tokio::test]
async fn no_person_finds_anything_of_another_tenant() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let waiting = claim_code(&fixture, "waiting").await?;
    for role in [Role::Viewer, Role::Support, Role::Operator] {
        let caller = Caller::person(&fixture, &second, role, &waiting).await?;
        find_nothing(&fixture, &caller, &first).await?;
    }
    fixture.stop().await
}

/// On a server of its own: an operator leaves tokens in the tenant that are called as another's are.
#[tokio::test]
async fn no_admin_in_person_finds_anything_of_another_tenant() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let waiting = claim_code(&fixture, "waiting").await?;
    let caller = Caller::person(&fixture, &second, Role::Admin, &waiting).await?;
    find_nothing(&fixture, &caller, &first).await?;
    fixture.stop().await
}

#[tokio::test]
async fn nobody_of_a_home_finds_anything_of_another_tenant() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let waiting = claim_code(&fixture, "waiting").await?;
    let near = HomeRole::ALL.into_iter().map(Standing::InHome).chain([Standing::WithConsent]);
    for standing in near {
        let caller = Caller::near(&fixture, &second, standing, &waiting).await?;
        find_nothing(&fixture, &caller, &first).await?;
    }
    fixture.stop().await
}

#[tokio::test]
async fn a_place_in_another_s_list_is_refused() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let caller = Caller::person(&fixture, &second, Role::Admin, "").await?;
    let mut lists = 0;
    for path in public_paths()? {
        if !path.contains("/List") && !path.ends_with("/Watch") {
            continue;
        }
        let pages = caller.call(&path, &first.handles).await?;
        let pages = pages.into_iter().filter(|answer| answer.question.starts_with("a next page"));
        for page in pages {
            let code = page.essence.as_ref().err().map(|(code, _)| *code);
            assert_eq!(code, Some(Code::InvalidArgument), "{path}, {}: {:?}", page.question, page.essence);
            lists += 1;
        }
    }
    assert_eq!(
        lists, 20,
        "four orders of devices, a watch, two kinds of tokens, waiting boxes, homes, certificates, findings, two lists of events, sessions, \
         organizations, members, people of a home, invitations, consents and the audit"
    );
    fixture.stop().await
}

#[tokio::test]
async fn a_name_is_taken_in_its_own_tenant_only() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let code = claim_code(&fixture, "waiting").await?;
    let mut claims = fleet::claim_service_client::ClaimServiceClient::new(fixture.public().await?);
    let name = first.handles.device_name.clone();
    let check = check(&fixture, &code).await?;
    let request = fleet::ApproveClaimRequest { code, name: name.clone(), check, ..Default::default() };
    let taken = claims.approve_claim(first.request(request.clone())).await.map(|_| ());
    assert_eq!(taken.unwrap_err().code(), Code::AlreadyExists);
    let claimed = claims.approve_claim(second.request(request)).await?.into_inner();
    assert_eq!(claimed.device_name, name);
    fixture.stop().await
}

#[tokio::test]
async fn a_watch_follows_nothing_of_another_tenant() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = Tenant::first(&fixture, "northwind").await?;
    let second = Tenant::second(&fixture, "southwind").await?;
    let device = |id: &str| What::Device(fleet::DeviceSubscription { device_id: id.to_owned() });
    let subscription = |id: &str, what| fleet::Subscription { id: id.to_owned(), what: Some(what) };
    let subscriptions = vec![
        subscription("foreign", device(&first.handles.device_id)),
        subscription("other", device(&first.other_device_id)),
        subscription("list", What::DeviceList(fleet::DeviceListSubscription::default())),
    ];
    let mut watches = fleet::watch_service_client::WatchServiceClient::new(fixture.public().await?);
    let mut stream = watches.watch(second.request(fleet::WatchRequest { subscriptions })).await?.into_inner();
    let mut until = async |fits: &dyn Fn(&fleet::WatchResponse) -> bool| -> Result<()> {
        loop {
            let told = tokio::time::timeout(PATIENCE, stream.message()).await??.context("the watch ended")?;
            first.assert_absent(&format!("{told:?}"), "a watch");
            let is_foreign = told.subscription_id == "foreign" || told.subscription_id == "other";
            assert!(!is_foreign || matches!(told.message, Some(Message::CaughtUp(_))), "{told:?}");
            if fits(&told) {
                return Ok(());
            }
        }
    };
    let caught_up = |told: &fleet::WatchResponse| matches!(told.message, Some(Message::CaughtUp(_)));
    for _ in 0..3 {
        until(&caught_up).await?;
    }

    // The other tenant's devices come online, report, get another name and go.
    let mut session = first.known.open().await?;
    session.send(DeviceWord::SampleBatch(samples(4, 1))).await?;
    session.acknowledged(4).await?;
    let mut devices = DeviceServiceClient::new(fixture.public().await?);
    let rename = |id: &str, name: &str| fleet::UpdateDeviceRequest {
        id: id.to_owned(),
        version: 1,
        name: Some(name.to_owned()),
        ..Default::default()
    };
    devices.update_device(first.request(rename(&first.handles.device_id, "northwind-renamed"))).await?;
    let id = first.other_device_id.clone();
    devices.delete_device(first.request(fleet::DeleteDeviceRequest { id })).await?;
    // What is told of the own device after that was read after that, with all that the watch follows.
    devices.update_device(second.request(rename(&second.handles.device_id, "southwind-renamed"))).await?;
    let renamed = |told: &fleet::WatchResponse| matches!(&told.message, Some(Message::Device(device)) if device.name == "southwind-renamed");
    until(&renamed).await?;
    fixture.stop().await
}
