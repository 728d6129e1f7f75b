//! A stranger signs up, makes an organization, claims a box and invites somebody, all in a browser.

use crate::claiming::on_screen;
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::{ADMIN_EMAIL, Fleet, Shape, fill_sign_in};
use kaliun_e2e::wait::PATIENCE;

/// Who signs up, and the password they choose.
const GUS: &str = "gus@example.org";
const PASSWORD: &str = "a sentence that is long enough";

const NO_BOXES: Shape = Shape { simulated: 0, sample_interval_ms: 1_000 };

/// Presses the button or follows the link with these words.
async fn press(browser: &Browser, words: &str) -> anyhow::Result<()> {
    let script = "const found = [...document.querySelectorAll('main button, main a, dialog button')]
        .find(one => one.innerText.trim() === arguments[0] && one.getClientRects().length);
        if (found) found.click();
        return !!found";
    kaliun_e2e::wait::until(words, PATIENCE, || async {
        Ok(browser.run(script, &[words.into()]).await?.as_bool().filter(|was_there| *was_there))
    })
    .await
    .map(|_| ())
}

async fn shows(browser: &Browser, words: &str) -> anyhow::Result<()> {
    browser.wait_for_text(words, PATIENCE, |text| text.contains(words)).await.map(|_| ())
}

/// Asks for an account and finishes by the link of the mail.
async fn sign_up(fleet: &Fleet, browser: &Browser, name: &str, email: &str) -> anyhow::Result<()> {
    browser.open(&format!("{}/sign-up", fleet.public_url())).await?;
    browser.find("#name", PATIENCE).await?.fill(name).await?;
    browser.find("#email", PATIENCE).await?.fill(email).await?;
    browser.find("#password", PATIENCE).await?.fill(PASSWORD).await?;
    press(browser, "Create the account").await?;
    shows(browser, "Look into your mail").await?;
    let link = fleet.mails()?.link(email, "/confirm#").await?;
    browser.open(&link).await?;
    browser.find("#password", PATIENCE).await?.fill(PASSWORD).await?;
    assert!(!browser.url().await?.contains('#'), "a secret does not stay in the address");
    press(browser, "Finish").await?;
    shows(browser, "Now make an organization").await
}

#[tokio::test]
async fn a_stranger_signs_up_and_claims_a_box() -> anyhow::Result<()> {
    let fleet = Fleet::start_with_mails(NO_BOXES).await?;
    let browser = Browser::start(fleet.folder().path(), 390, 844).await?;
    sign_up(&fleet, &browser, "Gus", GUS).await?;
    browser.find("#name", PATIENCE).await?.fill("The Gus family").await?;
    press(&browser, "Make it").await?;
    shows(&browser, "Add your first box").await?;

    let unclaimed = fleet.start_unclaimed("unclaimed")?;
    let code = on_screen(&fleet, "Claim code").await?;
    browser.open(&format!("{}/claim?code={code}", fleet.public_url())).await?;
    shows(&browser, "Is this your box?").await?;
    browser.find("#name", PATIENCE).await?.fill("gus-box").await?;
    let check = on_screen(&fleet, "Check characters").await?;
    browser.find("#check", PATIENCE).await?.fill(&check).await?;
    browser.find("button[type=submit]", PATIENCE).await?.click().await?;
    shows(&browser, "gus-box is yours").await?;
    shows(&browser, "It is online").await?;

    // The admin of the server is another tenant, and sees none of it.
    assert!(fleet.devices().await?.is_empty(), "{}", unclaimed.log_tail());
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn an_owner_is_invited_and_begins_at_their_home() -> anyhow::Result<()> {
    let fleet = Fleet::start_with_mails(NO_BOXES).await?;
    let admin = Browser::start(fleet.folder().path(), 1200, 900).await?;
    admin.open(&format!("{}/homes", fleet.public_url())).await?;
    fill_sign_in(&admin, ADMIN_EMAIL, fleet.admin_password()).await?;
    press(&admin, "Home").await?;
    admin.find("#invite-email", PATIENCE).await?.fill(GUS).await?;
    admin.find(".option input[value=owner]", PATIENCE).await?.click().await?;
    press(&admin, "Invite").await?;
    shows(&admin, &format!("A mail is on its way to {GUS}")).await?;
    assert_eq!(admin.complaints().await?, Vec::<String>::new());
    drop(admin);

    let owner = Browser::start(fleet.folder().path(), 390, 844).await?;
    sign_up(&fleet, &owner, "Gus", GUS).await?;
    owner.open(&fleet.mails()?.link(GUS, "/invitation#").await?).await?;
    shows(&owner, "You are invited to a home").await?;
    assert!(!owner.url().await?.contains('#'), "a secret does not stay in the address");
    press(&owner, "Accept").await?;
    shows(&owner, "People of this home").await?;
    let text = owner.text().await?;
    assert!(
        text.contains("Home has no box yet") && !text.contains("Boxes"),
        "an owner sees a home, not a fleet: {text}"
    );
    assert_eq!(owner.complaints().await?, Vec::<String>::new());
    Ok(())
}
