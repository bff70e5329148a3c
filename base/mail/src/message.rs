//! A message and its form on the wire (RFC 5322, MIME).

use std::time::{Duration, UNIX_EPOCH};

use kernel::Timestamp;
use lettre::message::{Mailbox, MultiPart};

use crate::MailError;

/// The longest subject; mail programs show less.
const MAX_SUBJECT_CHARS: usize = 250;

/// The longest recipient with name: 254 for the address (RFC 5321) and room for a name.
const MAX_RECIPIENT_CHARS: usize = 400;

/// The most bytes of text and HTML together.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// What to tell whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The recipient, an address or `Name <address>`.
    pub to: String,
    /// The subject, one line.
    pub subject: String,
    /// The text: every message has one.
    pub text: String,
    /// The same as HTML, if it is to look better.
    pub html: Option<String>,
}

/// The message as it is sent.
pub(crate) fn build(
    message: &Message,
    from: &Mailbox,
    id: &str,
    now: Timestamp,
) -> Result<lettre::Message, MailError> {
    one_line("recipient", &message.to, MAX_RECIPIENT_CHARS)?;
    one_line("subject", &message.subject, MAX_SUBJECT_CHARS)?;
    if message.text.len() + message.html.as_ref().map_or(0, String::len) > MAX_BODY_BYTES {
        return Err(MailError::TooLarge { max_bytes: MAX_BODY_BYTES });
    }
    let to: Mailbox = message.to.parse().map_err(|_| MailError::Address(message.to.clone()))?;
    let micros = u64::try_from(now.micros()).unwrap_or(0);
    let builder = lettre::Message::builder()
        .from(from.clone())
        .to(to)
        .subject(&message.subject)
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(UNIX_EPOCH + Duration::from_micros(micros));
    let built = match &message.html {
        Some(html) => {
            builder.multipart(MultiPart::alternative_plain_html(message.text.clone(), html.clone()))
        }
        None => builder.body(message.text.clone()),
    };
    built.map_err(|error| MailError::Address(error.to_string()))
}

/// A line break in a header would let its text add headers of its own.
fn one_line(field: &'static str, text: &str, max_chars: usize) -> Result<(), MailError> {
    let line_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.chars().any(line_break) || text.chars().count() > max_chars {
        return Err(MailError::Header { field, max_chars });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn built(to: &str, subject: &str, text: &str) -> Result<String, MailError> {
        let message = Message { to: to.into(), subject: subject.into(), text: text.into(), html: None };
        let from = "Fondaco <no-reply@example.com>".parse().unwrap();
        let built = build(&message, &from, "mail-1", Timestamp::from_secs(1_800_000_000))?;
        Ok(String::from_utf8(built.formatted()).unwrap())
    }

    #[test]
    fn headers_come_from_the_arguments() {
        let text = built("Ada <ada@example.com>", "Grüße", "Hello").unwrap();
        assert!(text.contains("Message-ID: <mail-1@example.com>\r\n"), "{text}");
        assert!(text.contains("Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n"), "{text}");
        assert!(text.contains("To: Ada <ada@example.com>\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nHello"), "{text}");
    }

    #[test]
    fn injected_headers_are_refused() {
        for subject in ["a\r\nBcc: eve@example.com", "a\nb", "a\rb", "a\0b", "a\u{2028}b"] {
            assert!(matches!(
                built("ada@example.com", subject, ""),
                Err(MailError::Header { field: "subject", .. })
            ));
        }
        let to = "ada@example.com\r\nBcc: eve@example.com";
        assert!(matches!(built(to, "a", ""), Err(MailError::Header { field: "recipient", .. })));
        assert!(matches!(built("ada@example.com, eve@example.com", "a", ""), Err(MailError::Address(_))));
        assert!(matches!(built("ada", "a", ""), Err(MailError::Address(_))));
        let long = "x".repeat(MAX_BODY_BYTES + 1);
        assert!(matches!(built("ada@example.com", "a", &long), Err(MailError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn any_text_gives_one_recipient_and_the_known_headers(to in any::<String>(), subject in any::<String>(), text in any::<String>()) {
            let known = ["From", "To", "Subject", "Message-ID", "Date", "MIME-Version", "Content-Transfer-Encoding", "Content-Type"];
            for to in [to.as_str(), "ada@example.com"] {
                let Ok(message) = built(to, &subject, &text) else { continue };
                let head = message.split("\r\n\r\n").next().unwrap();
                for line in head.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])) {
                    let name = line.split(':').next().unwrap();
                    prop_assert!(known.contains(&name), "{line:?}");
                }
            }
        }
    }
}
