//! Which encoding a client wants: `Accept-Encoding` (RFC 9110 section 12.5.3).

use http::{HeaderMap, header};

use crate::documents::Coding;

/// How much a client wants each encoding, in thousandths; `None` is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Accepted {
    brotli: Option<u16>,
    gzip: Option<u16>,
    /// Zero where nothing is said of it: then it is for those who want nothing else.
    identity: Option<u16>,
}

impl Accepted {
    /// What the headers of a request say. What cannot be read counts as not said.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (mut brotli, mut gzip, mut identity, mut rest) = (None, None, None, None);
        for value in headers.get_all(header::ACCEPT_ENCODING) {
            for one in value.to_str().unwrap_or_default().split(',') {
                let mut parts = one.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default();
                let Some(weight) = weight(parts.next()) else { continue };
                match name {
                    "*" => rest = Some(weight),
                    _ if name.eq_ignore_ascii_case("br") => brotli = Some(weight),
                    _ if name.eq_ignore_ascii_case("gzip") => gzip = Some(weight),
                    _ if name.eq_ignore_ascii_case("identity") => identity = Some(weight),
                    _ => {}
                }
            }
        }
        let wanted = |said: Option<u16>| said.or(rest).filter(|weight| *weight > 0);
        Self {
            brotli: wanted(brotli),
            gzip: wanted(gzip),
            identity: if identity.or(rest) == Some(0) { None } else { identity.or(Some(0)) },
        }
    }

    /// What the client takes, the most wanted first, and of the equally wanted the shortest. Never nothing: who
    /// refuses everything gets the bytes as they are.
    pub(super) fn by_preference(self) -> impl Iterator<Item = Coding> {
        let mut all =
            [(Coding::Brotli, self.brotli), (Coding::Gzip, self.gzip), (Coding::Identity, self.identity)];
        if all.iter().all(|(_, weight)| weight.is_none()) {
            all[2].1 = Some(0);
        }
        all.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        all.into_iter().filter(|(_, weight)| weight.is_some()).map(|(coding, _)| coding)
    }

    /// The most wanted of what is always there: gzip, or the bytes as they are.
    pub(super) fn prefers_gzip(self) -> bool {
        self.by_preference().find(|coding| *coding != Coding::Brotli) == Some(Coding::Gzip)
    }
}

/// `q=0.123` in thousandths; 1000 where it is not said, `None` where it cannot be read.
fn weight(parameter: Option<&str>) -> Option<u16> {
    let Some(text) = parameter else { return Some(1000) };
    let text = text.strip_prefix("q=").or_else(|| text.strip_prefix("Q="))?;
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn preference(text: &str) -> Vec<Coding> {
        let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap())]);
        Accepted::of(&headers).by_preference().collect()
    }

    #[test]
    fn encodings_are_read_as_clients_write_them() {
        use Coding::{Brotli, Gzip, Identity};
        for (text, expected) in [
            ("gzip,deflate", vec![Gzip, Identity]),
            ("gzip, deflate, br, zstd", vec![Brotli, Gzip, Identity]),
            ("zstd, GZIP;q=0.5", vec![Gzip, Identity]),
            ("br;q=0.2, gzip;q=0.8", vec![Gzip, Brotli, Identity]),
            ("*", vec![Brotli, Gzip, Identity]),
            ("*;q=0.5, br;q=0", vec![Gzip, Identity]),
            ("gzip;q=0.5, identity;q=1", vec![Identity, Gzip]),
            ("br;q=0.001", vec![Brotli, Identity]),
            ("gzip, identity;q=0", vec![Gzip]),
            ("gzip, *;q=0", vec![Gzip]),
            ("*;q=0", vec![Identity]),
            ("", vec![Identity]),
            ("identity", vec![Identity]),
            ("gzip;q=0", vec![Identity]),
            ("gzip; q=0.000", vec![Identity]),
            ("gzip;q=nonsense, br;q=2", vec![Identity]),
        ] {
            assert_eq!(preference(text), expected, "{text}");
        }
        assert_eq!(Accepted::of(&HeaderMap::new()).by_preference().collect::<Vec<_>>(), [Identity]);
    }

    #[test]
    fn what_is_always_there_is_chosen_without_brotli() {
        let prefers_gzip = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]);
            Accepted::of(&headers).prefers_gzip()
        };
        assert!(prefers_gzip("br, gzip;q=0.1"));
        assert!(!prefers_gzip("br"));
        assert!(!prefers_gzip("gzip;q=0.5, identity"));
    }

    proptest! {
        /// Whatever weights are given: the most wanted comes first, what is refused never.
        #[test]
        fn the_most_wanted_comes_first(
            brotli in 0u16..=1000, gzip in 0u16..=1000, identity in 0u16..=1000, order in Just([0, 1, 2]).prop_shuffle(),
        ) {
            let weights = [("br", brotli), ("gzip", gzip), ("identity", identity)];
            let one = |at: usize| {
                let (name, weight) = weights[at];
                format!("{name};q={}.{:03}", weight / 1000, weight % 1000)
            };
            let chosen = preference(&order.map(one).join(" , "));
            let of = |coding: &Coding| match coding {
                Coding::Brotli => brotli,
                Coding::Gzip => gzip,
                Coding::Identity => identity,
            };
            prop_assert!(!chosen.is_empty());
            prop_assert!(chosen.is_sorted_by(|a, b| of(a) >= of(b)));
            if brotli + gzip + identity > 0 {
                prop_assert!(chosen.iter().all(|coding| of(coding) > 0));
                prop_assert_eq!(chosen.len(), weights.iter().filter(|(_, weight)| *weight > 0).count());
            }
        }

        #[test]
        fn any_header_is_read_without_panic(text in "(gzip|br|\\*|identity|;|,|q=|0|1|\\.| |[ -~]){0,30}") {
            prop_assert!(!preference(&text).is_empty());
        }
    }
}
