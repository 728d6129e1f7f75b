//! Erasing what names a person, when their account goes.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_types::audit::ACTION_ERASE;
use kaliun_types::id::{AccountId, OrganizationId};
use serde_json::json;
use std::collections::BTreeMap;

/// What was erased in one organization.
#[derive(Default)]
struct Erased {
    entries: u64,
    /// Rows that are neither by nor about the account, and named its address.
    rows: Vec<i64>,
}

impl SystemStore {
    /// Erases what names an account by itself: for somebody whose account stays, or whose changes were under way when it went.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_personal_erase(&self, account: AccountId) -> Result<u64, StoreError> {
        const OPERATION: &str = "audit_personal_erase";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let erased = audit_personal_erase_in_txn(&txn, account).await?;
        txn.commit().await?;
        Ok(erased)
    }
}

/// Erases what names an account, in all organizations, while its row is still there: the name and the source of all that the person did,
/// before and after of all that is about the account, and those of other rows where they have its address. Salts go with it, digests stay,
/// so the chain holds. Each organization gets a row that says so, by which a verifier knows a field that was erased from one that was
/// taken away. Answers how many rows there were. Rows of changes that are under way and not committed are not seen.
///
/// # Errors
/// The database failed.
pub(crate) async fn audit_personal_erase_in_txn(txn: &Txn<'_>, account: AccountId) -> Result<u64, StoreError> {
    const TABLE: &str = "audit";
    let mut erased: BTreeMap<OrganizationId, Erased> = BTreeMap::new();
    // By the index audit_actor.
    let by = txn
        .rows(
            "UPDATE audit SET actor = NULL, actor_salt = NULL, source_address = NULL, source_salt = NULL
             WHERE actor_kind = 1 AND actor_id = $1 AND actor IS NOT NULL RETURNING organization_id",
            &[&account],
        )
        .await?;
    for row in &by {
        erased.entry(column(row, TABLE, "organization_id")?).or_default().entries += 1;
    }
    // By the index audit_naming, which has the few rows that may name anybody.
    let naming = txn
        .rows(
            "WITH person AS (SELECT 'account/' || $1::uuid AS target,
                     (SELECT lower(to_jsonb(email)::text) FROM account WHERE id = $1) AS address),
             found AS (
                 SELECT a.id, a.target = p.target AS is_about,
                     a.target = p.target OR coalesce(strpos(lower(a.before::text), p.address) > 0, false) AS in_before,
                     a.target = p.target OR coalesce(strpos(lower(a.after::text), p.address) > 0, false) AS in_after
                 FROM audit a, person p
                 WHERE (strpos(a.before::text, '@') > 0 OR strpos(a.after::text, '@') > 0 OR starts_with(a.target, 'account/'))
                   AND (a.target = p.target OR strpos(lower(a.before::text), p.address) > 0
                        OR strpos(lower(a.after::text), p.address) > 0)
                   AND (a.before IS NOT NULL OR a.after IS NOT NULL) AND a.action <> $2)
             UPDATE audit a SET
                 before = CASE WHEN f.in_before THEN NULL ELSE a.before END,
                 before_salt = CASE WHEN f.in_before THEN NULL ELSE a.before_salt END,
                 after = CASE WHEN f.in_after THEN NULL ELSE a.after END,
                 after_salt = CASE WHEN f.in_after THEN NULL ELSE a.after_salt END
             FROM found f WHERE a.id = f.id
             RETURNING a.organization_id, a.id, f.is_about OR (a.actor_kind = 1 AND a.actor_id = $1) AS is_theirs,
                 a.actor_kind = 1 AND a.actor_id IS NOT DISTINCT FROM $1 AS is_counted",
            &[&account, &ACTION_ERASE],
        )
        .await?;
    for row in &naming {
        let of = erased.entry(column(row, TABLE, "organization_id")?).or_default();
        if !column::<bool>(row, TABLE, "is_counted")? {
            of.entries += 1;
        }
        if !column::<bool>(row, TABLE, "is_theirs")? {
            of.rows.push(column(row, TABLE, "id")?);
        }
    }
    let mut entries = 0;
    for (organization, Erased { entries: of_organization, mut rows }) in erased {
        rows.sort_unstable();
        txn.execute(
            "INSERT INTO audit (organization_id, actor_kind, actor, source_address, action, target, after, request_id)
             VALUES ($1, 3, 'control-plane', '', $2, 'account/' || $3::uuid, $4, '')",
            &[&organization, &ACTION_ERASE, &account, &json!({ "entries": of_organization, "rows": rows })],
        )
        .await?;
        entries += of_organization;
    }
    Ok(entries)
}
