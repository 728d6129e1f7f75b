//! Every RPC has a row in the authorization table, and the table holds.

use crate::support::{Fixture, TestBox};
use anyhow::Result;
use http::uri::PathAndQuery;
use kaliun_domain::authorization::{Rule, TABLE, rule};
use kaliun_domain::role::Role;
use prost::Message;
use std::collections::BTreeSet;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

/// The paths of all RPCs in the contract.
pub(crate) fn paths() -> Result<BTreeSet<String>> {
    let files = prost_types::FileDescriptorSet::decode(kaliun_proto::DESCRIPTORS)?;
    let mut paths = BTreeSet::new();
    for file in &files.file {
        for service in &file.service {
            for method in &service.method {
                paths.insert(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    Ok(paths)
}

/// Calls an RPC with an empty message. All of ours take one, and refuse it by its fields at most.
async fn call(channel: &Channel, path: &str, token: Option<&str>) -> Result<Result<(), Status>> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await?;
    let mut request = Request::new(());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);
    }
    let codec: ProstCodec<(), ()> = ProstCodec::default();
    // Its first word is enough: some streams go on for ever.
    Ok(match grpc.server_streaming(request, PathAndQuery::try_from(path)?, codec).await {
        Ok(answer) => answer.into_inner().message().await.map(drop),
        Err(status) => Err(status),
    })
}

#[test]
fn every_rpc_has_a_row_and_every_row_an_rpc() -> Result<()> {
    let rows: BTreeSet<String> = TABLE.iter().map(|row| row.path.to_owned()).collect();
    assert!(rows.len() > 20);
    assert_eq!(paths()?, rows);
    Ok(())
}

/// Tokens of each role in the first organization, made behind the server's back.
async fn token_of(fixture: &Fixture, role: Role) -> Result<String> {
    let token = format!("kat1.role-{}-{}", role.number(), "x".repeat(40));
    let secret_hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref().to_vec();
    fixture
        .admin()
        .await?
        .execute(
            "INSERT INTO api_token (id, organization_id, name, role, secret_hash, created_by, expires_at)
             SELECT gen_random_uuid(), id, 'role', $1, $2, 'test', now() + interval '1 hour' FROM organization",
            &[&role.number(), &secret_hash],
        )
        .await?;
    Ok(token)
}

#[tokio::test]
async fn the_table_holds_for_every_rpc_and_every_role() -> Result<()> {
    let fixture = Fixture::start().await?;
    let public = fixture.public().await?;
    let mut tokens = Vec::new();
    for role in [Role::Viewer, Role::Support, Role::Operator, Role::Admin] {
        tokens.push((role, token_of(&fixture, role).await?));
    }
    for path in paths()? {
        let rule = rule(&path);
        let without = call(&public, &path, None).await?.err().map(|status| status.code());
        let bogus = call(&public, &path, Some("kat1.bogus")).await?.err().map(|status| status.code());
        match rule {
            Some(Rule::Anyone) => assert_ne!(without, Some(Code::Unauthenticated), "{path}"),
            Some(Rule::SignedIn | Rule::Person | Rule::Inside(_) | Rule::Platform(_)) => {
                assert_eq!(without, Some(Code::Unauthenticated), "{path}");
                assert_eq!(bogus, Some(Code::Unauthenticated), "{path}");
            }
            Some(Rule::AnyPeer | Rule::Device) | None => assert_eq!(without, Some(Code::Unimplemented), "{path}"),
        }
        for (role, token) in &tokens {
            let allowed = match rule {
                Some(Rule::Inside(grants)) => !grants.by_person && grants.role.is_some_and(|needed| *role >= needed),
                Some(Rule::Platform(needed)) => *role >= needed,
                Some(Rule::SignedIn) => true,
                // A token is nobody's.
                Some(Rule::Person) => false,
                Some(Rule::AnyPeer | Rule::Device | Rule::Anyone) | None => continue,
            };
            // A stream that answers is as good as an answer: only the refusal matters here.
            let code = call(&public, &path, Some(token)).await?.err().map(|status| status.code());
            let denied = matches!(code, Some(Code::PermissionDenied | Code::Unauthenticated));
            assert_eq!(denied, !allowed, "{path} as {role:?}: {code:?}");
        }
    }
    fixture.stop().await
}

#[tokio::test]
async fn people_are_not_served_where_boxes_are_and_the_other_way_round() -> Result<()> {
    let fixture = Fixture::start().await?;
    let device = TestBox::enroll(&fixture, "cellar").await?.channel().await?;
    for row in TABLE.iter().filter(|row| !matches!(row.rule, Rule::AnyPeer | Rule::Device)) {
        let code = call(&device, row.path, None).await?.err().map(|status| status.code());
        assert_eq!(code, Some(Code::Unimplemented), "{}", row.path);
    }
    fixture.stop().await
}
