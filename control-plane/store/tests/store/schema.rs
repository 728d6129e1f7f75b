//! The schema: what migrations make, who may touch it, and that a newer one is refused.

use crate::support::{Fixture, connect};
use anyhow::Result;
use kaliun_cluster::testing::TestDatabase;
use kaliun_store::{MigrateError, migrate};

#[tokio::test]
async fn migrating_twice_changes_nothing() -> Result<()> {
    let database = TestDatabase::create().await?;
    let mut admin = connect(&database).await?;
    migrate(&mut admin).await?;
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    let before: i64 = admin.query_one(tables, &[]).await?.get(0);
    migrate(&mut admin).await?;
    let after: i64 = admin.query_one(tables, &[]).await?.get(0);
    assert!(before > 10, "{before} tables");
    assert_eq!(before, after);
    Ok(())
}

#[tokio::test]
async fn two_replicas_may_migrate_at_once() -> Result<()> {
    let database = TestDatabase::create().await?;
    let (mut one, mut two) = (connect(&database).await?, connect(&database).await?);
    let (first, second) = tokio::join!(migrate(&mut one), migrate(&mut two));
    first?;
    second?;
    Ok(())
}

#[tokio::test]
async fn a_newer_schema_is_refused() -> Result<()> {
    let database = TestDatabase::create().await?;
    let mut admin = connect(&database).await?;
    migrate(&mut admin).await?;
    admin
        .execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (9999, 'from_the_future', '2030-01-01T00:00:00Z', '1')",
            &[],
        )
        .await?;
    let refused = migrate(&mut admin).await;
    assert!(matches!(refused, Err(MigrateError::Schema(_))), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn every_table_of_a_tenant_is_behind_the_second_wall() -> Result<()> {
    let fixture = Fixture::new().await?;
    let rows = fixture
        .admin
        .query(
            "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
                    EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'organization') AS has_policy
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
               AND a.attname = 'organization_id'",
            &[],
        )
        .await?;
    assert!(rows.len() >= 13, "{} tables", rows.len());
    for row in rows {
        let table: String = row.get("relname");
        assert!(row.get::<_, bool>("relrowsecurity"), "{table}");
        assert!(row.get::<_, bool>("relforcerowsecurity"), "{table}");
        assert!(row.get::<_, bool>("has_policy"), "{table}");
    }
    Ok(())
}

#[tokio::test]
async fn roles_have_no_more_than_they_need() -> Result<()> {
    let fixture = Fixture::new().await?;
    let roles = fixture
        .admin
        .query(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
                    (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid) AS owns
             FROM pg_roles r WHERE rolname LIKE 'kaliun\\_%' AND rolname <> 'kaliun_admin' ORDER BY rolname",
            &[],
        )
        .await?;
    let names: Vec<String> = roles.iter().map(|row| row.get("rolname")).collect();
    assert_eq!(names, ["kaliun_app", "kaliun_owner", "kaliun_system"]);
    for role in roles {
        let name: String = role.get("rolname");
        for right in ["rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb"] {
            assert!(!role.get::<_, bool>(right), "{name} has {right}");
        }
        assert_eq!(role.get::<_, i64>("owns") > 0, name == "kaliun_owner", "{name}");
    }
    let on_partitions: i64 = fixture
        .admin
        .query_one(
            "SELECT count(*) FROM information_schema.role_table_grants g JOIN pg_class c ON c.relname = g.table_name
             WHERE c.relispartition AND g.grantee <> 'kaliun_owner'",
            &[],
        )
        .await?
        .get(0);
    assert_eq!(on_partitions, 0, "nobody has grants on partitions");
    let app_may_delete: i64 = fixture
        .admin
        .query_one(
            "SELECT count(*) FROM information_schema.role_table_grants
             WHERE grantee = 'kaliun_app' AND privilege_type IN ('DELETE', 'TRUNCATE')",
            &[],
        )
        .await?
        .get(0);
    assert_eq!(app_may_delete, 0);
    let may_rewrite = fixture
        .admin
        .query(
            "SELECT attrelid::regclass::text || '.' || attname AS name FROM pg_attribute
             WHERE attrelid IN ('authority'::regclass, 'trust_bundle'::regclass) AND attnum > 0 AND NOT attisdropped
                   AND has_column_privilege('kaliun_system', attrelid, attnum, 'UPDATE') ORDER BY name",
            &[],
        )
        .await?;
    let may_rewrite: Vec<String> = may_rewrite.iter().map(|row| row.get("name")).collect();
    assert_eq!(may_rewrite, ["authority.retired_at", "authority.sealed_key", "trust_bundle.sealed_key"]);
    Ok(())
}

/// What a role may do with which columns of a table.
async fn columns_with(fixture: &Fixture, role: &str, table: &str, right: &str) -> Result<Vec<String>> {
    let rows = fixture
        .admin
        .query(
            "SELECT attname::text FROM pg_attribute
             WHERE attrelid = $2::text::regclass AND attnum > 0 AND NOT attisdropped
                   AND has_column_privilege($1::text, attrelid, attnum, $3) ORDER BY attname",
            &[&role, &table, &right],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[tokio::test]
async fn an_audit_row_is_written_once_and_then_only_sealed_or_erased() -> Result<()> {
    let fixture = Fixture::new().await?;
    // A change says what it did. When that was, and which place it has, is not for it to say.
    let said = [
        "action",
        "actor",
        "actor_id",
        "actor_kind",
        "after",
        "before",
        "consent_id",
        "organization_id",
        "request_id",
        "source_address",
        "target",
    ];
    for role in ["kaliun_app", "kaliun_system"] {
        assert_eq!(columns_with(&fixture, role, "audit", "INSERT").await?, said, "{role}");
    }
    assert_eq!(columns_with(&fixture, "kaliun_app", "audit", "UPDATE").await?, [""; 0]);
    let sealed_or_erased = [
        "actor",
        "actor_digest",
        "actor_salt",
        "after",
        "after_digest",
        "after_salt",
        "before",
        "before_digest",
        "before_salt",
        "hash",
        "sequence",
        "source_address",
        "source_digest",
        "source_salt",
    ];
    assert_eq!(columns_with(&fixture, "kaliun_system", "audit", "UPDATE").await?, sealed_or_erased);
    for table in ["audit_chain", "audit_checkpoint", "audit_key"] {
        for right in ["INSERT", "UPDATE"] {
            assert_eq!(columns_with(&fixture, "kaliun_app", table, right).await?, [""; 0], "{table} {right}");
        }
    }
    assert_eq!(columns_with(&fixture, "kaliun_system", "audit_checkpoint", "UPDATE").await?, [""; 0]);
    assert_eq!(columns_with(&fixture, "kaliun_system", "audit_key", "UPDATE").await?, ["sealed_key"]);
    assert_eq!(columns_with(&fixture, "kaliun_app", "audit_key", "SELECT").await?, ["number", "public_key"]);
    assert_eq!(columns_with(&fixture, "kaliun_app", "cluster", "SELECT").await?, ["incarnation"]);
    Ok(())
}

#[tokio::test]
async fn the_application_sees_nothing_without_an_organization() -> Result<()> {
    let fixture = Fixture::new().await?;
    fixture.enroll(&fixture.first, 10, "cellar").await?;
    fixture.enroll(&fixture.second, 11, "attic").await?;
    fixture.admin.batch_execute("BEGIN; SET LOCAL ROLE kaliun_app").await?;
    for table in
        ["organization", "installation", "device", "device_status", "api_token", "join_token", "event", "audit"]
    {
        let seen: i64 = fixture.admin.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await?.get(0);
        assert_eq!(seen, 0, "{table}");
    }
    let other = fixture.second.organization().to_string();
    fixture
        .admin
        .execute(
            "SELECT set_config('kaliun.organization_id', $1, true), set_config('kaliun.reach', '*', true)",
            &[&other],
        )
        .await?;
    let names: Vec<String> =
        fixture.admin.query("SELECT name FROM device", &[]).await?.iter().map(|row| row.get(0)).collect();
    assert_eq!(names, ["attic"]);
    let foreign = fixture
        .admin
        .execute(
            "INSERT INTO audit (organization_id, actor, action, target, request_id) VALUES ($1, 'x', 'x', 'x', 'x')",
            &[&fixture.first.organization()],
        )
        .await;
    assert!(foreign.is_err(), "a row of another organization was written");
    fixture.admin.batch_execute("ROLLBACK").await?;
    Ok(())
}
