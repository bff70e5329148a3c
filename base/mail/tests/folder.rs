//! Without a server: messages as files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;

use kernel::{Secret, Timestamp};
use mail::{MailConfig, MailError, Mailer, Message, SmtpConfig, SmtpTls};

const FROM: &str = "Fondaco <no-reply@example.com>";

#[tokio::test]
async fn each_message_is_a_file_that_others_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let mail = folder.path().join("mail");
    let config = MailConfig::Folder { folder: mail.clone(), from: FROM.to_owned() };
    let mailer = Mailer::new(&config).unwrap();
    for number in 1..=3 {
        let subject = format!("Message {number}");
        let message =
            Message { to: "ada@example.com".to_owned(), subject, text: "Hello".to_owned(), html: None };
        mailer.send(&message, Timestamp::from_secs(1_800_000_000)).await.unwrap();
    }
    let mut paths: Vec<_> = std::fs::read_dir(&mail).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 3);
    for (path, number) in paths.iter().zip(1..) {
        assert!(path.extension().unwrap() == "eml");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(&format!("Subject: Message {number}\r\n")), "the names sort by age: {text}");
    }
    assert_eq!(mail.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = MailConfig::Folder { folder: folder.path().to_owned(), from: "nobody".to_owned() };
    assert!(matches!(Mailer::new(&config), Err(MailError::Config(_))));

    let mut config = SmtpConfig {
        host: "mail.example.com".to_owned(),
        port: 25,
        tls: SmtpTls::Plain,
        user: Some("fondaco".to_owned()),
        password: Some(Secret::new("s3cret")),
        authority_file: None,
        from: FROM.to_owned(),
        timeout: SmtpConfig::TIMEOUT,
    };
    let refused = Mailer::new(&MailConfig::Smtp(config.clone()));
    assert!(matches!(refused, Err(MailError::Config(text)) if text.contains("starttls")));
    config.tls = SmtpTls::StartTls;
    config.authority_file = Some(folder.path().join("missing.pem"));
    assert!(
        matches!(Mailer::new(&MailConfig::Smtp(config)), Err(MailError::Config(text)) if text.contains("missing.pem"))
    );
}
