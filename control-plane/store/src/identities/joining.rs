//! Becoming a member by what a provider says, inside the transaction of the sign-in.

use super::Arriving;
use crate::audit::{Actor, AuditEntry, audit_of_organization_in_txn};
use crate::error::StoreError;
use crate::pool::{Txn, column};
use kaliun_domain::domain_name::DomainName;
use kaliun_domain::joining::{Because, Before, CLAIM_RULES_MAX, Change, ClaimRule, change, role_by_claims};
use kaliun_domain::role::Role;
use kaliun_types::id::{AccountId, OrganizationId};
use serde_json::json;
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// Most organizations that one sign-in looks at: those somebody belongs to, the one of their domain, and the one that runs the server.
const ORGANIZATIONS_MAX: i64 = 200;

/// What somebody is in an organization that has a say in it.
struct Candidate {
    organization: OrganizationId,
    before: Before,
    by_domain: Option<Role>,
}

/// Makes them a member, or another one, or none, wherever that follows. Answers whether anything did.
pub(super) async fn join_in_txn(
    txn: &Txn<'_>,
    account: AccountId,
    arriving: &Arriving<'_>,
) -> Result<bool, StoreError> {
    let domain = arriving.email.filter(|_| arriving.email_confirmed).and_then(DomainName::of_address);
    let candidates = candidates(txn, account, arriving.provider, domain.as_ref()).await?;
    let rules = claim_rules(txn, arriving.provider, &candidates).await?;
    let mut changed = false;
    for candidate in candidates {
        let rules = rules.get(&candidate.organization).map(Vec::as_slice).unwrap_or_default();
        let fitting = role_by_claims(rules, arriving.claims);
        let by_claim = fitting.map(|rule| rule.role);
        // Looked at again where it matters, with the organization held.
        let mut decided = change(candidate.before, by_claim, candidate.by_domain, false);
        if takes_from_admin(candidate.before, decided) && is_only_admin(txn, candidate.organization, account).await? {
            decided = change(candidate.before, by_claim, candidate.by_domain, true);
        }
        let because = match decided {
            Change::Keep => continue,
            Change::Join(_, because) | Change::Set(_, because) => because,
            Change::Leave => Because::ClaimGone,
        };
        let rule = match because {
            Because::Domain => domain.as_ref().map(|domain| format!("domain {domain}")),
            Because::Claim { .. } => {
                fitting.map(|rule| format!("claim {}={} of {}", rule.claim, rule.value, arriving.provider))
            }
            Because::ClaimGone => None,
        };
        let rule = rule.unwrap_or_else(|| format!("no claim of {} any more", arriving.provider));
        apply(txn, account, arriving, &candidate, decided, &rule).await?;
        changed = true;
    }
    Ok(changed)
}

async fn candidates(
    txn: &Txn<'_>,
    account: AccountId,
    provider: &str,
    domain: Option<&DomainName>,
) -> Result<Vec<Candidate>, StoreError> {
    let rows = txn
        .rows(
            "SELECT o.id, m.role, d.role AS newcomer_role, c.provider AS claim_provider, c.role AS claim_role, c.base_role
             FROM organization o
             LEFT JOIN membership m ON m.organization_id = o.id AND m.account_id = $1
             LEFT JOIN organization_domain d ON d.organization_id = o.id AND d.domain = $2 AND d.verified_at IS NOT NULL
             LEFT JOIN membership_by_claim c ON c.organization_id = o.id AND c.account_id = $1
             WHERE o.id IN (
                     SELECT organization_id FROM membership WHERE account_id = $1
                     UNION SELECT organization_id FROM organization_domain WHERE domain = $2 AND verified_at IS NOT NULL
                     UNION SELECT id FROM organization WHERE runs_platform)
                 AND (d.domain IS NOT NULL OR c.provider = $3 OR EXISTS (
                     SELECT FROM organization_claim_rule r WHERE r.organization_id = o.id AND r.provider = $3))
             ORDER BY o.id LIMIT $4",
            &[&account, &domain.map(DomainName::as_str), &provider, &ORGANIZATIONS_MAX],
        )
        .await?;
    rows.iter().map(|row| candidate(row, provider)).collect()
}

fn candidate(row: &Row, provider: &str) -> Result<Candidate, StoreError> {
    let organization: OrganizationId = column(row, "organization", "id")?;
    let role = |table: &'static str, name: &'static str| -> Result<Option<Role>, StoreError> {
        let number: Option<i16> = column(row, table, name)?;
        let wrong = || StoreError::Inconsistent { table, column: name, id: organization.to_string() };
        number.map(|number| Role::from_number(number).ok_or_else(wrong)).transpose()
    };
    let by_hand = role("membership", "role")?;
    let claimed = role("membership_by_claim", "claim_role")?;
    let claim_provider: Option<String> = column(row, "membership_by_claim", "claim_provider")?;
    let before = match by_hand {
        None => Before::Stranger,
        // Whoever gave another role by hand since then has the last word.
        Some(role) if claimed != Some(role) => Before::ByHand(role),
        Some(member) => Before::ByClaims {
            role: member,
            base: role("membership_by_claim", "base_role")?,
            same_provider: claim_provider.as_deref() == Some(provider),
        },
    };
    Ok(Candidate { organization, before, by_domain: role("organization_domain", "newcomer_role")? })
}

async fn claim_rules(
    txn: &Txn<'_>,
    provider: &str,
    candidates: &[Candidate],
) -> Result<BTreeMap<OrganizationId, Vec<ClaimRule>>, StoreError> {
    const TABLE: &str = "organization_claim_rule";
    let organizations: Vec<OrganizationId> = candidates.iter().map(|candidate| candidate.organization).collect();
    let most = i64::try_from(CLAIM_RULES_MAX).unwrap_or(i64::MAX).saturating_mul(ORGANIZATIONS_MAX);
    let rows = txn
        .rows(
            "SELECT organization_id, claim, value, role FROM organization_claim_rule
             WHERE provider = $1 AND organization_id = ANY($2) ORDER BY organization_id, id LIMIT $3",
            &[&provider, &organizations, &most],
        )
        .await?;
    let mut rules: BTreeMap<OrganizationId, Vec<ClaimRule>> = BTreeMap::new();
    for row in &rows {
        let organization: OrganizationId = column(row, TABLE, "organization_id")?;
        let number: i16 = column(row, TABLE, "role")?;
        let wrong = || StoreError::Inconsistent { table: TABLE, column: "role", id: organization.to_string() };
        rules.entry(organization).or_default().push(ClaimRule {
            claim: column(row, TABLE, "claim")?,
            value: column(row, TABLE, "value")?,
            role: Role::from_number(number).ok_or_else(wrong)?,
        });
    }
    Ok(rules)
}

fn takes_from_admin(before: Before, decided: Change) -> bool {
    let was = match before {
        Before::Stranger => None,
        Before::ByHand(role) | Before::ByClaims { role, .. } => Some(role),
    };
    was == Some(Role::Admin) && !matches!(decided, Change::Keep)
}

/// Whether they are. Holds the organization, as everybody does who takes an admin out of one.
async fn is_only_admin(txn: &Txn<'_>, organization: OrganizationId, account: AccountId) -> Result<bool, StoreError> {
    txn.row_opt("SELECT id FROM organization WHERE id = $1 FOR UPDATE", &[&organization]).await?;
    let other = "SELECT 1 AS one FROM membership WHERE organization_id = $1 AND role = 4 AND account_id <> $2 LIMIT 1";
    Ok(txn.row_opt(other, &[&organization, &account]).await?.is_none())
}

async fn apply(
    txn: &Txn<'_>,
    account: AccountId,
    arriving: &Arriving<'_>,
    candidate: &Candidate,
    decided: Change,
    rule: &str,
) -> Result<(), StoreError> {
    let organization = candidate.organization;
    let (action, role, because) = match decided {
        Change::Keep => return Ok(()),
        Change::Join(role, because) => {
            txn.execute(
                "INSERT INTO membership (organization_id, account_id, role) VALUES ($1, $2, $3)
                 ON CONFLICT (organization_id, account_id) DO UPDATE SET role = excluded.role",
                &[&organization, &account, &role.number()],
            )
            .await?;
            ("member.join", Some(role), because)
        }
        Change::Set(role, because) => {
            txn.execute(
                "UPDATE membership SET role = $3 WHERE organization_id = $1 AND account_id = $2",
                &[&organization, &account, &role.number()],
            )
            .await?;
            ("member.update", Some(role), because)
        }
        Change::Leave => {
            txn.execute(
                "DELETE FROM membership WHERE organization_id = $1 AND account_id = $2",
                &[&organization, &account],
            )
            .await?;
            ("member.remove", None, Because::ClaimGone)
        }
    };
    match (because, role) {
        (Because::Claim { base }, Some(role)) => {
            txn.execute(
                "INSERT INTO membership_by_claim (organization_id, account_id, provider, role, base_role) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (organization_id, account_id) DO UPDATE
                     SET provider = excluded.provider, role = excluded.role, base_role = excluded.base_role, since = now()",
                &[&organization, &account, &arriving.provider, &role.number(), &base.map(Role::number)],
            )
            .await?;
        }
        (Because::Domain | Because::ClaimGone | Because::Claim { .. }, _) => {
            txn.execute(
                "DELETE FROM membership_by_claim WHERE organization_id = $1 AND account_id = $2",
                &[&organization, &account],
            )
            .await?;
        }
    }
    let was = match candidate.before {
        Before::Stranger => None,
        Before::ByHand(role) | Before::ByClaims { role, .. } => Some(json!({ "role": role.word() })),
    };
    let actor = Actor { source: arriving.source, ..Actor::control_plane("control-plane", arriving.request_id) };
    let entry = AuditEntry {
        action,
        target: format!("account/{account}"),
        before: was,
        after: Some(json!({ "role": role.map(Role::word), "rule": rule })),
    };
    audit_of_organization_in_txn(txn, organization, &actor, entry).await
}
