//! The key that page tokens are sealed with: one for all replicas, and nobody else's.

use crate::support::Fixture;
use anyhow::Result;

#[tokio::test]
async fn replicas_that_start_together_get_the_same_key_for_good() -> Result<()> {
    let fixture = Fixture::new().await?;
    let system = &fixture.store.system;
    let (one, two) = tokio::join!(system.page_token_key([1; 32]), system.page_token_key([2; 32]));
    let (one, two) = (one?, two?);
    assert_eq!(one.expose(), two.expose());
    assert!([[1; 32], [2; 32]].contains(one.expose()));
    assert_eq!(system.page_token_key([3; 32]).await?.expose(), one.expose());
    assert_eq!(format!("{one:?}"), "PageTokenKey(redacted)");
    Ok(())
}

#[tokio::test]
async fn only_the_system_role_may_read_the_key() -> Result<()> {
    let fixture = Fixture::new().await?;
    let readers = fixture
        .admin
        .query(
            "SELECT rolname::text FROM pg_roles
             WHERE NOT rolsuper AND rolname NOT LIKE 'pg\\_%'
               AND has_column_privilege(oid, 'cluster', 'page_token_key', 'SELECT') ORDER BY 1",
            &[],
        )
        .await?;
    let readers: Vec<String> = readers.iter().map(|row| row.get(0)).collect();
    // The owner of the tables never logs in.
    assert_eq!(readers, ["kaliun_owner", "kaliun_system"]);
    Ok(())
}
