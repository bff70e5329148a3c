//! The `Stripe-Signature` header: `t=<seconds>,v1=<hex>[,v1=<hex>]`, HMAC-SHA256 over `<seconds>.<body>`.

use hmac::{Hmac, KeyInit, Mac};
use kernel::{Secret, Timestamp};
use sha2::Sha256;

use crate::gateway::WebhookError;

/// How old or how far in the future a signature may be, in seconds: as Stripe's own libraries have it.
const TOLERANCE: i64 = 300;
/// The longest header that is read, in bytes.
const MAX_HEADER: usize = 2_048;
/// The most signatures that are compared.
const MAX_SIGNATURES: usize = 16;

/// Checks that one of `secrets` signed this body a moment ago. Every comparison takes the same time.
pub(super) fn check(
    header: &str,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<(), WebhookError> {
    let signed = parse(header).ok_or(WebhookError::NoSignature)?;
    if now.secs().saturating_sub(signed.at).abs() > TOLERANCE {
        return Err(WebhookError::TooOld);
    }
    let is_signed = secrets.iter().any(|secret| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return false };
        mac.update(format!("{}.", signed.at).as_bytes());
        mac.update(body);
        signed.signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    });
    if is_signed { Ok(()) } else { Err(WebhookError::WrongSignature) }
}

#[derive(Debug, PartialEq, Eq)]
struct Signed {
    at: i64,
    signatures: Vec<[u8; 32]>,
}

fn parse(header: &str) -> Option<Signed> {
    if header.len() > MAX_HEADER {
        return None;
    }
    let (mut at, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        let (name, value) = part.trim().split_once('=')?;
        match name {
            "t" if at.is_none() && value.bytes().all(|byte| byte.is_ascii_digit()) => at = value.parse().ok(),
            "t" => return None,
            // Other schemes, such as `v0` of test mode, prove nothing.
            "v1" => {
                let mut bytes = [0; 32];
                if hex::decode_to_slice(value, &mut bytes).is_ok() {
                    signatures.push(bytes);
                }
            }
            _ => {}
        }
    }
    let is_plausible = !signatures.is_empty() && signatures.len() <= MAX_SIGNATURES;
    at.filter(|_| is_plausible).map(|at| Signed { at, signatures })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn sign(secret: &str, at: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}.{body}").as_bytes());
        format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
    }

    fn secrets() -> Vec<Secret> {
        vec![Secret::new("whsec_new"), Secret::new("whsec_old")]
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    #[test]
    fn either_secret_signs_and_nobody_else() {
        for secret in ["whsec_new", "whsec_old"] {
            let header = sign(secret, 1_000, "{}");
            assert_eq!(check(&header, b"{}", &secrets(), at(1_100)), Ok(()));
            assert_eq!(check(&header, b"{ }", &secrets(), at(1_100)), Err(WebhookError::WrongSignature));
            for now in [1_301, 699] {
                assert_eq!(check(&header, b"{}", &secrets(), at(now)), Err(WebhookError::TooOld));
            }
        }
        let header = sign("whsec_other", 1_000, "{}");
        assert_eq!(check(&header, b"{}", &secrets(), at(1_000)), Err(WebhookError::WrongSignature));
        assert_eq!(check(&header, b"{}", &[], at(1_000)), Err(WebhookError::WrongSignature));
    }

    #[test]
    fn a_later_time_cannot_be_put_on_an_old_signature() {
        let header = sign("whsec_new", 1_000, "{}").replace("t=1000", "t=2000");
        assert_eq!(check(&header, b"{}", &secrets(), at(2_000)), Err(WebhookError::WrongSignature));
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let good = sign("whsec_old", 1_000, "{}");
        let several = good.replacen(",v1=", &format!(",v1={},v0=00,v1=", "0".repeat(64)), 1);
        assert_eq!(check(&several, b"{}", &secrets(), at(1_000)), Ok(()));
    }

    #[test]
    fn broken_headers_are_refused() {
        let zeros = "0".repeat(64);
        for header in [
            String::new(),
            "t=1".into(),
            format!("v1={zeros}"),
            format!("t=1,t=2,v1={zeros}"),
            format!("t=-1,v1={zeros}"),
            format!("t=99999999999999999999,v1={zeros}"),
            "t=1,v1=zz".into(),
            format!("t=1,v1={zeros}0"),
            format!("t=1{}", format!(",v1={zeros}").repeat(17)),
            format!("t=1,v1={zeros},{}", "x=".repeat(2_048)),
        ] {
            assert_eq!(check(&header, b"", &secrets(), at(1)), Err(WebhookError::NoSignature), "{header}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_judged(header in ".{0,300}", body in proptest::collection::vec(any::<u8>(), 0..100), now in any::<i64>()) {
            prop_assert!(check(&header, &body, &secrets(), Timestamp::from_micros(now)).is_err());
        }

        #[test]
        fn one_changed_byte_is_found(place in 0usize..20, by in 1u8..=255) {
            let body = r#"{"id":"evt_1","t":1}"#;
            let header = sign("whsec_new", 1_000, body);
            let mut changed = body.as_bytes().to_vec();
            changed[place] = changed[place].wrapping_add(by);
            prop_assert!(check(&header, &changed, &secrets(), at(1_000)).is_err());
        }
    }
}
