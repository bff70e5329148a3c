//! Tables for spreadsheets (RFC 4180), sent while they are read.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, TryStream};
use futures_util::{StreamExt, TryStreamExt};
use http::{HeaderValue, header};
use kernel::Money;

/// One line. What a spreadsheet would run as a formula is led by an apostrophe, so that it is shown as text.
pub fn line<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(&mut out, field.as_ref());
    }
    out.push_str("\r\n");
    out
}

/// An amount as a number of major units, which also below zero is no formula.
#[must_use]
pub fn amount(money: Money) -> String {
    money.major()
}

fn push(out: &mut String, field: &str) {
    let is_number = field.parse::<f64>().is_ok();
    let is_formula = !is_number && field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_plain = !field.contains(['"', ',', '\n', '\r']);
    if is_plain && !is_formula {
        return out.push_str(field);
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    out.push_str(&field.replace('"', "\"\""));
    out.push('"');
}

/// A file of this name: the `head` line, then `rows`, each some finished lines. It is sent as it is read; when reading
/// fails the connection ends early, so that nobody takes a part for the whole.
pub fn file<S>(name: &str, head: &[&str], rows: S) -> Response
where
    S: TryStream<Ok = String> + Send + 'static,
    S::Error: std::error::Error + Send + Sync + 'static,
{
    let head = stream::iter([Ok(line(head))]);
    let body = Body::from_stream(head.chain(rows.into_stream()));
    let mut response =
        ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], body).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let fields = ["a", "b,c", "say \"hi\"", "=1+1", "-5.00", "-x", "", "two\nlines"];
        let expected = "a,\"b,c\",\"say \"\"hi\"\"\",\"'=1+1\",-5.00,\"'-x\",,\"two\nlines\"\r\n";
        assert_eq!(line(fields), expected);
    }

    /// A reader of RFC 4180, to compare with.
    fn read(line: &str) -> Vec<String> {
        let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
        let mut letters = line.trim_end_matches("\r\n").chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => {
                    letters.next();
                    field.push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(std::mem::take(&mut field)),
                letter => field.push(letter),
            }
        }
        fields.push(field);
        fields
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(fields in prop::collection::vec("[ -~]{0,12}", 1..5)) {
            let back = read(&line(&fields));
            prop_assert_eq!(back.len(), fields.len());
            for (back, field) in back.iter().zip(&fields) {
                let as_text = format!("'{field}");
                prop_assert!(*back == *field || *back == as_text);
                prop_assert!(!back.starts_with(['=', '@']));
            }
        }
    }
}
