//! Enrolments that came to nothing, counted by hour and source.

use crate::error::StoreError;
use crate::pool::{SystemStore, Txn, column};
use kaliun_types::id::OrganizationId;
use kaliun_types::reason::ReasonCode;

/// Sources, organizations and reasons that are told apart in one hour. Beyond them everything counts as from elsewhere. With what one
/// writing of each replica may add, 72 hours of a flood from everywhere are some 150,000 rows of 150 bytes.
const PLACES_MAX: i64 = 1_000;

/// Enrolments of one kind that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentRefusals {
    /// Where they came from; empty for elsewhere.
    pub source: String,
    /// Whose join token was shown; none for nobody's.
    pub organization: Option<OrganizationId>,
    /// Why.
    pub reason: ReasonCode,
    /// How many.
    pub count: i64,
}

impl SystemStore {
    /// Adds to what is counted for the present hour.
    ///
    /// # Errors
    /// The database failed; then nothing was added.
    pub async fn enrollment_refusals_add(&self, refusals: &[EnrollmentRefusals]) -> Result<(), StoreError> {
        const OPERATION: &str = "enrollment_refusals_add";
        let sources: Vec<&str> = refusals.iter().map(|refusal| refusal.source.as_str()).collect();
        let organizations: Vec<Option<OrganizationId>> = refusals.iter().map(|refusal| refusal.organization).collect();
        let reasons: Vec<&str> = refusals.iter().map(|refusal| refusal.reason.code()).collect();
        let counts: Vec<i64> = refusals.iter().map(|refusal| refusal.count).collect();
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        // Sorted, so that two replicas take the rows in the same order.
        txn.execute(
            "WITH present AS (
                 SELECT date_trunc('hour', now()) AS hour
             ), known AS (
                 SELECT source, organization_id, reason FROM enrollment_refusal JOIN present USING (hour)
             ), room AS (
                 SELECT count(*) < $5 AS is_left FROM known
             ), counted AS (
                 SELECT CASE WHEN room.is_left OR EXISTS (
                            SELECT FROM known k WHERE k.source = r.source AND k.reason = r.reason
                              AND k.organization_id IS NOT DISTINCT FROM r.organization_id
                        ) THEN r.source ELSE '' END AS source,
                        r.organization_id, r.reason, r.n
                 FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[]) AS r (source, organization_id, reason, n), room
             )
             INSERT INTO enrollment_refusal AS e (hour, source, organization_id, reason, refused_count, first_at, last_at)
             SELECT hour, source, organization_id, reason, sum(n)::bigint, now(), now() FROM counted, present
             GROUP BY hour, source, organization_id, reason ORDER BY source, organization_id, reason
             ON CONFLICT (hour, source, (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)), reason)
                 DO UPDATE SET refused_count = e.refused_count + EXCLUDED.refused_count, last_at = now()",
            &[&sources, &organizations, &reasons, &counts, &PLACES_MAX],
        )
        .await?;
        txn.commit().await
    }

    /// Forgets what was counted more than three days ago, at most `limit` rows; answers how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrollment_refusals_delete_old(&self, limit: i64) -> Result<u64, StoreError> {
        const OPERATION: &str = "enrollment_refusals_delete_old";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let deleted = txn
            .execute(
                "DELETE FROM enrollment_refusal WHERE ctid IN (
                     SELECT ctid FROM enrollment_refusal WHERE hour < now() - interval '3 days' LIMIT $1)",
                &[&limit],
            )
            .await?;
        txn.commit().await?;
        Ok(deleted)
    }

    /// Whose join token it is; none when there is no such token.
    ///
    /// # Errors
    /// The database failed.
    pub async fn join_token_organization(&self, secret_hash: &[u8]) -> Result<Option<OrganizationId>, StoreError> {
        const OPERATION: &str = "join_token_organization";
        let mut connection = self.connection(OPERATION).await?;
        let txn = Txn::begin_system(&mut connection, OPERATION).await?;
        let row = txn.row_opt("SELECT organization_id FROM join_token WHERE secret_hash = $1", &[&secret_hash]).await?;
        txn.commit().await?;
        row.map(|row| column(&row, "join_token", "organization_id")).transpose()
    }
}
