//! Lines for spreadsheets (RFC 4180).

use super::text;

/// A line, without its end.
pub(crate) fn line<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> String {
    fields.into_iter().map(|field| quoted(field.as_ref())).collect::<Vec<_>>().join(",")
}

/// A field. What a spreadsheet would take for a formula gets an apostrophe in front: a box and a stranger choose some of these texts.
fn quoted(field: &str) -> String {
    let field = text::clean(field);
    let is_formula = field.starts_with(['=', '+', '-', '@']);
    let field = if is_formula { format!("'{field}") } else { field.into_owned() };
    if field.contains([',', '"', ' ', ';']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_are_no_formulas() {
        assert_eq!(line(["a", "", "b,c", "say \"x\""]), "a,,\"b,c\",\"say \"\"x\"\"\"");
        assert_eq!(line(["=1+1", "@x", "-2", "a=b"]), "'=1+1,'@x,'-2,a=b");
        assert_eq!(line(["two\nlines"]), "two\u{fffd}lines");
    }
}
