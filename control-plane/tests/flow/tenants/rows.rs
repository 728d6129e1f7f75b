//! What a tenant has in the database.

use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use tokio_postgres::Client;
use uuid::Uuid;

/// All tables that say whose their rows are.
pub(crate) async fn tenant_tables(admin: &Client) -> Result<Vec<String>> {
    let rows = admin
        .query(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
               AND a.attname = 'organization_id' AND NOT a.attisdropped ORDER BY c.relname",
            &[],
        )
        .await?;
    ensure!(rows.len() >= 13, "the catalog names only {} tables", rows.len());
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// What somebody did, as they said it. What people do to their own accounts belongs to no tenant; the server's own organization keeps the
/// record.
const SAID: &str = "SELECT (to_jsonb(t) - ARRAY['sequence', 'hash', 'actor_digest', 'source_digest', 'before_digest', 'after_digest'])::text
                    FROM audit t WHERE organization_id = $1 AND action NOT LIKE 'account.%' ORDER BY 1";

/// All rows of an organization as text, by table. Each table has at least one, or a test of it would say nothing.
pub(crate) async fn rows_of(admin: &Client, organization: Uuid) -> Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for table in tenant_tables(admin).await? {
        // What the sealer writes comes some time after what somebody did.
        let statement = match table.as_str() {
            "audit_chain" | "audit_checkpoint" => continue,
            "audit" => SAID.to_owned(),
            _ => format!("SELECT to_jsonb(t)::text FROM {table} t WHERE organization_id = $1 ORDER BY 1"),
        };
        let rows: Vec<String> = admin.query(&statement, &[&organization]).await?.iter().map(|row| row.get(0)).collect();
        ensure!(!rows.is_empty(), "the tenant has no row in {table}: give it one");
        all.insert(table, rows);
    }
    let own = "SELECT to_jsonb(o)::text FROM organization o WHERE id = $1
               UNION ALL SELECT to_jsonb(a)::text FROM account a JOIN membership m ON m.account_id = a.id
               WHERE m.organization_id = $1 ORDER BY 1";
    all.insert(
        "organization and account".to_owned(),
        admin.query(own, &[&organization]).await?.iter().map(|row| row.get(0)).collect(),
    );
    // Boxes that wait belong to nobody, and nobody's row may change by mistake either.
    let waiting = "SELECT to_jsonb(e)::text FROM enrollment e WHERE organization_id IS NULL ORDER BY 1";
    all.insert("waiting".to_owned(), admin.query(waiting, &[]).await?.iter().map(|row| row.get(0)).collect());
    Ok(all)
}
