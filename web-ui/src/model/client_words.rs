//! What a browser or a machine says of itself, short enough for a line.

/// Browsers by what stands in their words, the most particular first: most say that they are others, too.
const BROWSERS: [(&str, &str); 6] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
];
/// Systems by what stands in the words.
const SYSTEMS: [(&str, &str); 6] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// "Firefox on Linux" for a browser that is known; for all else the words as they are.
#[must_use]
pub fn client_words(client: &str) -> String {
    let known = |list: &[(&'static str, &'static str)]| {
        list.iter().find(|(part, _)| client.contains(part)).map(|(_, name)| *name)
    };
    match (client, client.starts_with("Mozilla/"), known(&BROWSERS), known(&SYSTEMS)) {
        ("", ..) => "Unnamed".to_owned(),
        (_, true, Some(browser), Some(system)) => format!("{browser} on {system}"),
        (_, true, Some(browser), None) => browser.to_owned(),
        (..) => client.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_from_its_words() {
        let check = |client: &str, expected: &str| assert_eq!(client_words(client), expected);
        check("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux");
        check(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0",
            "Edge on Windows",
        );
        check(
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        );
        check(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
            "Safari on macOS",
        );
        check("fleetctl on workbench", "fleetctl on workbench");
        check("Mozilla/5.0 strange", "Mozilla/5.0 strange");
        check("", "Unnamed");
    }
}
