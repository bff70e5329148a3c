//! Finding a cookie.

use http::{HeaderMap, header};

/// The value of the first cookie called `name` (RFC 6265, 5.4), over all `Cookie` lines; `Some("")` for one without a
/// value. Lines that are not ASCII are passed over. The value is what the client sent: callers check its length and
/// form.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_the_first_counts() {
        let headers = headers(&["theme=dark;x_name=a; name=b=c ;name=d", "other=e"]);
        assert_eq!(cookie(&headers, "name"), Some("b=c"));
        assert_eq!(cookie(&headers, "other"), Some("e"));
        assert_eq!(cookie(&headers, "na"), None);
        assert_eq!(cookie(&HeaderMap::new(), "name"), None);
    }

    #[test]
    fn a_cookie_without_a_value_is_there_and_empty() {
        assert_eq!(cookie(&headers(&["name=; a=b"]), "name"), Some(""));
        assert_eq!(cookie(&headers(&["name; a=b"]), "name"), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(bytes in prop::collection::vec(32u8..=255, 0..200)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(header::COOKIE, value);
                let _ = cookie(&headers, "a");
            }
        }
    }
}
