//! A letter as HTML: one column that a phone shows as it is, in light and in dark, without anything that has to be fetched.

use super::letter::{BRAND, Letter};
use std::fmt::Write as _;

/// Colours that a mail program that knows about dark mode takes instead. Those that do not know the rule show the light ones, which stand
/// at each part and are readable on whatever such programs make of them.
const STYLE: &str = "body{margin:0}
@media (prefers-color-scheme:dark){
.page{background:#16191d!important}
.card{background:#20252b!important;border-color:#39414a!important}
.words,.words a{color:#e8eaed!important}
.small,.small a{color:#a9b1ba!important}
.quote{border-color:#5b8def!important;color:#e8eaed!important}
}";
const FONT: &str = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/// Writes a letter down. Whatever is in it is text: nothing of it becomes a tag.
pub(super) fn html(letter: &Letter) -> String {
    let mut body = String::new();
    let mut add = |part: std::fmt::Arguments<'_>| {
        // Writing to a String cannot fail.
        let _infallible = body.write_fmt(part);
    };
    for paragraph in &letter.paragraphs {
        add(format_args!("<p class=\"words\" style=\"margin:0 0 16px;color:#1f2429\">{}</p>\n", escape(paragraph)));
    }
    if let Some(quote) = &letter.quote {
        add(format_args!(
            "<blockquote class=\"quote\" style=\"margin:0 0 16px;padding:4px 0 4px 12px;border-left:3px solid #2f6fed;color:#1f2429\">{}</blockquote>\n",
            escape(quote)
        ));
    }
    if let Some(action) = &letter.action {
        let (url, label) = (escape(&action.url), escape(action.label));
        add(format_args!(
            "<p style=\"margin:24px 0\"><a href=\"{url}\" style=\"display:inline-block;padding:12px 20px;border-radius:8px;background:#2f6fed;color:#ffffff;font-weight:600;text-decoration:none\">{label}</a></p>\n"
        ));
        if let Some(validity) = &action.validity {
            add(format_args!("<p class=\"words\" style=\"margin:0 0 16px;color:#1f2429\">{}</p>\n", escape(validity)));
        }
        add(format_args!(
            "<p class=\"small\" style=\"margin:0 0 16px;font-size:13px;color:#5b646d;word-break:break-all\">If the button does nothing, open this address: <a href=\"{url}\" style=\"color:#5b646d\">{url}</a></p>\n"
        ));
    }
    if let Some(otherwise) = letter.otherwise {
        add(format_args!("<p class=\"words\" style=\"margin:0;color:#1f2429\">{}</p>\n", escape(otherwise)));
    }
    format!(
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"supported-color-schemes\" content=\"light dark\">
<title>{subject}</title>
<style>{STYLE}</style>
</head>
<body class=\"page\" style=\"margin:0;background:#f3f5f7\">
<div class=\"page\" style=\"padding:24px 12px;background:#f3f5f7;{FONT};font-size:16px;line-height:1.5\">
<div class=\"card\" style=\"max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border:1px solid #dde2e7;border-radius:12px\">
<p class=\"small\" style=\"margin:0 0 16px;font-size:13px;font-weight:600;letter-spacing:.02em;color:#5b646d\">{BRAND}</p>
<h1 class=\"words\" style=\"margin:0 0 16px;font-size:22px;line-height:1.3;color:#1f2429\">{heading}</h1>
{body}</div>
<p class=\"small\" style=\"max-width:560px;margin:16px auto 0;font-size:12px;color:#5b646d\">{footer}</p>
</div>
</body>
</html>
",
        subject = escape(&letter.subject),
        heading = escape(letter.heading),
        footer = escape(&letter.footer()),
    )
}

/// A text in which nothing is HTML, inside and outside of quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_tag_or_leaves_an_attribute() {
        assert_eq!(escape("<b a='\"'>&amp;"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;amp;");
    }
}
