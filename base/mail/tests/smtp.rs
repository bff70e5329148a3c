//! Against aiosmtpd, a mail server that others wrote, in the tools folder that `scripts/setup` fills.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::io::{BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use kernel::{Secret, Timestamp};
use mail::{MailConfig, MailError, Mailer, Message, SmtpConfig, SmtpTls};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `None` where the server is not installed, unless `FONDACO_TEST_MAIL=required`.
fn start(mode: &str) -> Option<Server> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/fondaco/tools");
    let tools = std::env::var_os("FONDACO_TOOLS").map_or_else(home, PathBuf::from);
    let python = tools.join("venv/bin/python");
    if !tools.join("venv/bin/aiosmtpd").exists() {
        let hint = format!("aiosmtpd is not in {}: run scripts/setup", tools.display());
        assert!(std::env::var("FONDACO_TEST_MAIL").as_deref() != Ok("required"), "{hint}");
        eprintln!("skipped: {hint}");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/smtp_server.py"))
        .arg(mode)
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().expect("the server says its port").unwrap();
    let port = first.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    Some(Server { child, lines, folder, port })
}

impl Server {
    fn config(&self, tls: SmtpTls) -> SmtpConfig {
        SmtpConfig {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls,
            user: None,
            password: None,
            authority_file: Some(self.folder.path().join("authority.pem")),
            from: "Fondaco <no-reply@example.com>".to_owned(),
            timeout: SmtpConfig::TIMEOUT,
        }
    }

    fn mailer(&self, tls: SmtpTls) -> Mailer {
        Mailer::new(&MailConfig::Smtp(self.config(tls))).unwrap()
    }

    fn with_password(&self, password: &str) -> Mailer {
        let mut config = self.config(SmtpTls::StartTls);
        config.user = Some("fondaco".to_owned());
        config.password = Some(Secret::new(password));
        Mailer::new(&MailConfig::Smtp(config)).unwrap()
    }

    fn taken(&mut self) -> String {
        self.lines.next().expect("a message").unwrap()
    }
}

fn message() -> Message {
    Message {
        to: "Ada <ada@example.com>".to_owned(),
        subject: "Confirm your address".to_owned(),
        text: "Open https://fondaco.example.com/verify".to_owned(),
        html: Some("<p>Open <a href='https://fondaco.example.com/verify'>this</a></p>".to_owned()),
    }
}

#[tokio::test]
async fn a_plain_message_arrives_with_both_forms() {
    let Some(mut server) = start("plain") else { return };
    server.mailer(SmtpTls::Auto).send(&message(), NOW).await.unwrap();
    let taken = server.taken();
    for part in [
        r#""sender": "no-reply@example.com", "recipients": ["ada@example.com"]"#,
        "Subject: Confirm your address\\r\\n",
        "Date: Fri, 15 Jan 2027 08:00:00 +0000",
        "Content-Type: multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        r#""tls": false"#,
    ] {
        assert!(taken.contains(part), "{part} is not in {taken}");
    }
}

#[tokio::test]
async fn starttls_with_a_password() {
    let Some(mut server) = start("starttls") else { return };
    server.with_password("s3cret").send(&message(), NOW).await.unwrap();
    let taken = server.taken();
    assert!(taken.contains(r#""tls": true, "user": "fondaco""#), "{taken}");

    let wrong = server.with_password("guess").send(&message(), NOW).await.unwrap_err();
    assert!(matches!(wrong, MailError::Later(_)) && wrong.is_temporary(), "{wrong:?}");
}

#[tokio::test]
async fn implicit_tls_and_certificates_that_nobody_vouches_for() {
    let Some(mut server) = start("implicit") else { return };
    server.mailer(SmtpTls::Implicit).send(&message(), NOW).await.unwrap();
    assert!(server.taken().contains("ada@example.com"));

    let mut config = server.config(SmtpTls::Implicit);
    config.authority_file = None;
    let stranger = Mailer::new(&MailConfig::Smtp(config)).unwrap();
    assert!(matches!(stranger.send(&message(), NOW).await, Err(MailError::Later(_))));
}

#[tokio::test]
async fn starttls_is_not_given_up_when_the_server_has_none() {
    let Some(server) = start("plain") else { return };
    assert!(server.mailer(SmtpTls::StartTls).send(&message(), NOW).await.is_err());
}

#[tokio::test]
async fn refusals_are_final_and_postponements_are_not() {
    let Some(server) = start("refusing") else { return };
    let refused = server.mailer(SmtpTls::Plain).send(&message(), NOW).await.unwrap_err();
    assert!(
        matches!(&refused, MailError::Refused(text) if text.contains("we do not want this")),
        "{refused:?}"
    );
    assert!(!refused.is_temporary());
    let Some(server) = start("later") else { return };
    let later = server.mailer(SmtpTls::Plain).send(&message(), NOW).await.unwrap_err();
    assert!(matches!(later, MailError::Later(_)) && later.is_temporary(), "{later:?}");
}

#[tokio::test]
async fn nobody_there_is_temporary() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let config = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port,
        tls: SmtpTls::Auto,
        user: None,
        password: None,
        authority_file: None,
        from: "no-reply@example.com".to_owned(),
        timeout: std::time::Duration::from_secs(1),
    };
    let sent = Mailer::new(&MailConfig::Smtp(config)).unwrap().send(&message(), NOW).await;
    assert!(matches!(sent, Err(MailError::Later(_))), "{sent:?}");
}

/// Listens and says nothing, as a server behind a wrong port does.
#[tokio::test]
async fn a_silent_server_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        tls: SmtpTls::Plain,
        user: None,
        password: None,
        authority_file: None,
        from: "no-reply@example.com".to_owned(),
        timeout: std::time::Duration::from_secs(1),
    };
    let begun = std::time::Instant::now();
    let sent = Mailer::new(&MailConfig::Smtp(config)).unwrap().send(&message(), NOW).await;
    assert!(matches!(sent, Err(MailError::Later(_))), "{sent:?}");
    assert!(begun.elapsed().as_secs() < 10);
}
