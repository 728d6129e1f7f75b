//! The page that loads everything, with the hashed names filled in.

use crate::bindings::Bindings;
use crate::bundle::Bundle;
use anyhow::{Context as _, ensure};
use std::fs;
use std::path::Path;

/// Puts the bundle together. In the assets a `{{name}}` stands for the served name of that file.
pub(crate) fn assemble(bindings: Bindings, assets: &Path) -> anyhow::Result<Bundle> {
    let mut bundle = Bundle::default();
    let read = |name: &str| fs::read(assets.join(name)).with_context(|| format!("cannot read the asset {name}"));
    let names = vec![
        ("app.css", bundle.add_hashed("app", ".css", read("app.css")?)),
        ("app.js", bundle.add_hashed("app", ".js", bindings.script.into_bytes())),
        ("app_bg.wasm", bundle.add_hashed("app", "_bg.wasm", bindings.wasm)),
        ("boot.js", bundle.add_hashed("boot", ".js", read("boot.js")?)),
        ("favicon.svg", bundle.add_hashed("favicon", ".svg", read("favicon.svg")?)),
    ];
    let manifest = fill(&String::from_utf8(read("app.webmanifest")?)?, &names)?;
    let mut names = names;
    names.push(("app.webmanifest", bundle.add_hashed("app", ".webmanifest", manifest.into_bytes())));
    let page = fill(&String::from_utf8(read("index.html")?)?, &names)?;
    refuse_inline(&page)?;
    bundle.add("index.html", page.into_bytes());
    Ok(bundle)
}

fn fill(template: &str, names: &[(&str, String)]) -> anyhow::Result<String> {
    let mut text = template.to_owned();
    for (name, served) in names {
        text = text.replace(&format!("{{{{{name}}}}}"), served);
    }
    if let Some((_, rest)) = text.split_once("{{") {
        let name = rest.split("}}").next().unwrap_or(rest);
        anyhow::bail!("the assets name {name:?}, which the bundle does not have");
    }
    Ok(text)
}

/// The content security policy forbids inline scripts and styles; a page with one would fail in the browser only.
fn refuse_inline(page: &str) -> anyhow::Result<()> {
    ensure!(!page.contains("<style") && !page.contains(" style="), "index.html has an inline style");
    for script in page.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap_or(script);
        ensure!(tag.contains("src="), "index.html has an inline script");
    }
    ensure!(!page.contains(" onload=") && !page.contains(" onclick="), "index.html has an inline handler");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_unknown_ones_refused() {
        let names = [("app.css", "app-1.css".to_owned())];
        assert_eq!(fill("<a {{app.css}}>", &names).unwrap(), "<a app-1.css>");
        assert!(fill("{{other.css}}", &names).unwrap_err().to_string().contains("other.css"));
    }

    #[test]
    fn inline_code_is_refused() {
        assert!(refuse_inline("<script src=\"/a.js\"></script>").is_ok());
        assert!(refuse_inline("<script>alert(1)</script>").is_err());
        assert!(refuse_inline("<p style=\"color:red\">").is_err());
    }
}
