#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use super::*;

fn environment<const N: usize>(variables: [(&str, &str); N]) -> Sources {
    let environment =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

fn with_file(text: &str, mut sources: Sources) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fondaco.toml");
    std::fs::write(&path, text).unwrap();
    sources.file = Some(path);
    (folder, sources)
}

fn origin(loaded: &Loaded, name: &str) -> String {
    loaded.entries.iter().find(|entry| entry.key.name == name).unwrap().origin.to_string()
}

fn problems(sources: &Sources) -> Vec<String> {
    sources.load().unwrap_err().0
}

#[test]
fn the_table_and_the_types_agree() {
    let (_folder, sources) = with_file("", environment([]));
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.config.server.web_port, 8080);
    assert_eq!(loaded.config.auth.token_expiry, Duration::from_secs(7 * 86_400));
    assert_eq!(loaded.config.registry.max_upload, 128 << 20);
    assert_eq!(loaded.entries.len(), KEYS.len());
    // Each key alone must fit its field: a missing or misspelt field would be refused here.
    for key in KEYS {
        let text = match key.kind {
            Kind::Text | Kind::Secret if key.name == "database.url" => "postgres://localhost/x",
            Kind::List if key.name == "wallet.currencies" => "EUR",
            Kind::List if key.name == "billing.retry_days" => "2",
            Kind::Secret => "a secret of more than thirty-two characters",
            Kind::Text | Kind::Path | Kind::List => "info",
            Kind::Flag => "true",
            Kind::Count(..) => "16",
            Kind::Address => "::1",
            Kind::Url => "https://example.com/path",
            Kind::Choice(words) | Kind::Choices(words) => words[0],
            Kind::Duration => "1h",
            Kind::Size => "1MB",
            Kind::Tables => r#"[{"name": "up", "url": "https://example.com"}]"#,
        };
        let loaded = environment([(&key.variable(), text)])
            .load()
            .unwrap_or_else(|error| panic!("{}: {error}", key.name));
        assert_eq!(origin(&loaded, key.name), format!("environment {}", key.variable()));
    }
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let file = "[server]\nweb_port = 1\n";
    let flag = ("server.web_port", "--web-port", "3".to_owned());
    let cases = [
        ("", "", None, 8080, "default"),
        (file, "", None, 1, "fondaco.toml:2"),
        (file, "2", None, 2, "environment DASHBOARD_PORT"),
        (file, "2", Some(flag), 3, "flag --web-port"),
    ];
    for (file, variable, flag, port, from) in cases {
        let (_folder, mut sources) = with_file(file, environment([("DASHBOARD_PORT", variable)]));
        sources.flags.extend(flag);
        let loaded = sources.load().unwrap();
        assert_eq!(loaded.config.server.web_port, port);
        assert!(origin(&loaded, "server.web_port").ends_with(from), "{from}");
    }
}

#[test]
fn our_own_name_wins_over_the_seeds() {
    let loaded = environment([("PORT", "1"), ("FONDACO_SERVER__API_PORT", "2")]).load().unwrap();
    assert_eq!(loaded.config.server.api_port, 2);
}

#[test]
fn every_name_of_the_seed_is_taken() {
    let loaded = environment([
        ("PORT", "1"),
        ("MARKETPLACE_PORT", "2"),
        ("ORCHESTRATOR_PORT", "3"),
        ("REGISTRY_PORT", "4"),
        ("DASHBOARD_PORT", "5"),
        ("DATABASE_PATH", "/d/x.db"),
        ("REGISTRY_DATABASE_PATH", "/d/y.db"),
        ("JWT_SECRET", "a secret of more than thirty-two characters"),
        ("TOKEN_EXPIRY", "1d"),
        ("CDN_URL", "https://cdn.example.com"),
        ("STORAGE_BUCKET", "bucket"),
        ("SMTP_HOST", "smtp.example.com"),
        ("SMTP_PORT", "465"),
        ("SMTP_USER", "user"),
        ("SMTP_PASS", "pass"),
        ("STRIPE_API_KEY", "sk"),
        ("BILLING_EMAIL", "billing@example.com"),
    ])
    .load()
    .unwrap();
    let server = &loaded.config.server;
    let ports = [
        server.api_port,
        server.services_port,
        server.orchestrator_port,
        server.registry_port,
        server.web_port,
    ];
    assert_eq!(ports, [1, 2, 3, 4, 5]);
    assert_eq!(loaded.config.auth.token_expiry, Duration::from_secs(86_400));
    assert_eq!(loaded.config.mail.smtp_password.as_ref().map(Secret::expose), Some("pass"));
    assert_eq!(loaded.config.blobs().s3.unwrap().bucket, "bucket");
    assert!(
        matches!(loaded.config.store(), store::StoreConfig::Sqlite { path, .. } if path.ends_with("x.db"))
    );
    assert_eq!(loaded.config.payments.stripe_key.as_ref().map(Secret::expose), Some("sk"));
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].starts_with("REGISTRY_DATABASE_PATH is set and not used: one database"));
}

#[test]
fn secrets_are_read_from_files_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "a secret of more than thirty-two characters\n").unwrap();
    let uplinks =
        format!(r#"[{{"name":"up","url":"https://example.com","token_file":"{}"}}]"#, path.display());
    let loaded = environment([
        ("JWT_SECRET_FILE", path.to_str().unwrap()),
        ("FONDACO_MAIL__SMTP_PASSWORD_FILE", path.to_str().unwrap()),
        ("FONDACO_REGISTRY__UPLINKS", &uplinks),
        ("DATABASE_URL", "postgres://u:a secret@localhost/x"),
    ])
    .load()
    .unwrap();
    let secret = loaded.config.auth.jwt_secret.as_ref().unwrap();
    assert_eq!(secret.expose(), "a secret of more than thirty-two characters");
    assert_eq!(loaded.config.registry.uplinks[0].token.as_ref(), Some(secret));
    assert!(!format!("{:?} {:?}", loaded.entries, loaded.config).contains("a secret"));
    assert!(problems(&environment([("JWT_SECRET_FILE", "/nowhere")]))[0].contains("/nowhere cannot be read"));
}

#[test]
fn unknown_keys_are_refused_with_a_guess() {
    let text = "[server]\nlsten = \"::1\"\n[sever]\nlisten = \"::1\"\n[cats]\n";
    let (_folder, sources) =
        with_file(text, environment([("FONDACO_SERVER__PROT", "1"), ("FONDACO_TOKN", "x")]));
    let found = problems(&sources).join("\n");
    for expected in [
        "fondaco.toml:2: there is no setting `server.lsten`; did you mean server.listen?",
        "fondaco.toml:4: there is no setting `sever.listen`; did you mean server.listen?",
        "fondaco.toml:5: there is no setting `cats`; `fondaco check` lists all",
        "environment FONDACO_SERVER__PROT: no such setting; did you mean FONDACO_SERVER__",
        "environment FONDACO_TOKN: no such setting; did you mean FONDACO_TOKEN?",
    ] {
        assert!(found.contains(expected), "{expected}\n in \n{found}");
    }
}

#[test]
fn what_kubernetes_and_the_tests_set_is_left_alone() {
    let loaded = environment([
        ("FONDACO_SERVICE_HOST", "10.0.0.1"),
        ("FONDACO_WEB_SERVICE_PORT_HTTP", "80"),
        ("FONDACO_PORT", "tcp://10.0.0.1:80"),
        ("FONDACO_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("FONDACO_TEST_POSTGRES", "x"),
    ]);
    assert!(loaded.load().is_ok());
}

#[test]
fn wrong_values_are_refused_with_their_place() {
    let cases = [
        (("PORT", "70000"), "environment PORT (server.api_port): write a whole number from 0 to 65535"),
        (
            ("TOKEN_EXPIRY", "soon"),
            "environment TOKEN_EXPIRY (auth.token_expiry): `soon` is no duration: write 30s, 15m, 1h30m or 7d",
        ),
        (
            ("FONDACO_SERVER__LISTEN", "localhost"),
            "environment FONDACO_SERVER__LISTEN (server.listen): `localhost` is no IP address: write 127.0.0.1, 0.0.0.0 or ::1",
        ),
        (
            ("FONDACO_SERVER__ROLES", "api,cook"),
            "environment FONDACO_SERVER__ROLES (server.roles): `cook` is none of api, registry, web, orchestrator, worker",
        ),
        (
            ("CDN_URL", "ftp://x"),
            "environment CDN_URL (registry.cdn_url): `ftp://x` is no address: write https://host or https://host/path",
        ),
        (
            ("JWT_SECRET", "short"),
            "auth.jwt_secret: use at least 32 characters: anybody who guesses it can sign in as anyone",
        ),
        (
            ("FONDACO_LOG__LEVEL", "a=b=c"),
            "log.level: write error, warn, info, debug or trace, or a filter such as info,registry=debug",
        ),
    ];
    for (variable, expected) in cases {
        assert_eq!(problems(&environment([variable])), [expected]);
    }
    let (_folder, sources) = with_file("[server]\nweb_port = \"x\"\n", environment([]));
    assert!(
        problems(&sources)[0]
            .ends_with("fondaco.toml:2: server.web_port: write a whole number from 0 to 65535")
    );
    let (_folder, sources) = with_file("[server\n", environment([]));
    assert!(problems(&sources)[0].contains("line 1"));
}

#[test]
fn the_example_file_is_what_the_table_says_and_changes_nothing() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fondaco.example.toml");
    if std::env::var_os("UPDATE_EXAMPLE").is_some() {
        std::fs::write(path, example()).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == example(), "stale: run UPDATE_EXAMPLE=1 cargo nextest run -p fondaco example");

    // Uncommented up to the uplinks it must mean the same as no file at all.
    let lines = written.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.contains(" = ") && !rest.starts_with(' ') => rest,
        _ => line,
    });
    let before = lines.clone().take_while(|line| *line != "#[[registry.uplinks]]");
    let after =
        lines.skip_while(|line| *line != "#[[registry.uplinks]]").skip_while(|line| !line.starts_with('['));
    let text = before.chain(after).collect::<Vec<_>>().join("\n");
    let (_folder, sources) = with_file(&text, environment([]));
    let from_file = sources.load().unwrap();
    let from_default = environment([]).load().unwrap();
    for (ours, theirs) in from_file.entries.iter().zip(&from_default.entries) {
        assert_eq!(ours.shown, theirs.shown, "{}", ours.key.name);
        assert_eq!(ours.key.default.is_some(), ours.origin != Origin::Default, "{}", ours.key.name);
    }
    let uplink = example::UPLINK.lines().map(|line| line.trim_start_matches('#'));
    let uplink = uplink.filter(|line| !line.starts_with(' ') && !line.starts_with("token_file"));
    let (_folder, sources) = with_file(&uplink.collect::<Vec<_>>().join("\n"), environment([]));
    assert_eq!(sources.load().unwrap().config.registry.uplinks[0].timeout, Duration::from_secs(30));
}
