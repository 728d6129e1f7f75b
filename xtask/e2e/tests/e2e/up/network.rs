//! A fleet that `cargo xtask up` opens to the network: TLS with the certificate of its own development authority.

use super::place::Place;
use anyhow::{Context as _, ensure};
use kaliun_e2e::browser::Browser;
use kaliun_e2e::fleet::{fill_sign_in, free_addresses};
use kaliun_e2e::http;
use kaliun_e2e::wait::PATIENCE;
use serde_json::json;
use std::net::Ipv4Addr;

/// A box in the list.
const ROW: &str = "li.row[data-device]";

#[tokio::test]
async fn on_the_network_everything_is_under_tls() -> anyhow::Result<()> {
    let place = Place::make()?;
    let [public, device, _] = free_addresses()?;
    // All addresses of the machine: every machine has that one, and it is not loopback.
    let open = format!("{}:{}", Ipv4Addr::UNSPECIFIED, public.port());
    let words = ["up", "--no-build", "--detach", "--public", &open, "--device", &device.to_string(), "--devices", "1"];
    let shown = place.succeed(&words).with_context(|| place.logs())?;

    // fleetctl trusts the authority that the settings name, and without it nobody.
    let mut settings = place.settings()?;
    let url = settings.get("FLEETCTL_SERVER").context("the settings name no server")?.clone();
    ensure!(url.starts_with("https://") && shown.contains(&url), "{url} is not where `up` says:\n{shown}");
    ensure!(place.devices()?.len() == 2, "{:?}", place.devices()?);
    settings.remove("FLEETCTL_CA").context("the settings name no authority")?;
    let refused = place.ask_devices(&settings)?;
    let why = String::from_utf8_lossy(&refused.stderr);
    ensure!(!refused.status.success() && why.contains("certificate"), "{why}");
    ensure!(http::get(public, "/").await.is_err(), "the page is there in the clear");

    let browser = Browser::start_trusting_anyone(place.path(), 1024, 768).await?;
    browser.open(&url).await?;
    let setting = |name: &str| settings.get(name).with_context(|| format!("the settings have no {name}"));
    fill_sign_in(&browser, setting("FLEET_ADMIN_EMAIL")?, setting("FLEET_ADMIN_PASSWORD")?).await?;
    browser.find(ROW, PATIENCE).await?;
    browser.find(".live-banner[data-live=current]", PATIENCE).await?;
    let cookies = browser.cookies().await?;
    let [cookie] = cookies.as_slice() else { anyhow::bail!("{cookies:?}") };
    // With this name a browser takes no other than a secure one of this very host.
    for (what, wanted) in [
        ("name", json!("__Host-kaliun")),
        ("secure", json!(true)),
        ("httpOnly", json!(true)),
        ("sameSite", json!("Lax")),
        ("path", json!("/")),
    ] {
        ensure!(cookie.get(what) == Some(&wanted), "{what} is not {wanted}: {cookie}");
    }
    let kept = browser.run("return document.cookie", &[]).await?;
    ensure!(kept == "", "scripts see {kept}");
    // It comes back with the next visit.
    browser.open(&url).await?;
    browser.find(ROW, PATIENCE).await?;
    assert_eq!(browser.complaints().await?, Vec::<String>::new());
    place.succeed(&["down"]).map(|_| ())
}
