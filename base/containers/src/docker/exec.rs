//! Commands in running containers.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use futures_util::{FutureExt as _, StreamExt as _, future};

use super::Docker;
use super::error::{failed, found, of, status};
use crate::{EngineError, Exec, Kind, Output, Running, State, Stream};

impl Docker {
    pub(super) async fn run_exec(&self, name: &str, command: &Exec) -> Result<Running, EngineError> {
        if self.state(name).await? != State::Running {
            return Err(EngineError::NotRunning(name.to_owned()));
        }
        let client = self.client().await?.clone();
        let options = CreateExecOptions {
            attach_stdin: Some(command.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            env: Some(command.env.iter().map(|(key, value)| format!("{key}={value}")).collect()),
            cmd: Some(command.argv.clone()),
            user: command.user.clone(),
            ..CreateExecOptions::default()
        };
        let stopped = |error: Error| match status(&error) {
            Some(409) => EngineError::NotRunning(name.to_owned()),
            _ => of(Kind::Container, name)(error),
        };
        let id = client.create_exec(name, options).await.map_err(stopped)?.id;
        let started = client.start_exec(&id, None::<StartExecOptions>).await.map_err(stopped)?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::Failed("the engine runs the command, but does not show it".to_owned()));
        };
        let output =
            output.filter_map(|piece| future::ready(piece.map_err(failed).map(of_output).transpose()));
        Ok(Running {
            stdin: command.stdin.then_some(input),
            output: output.boxed(),
            exit: exit(client, id).boxed(),
        })
    }
}

fn of_output(piece: LogOutput) -> Option<Output> {
    let (stream, bytes) = match piece {
        LogOutput::StdOut { message } | LogOutput::Console { message } => (Stream::Stdout, message),
        LogOutput::StdErr { message } => (Stream::Stderr, message),
        LogOutput::StdIn { .. } => return None,
    };
    Some(Output { stream, bytes })
}

/// The engine ends the output a moment before it knows the exit code.
async fn exit(client: bollard::Docker, id: String) -> Result<i64, EngineError> {
    loop {
        let Some(seen) = found(client.inspect_exec(&id).await)? else {
            return Err(EngineError::Failed("the container ended before its command".to_owned()));
        };
        match seen {
            seen if seen.running == Some(true) => tokio::time::sleep(Duration::from_millis(5)).await,
            seen => {
                let lost = || EngineError::Failed("the engine lost the command".to_owned());
                return seen.exit_code.ok_or_else(lost);
            }
        }
    }
}
