//! Secrets and signatures of the Standard Webhooks specification 1.0.0, symmetric scheme `v1`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use kernel::{Secret, Timestamp};
use sha2::Sha256;

/// What stands before the base64 text of a secret.
pub const PREFIX: &str = "whsec_";

/// A fresh secret of 32 random bytes.
#[must_use]
pub fn fresh_secret() -> Secret {
    Secret::new(format!("{PREFIX}{}", STANDARD.encode(kernel::random_bytes::<32>())))
}

/// The `webhook-signature` header: one signature for each secret, so that a receiver may know either while a secret
/// is being replaced. Secrets that are no secrets of ours sign nothing.
#[must_use]
pub fn signatures(secrets: &[Secret], id: &str, at: Timestamp, payload: &str) -> String {
    let signed = secrets.iter().filter_map(|secret| sign(secret, id, at, payload));
    signed.collect::<Vec<_>>().join(" ")
}

fn sign(secret: &Secret, id: &str, at: Timestamp, payload: &str) -> Option<String> {
    let key = STANDARD.decode(secret.expose().strip_prefix(PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{}.{payload}", at.secs()).as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_published_example_signs_the_same() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let at = Timestamp::from_secs(1_614_265_330);
        let signed = signatures(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_receiver_may_know_either_of_two_secrets() {
        let (old, new) = (fresh_secret(), fresh_secret());
        let now = Timestamp::from_secs(of_now());
        let both = signatures(&[new.clone(), old.clone()], "event-1", now, "{}");
        for secret in [&old, &new] {
            verify(secret, "event-1", now, &both, "{}").unwrap();
            assert!(verify(secret, "event-1", now, &both, "{} ").is_err());
            assert!(verify(secret, "event-2", now, &both, "{}").is_err());
        }
        assert!(verify(&fresh_secret(), "event-1", now, &both, "{}").is_err());
    }

    #[test]
    fn what_is_no_secret_signs_nothing() {
        for text in ["", "whsec_", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            let signed = signatures(&[Secret::new(text)], "event-1", Timestamp::from_secs(1), "{}");
            assert!(signed.is_empty() || text == "whsec_", "{text}");
        }
    }

    /// The specification's own library refuses old timestamps, so these must be of now.
    #[allow(clippy::disallowed_methods)]
    fn of_now() -> i64 {
        kernel::Clock::system().now().secs()
    }

    fn verify(secret: &Secret, id: &str, at: Timestamp, signed: &str, payload: &str) -> Result<(), String> {
        let mut headers = http::HeaderMap::new();
        headers.insert("webhook-id", id.parse().unwrap());
        headers.insert("webhook-timestamp", at.secs().to_string().parse().unwrap());
        headers.insert("webhook-signature", signed.parse().unwrap());
        let webhook = standardwebhooks::Webhook::new(secret.expose()).map_err(|error| error.to_string())?;
        webhook.verify(payload.as_bytes(), &headers).map_err(|error| error.to_string())
    }
}
