//! `deployment connect`: the service's own client, signed in. Passwords go by the environment, never by arguments, which
//! every user of a machine can read.

use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;

use super::super::answer::text;
use super::super::client::{Client, Query};
use super::super::failure::{Failure, code};
use super::super::terminal::Terminal;
use super::path;

/// Becomes the client of the deployment's service.
///
/// # Errors
/// When none is known for it, or none is installed here.
pub(super) async fn connect(
    terminal: &Terminal,
    client: &Client,
    which: &str,
    arguments: &[String],
) -> Result<(), Failure> {
    let path = format!("{}/credentials", path(client, which).await?);
    let answer = client.get(&path, Query::default().and("reveal", "true")).await?;
    let shown = answer.get("credentials").unwrap_or(&answer);
    let calls = calls(shown);
    let manual = format!("fondaco deployment credentials {which} --reveal");
    if calls.is_empty() {
        let detail = "No client is known for this service.";
        return Err(
            Failure::new(code::FAILED, "cli.no_client", "It cannot be connected to", detail).next(manual)
        );
    }
    terminal.say(format!("Connecting to {}:{}", text(shown, "host"), port(shown)));
    for call in &calls {
        let mut command = Command::new(call.program);
        command.args(&call.arguments).args(arguments).envs(call.environment.iter().cloned());
        let error = command.exec();
        if error.kind() != std::io::ErrorKind::NotFound {
            return Err(Failure::local("The client does not start", error));
        }
    }
    let names: Vec<&str> = calls.iter().map(|call| call.program).collect();
    let detail = format!("Install {} on this machine, or use another client.", names.join(" or "));
    Err(Failure::new(code::FAILED, "cli.no_client", "The client is not installed", detail).next(manual))
}

/// One way to start a client.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    program: &'static str,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

/// The clients that can speak to what was shown, the best first.
fn calls(shown: &Value) -> Vec<Call> {
    let (host, port) = (text(shown, "host"), port(shown));
    let (user, password) = (text(shown, "username"), text(shown, "password"));
    let database = text(shown, "database");
    let uri = text(shown, "connectionString");
    let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
    let call = |program, arguments: &[&str], environment: &[(&'static str, &String)]| Call {
        program,
        arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        environment: environment.iter().map(|(name, value)| (*name, (*value).clone())).collect(),
    };
    match scheme {
        "postgresql" | "postgres" => vec![call(
            "psql",
            &[],
            &[
                ("PGHOST", &host),
                ("PGPORT", &port),
                ("PGUSER", &user),
                ("PGDATABASE", &database),
                ("PGPASSWORD", &password),
            ],
        )],
        "redis" | "rediss" | "valkey" => ["valkey-cli", "redis-cli"]
            .map(|program| {
                let mut arguments = vec!["-h", &host, "-p", &port];
                if !user.is_empty() && user != "default" {
                    arguments.extend(["--user", &user]);
                }
                call(program, &arguments, &[("REDISCLI_AUTH", &password), ("VALKEYCLI_AUTH", &password)])
            })
            .into(),
        "mysql" | "mariadb" => ["mariadb", "mysql"]
            .map(|program| {
                let arguments = ["--protocol=tcp", "-h", &host, "-P", &port, "-u", &user, "-D", &database];
                call(program, &arguments, &[("MYSQL_PWD", &password)])
            })
            .into(),
        _ => Vec::new(),
    }
}

/// The port, which stands as a text or as a number.
fn port(shown: &Value) -> String {
    match shown.get("port") {
        Some(Value::Number(port)) => port.to_string(),
        _ => text(shown, "port"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(scheme: &str) -> Value {
        json!({
            "host": "127.0.0.1", "port": 20001, "username": "user_x", "password": "s3cret", "database": "app",
            "connectionString": format!("{scheme}://user_x:s3cret@127.0.0.1:20001/app"),
        })
    }

    #[test]
    fn passwords_are_no_arguments() {
        for (scheme, program) in [("postgresql", "psql"), ("redis", "valkey-cli"), ("mysql", "mariadb")] {
            let calls = calls(&shown(scheme));
            assert_eq!(calls.first().map(|call| call.program), Some(program));
            for call in calls {
                assert!(call.arguments.iter().all(|argument| !argument.contains("s3cret")), "{call:?}");
                assert!(call.environment.iter().any(|(_, value)| value == "s3cret"), "{call:?}");
            }
        }
        assert_eq!(calls(&shown("gopher")), []);
    }
}
