//! Files that the server sends: saved whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::args::Saved;
use super::client::{Client, next_chunk};
use super::failure::{Failure, code};
use super::terminal::Terminal;

/// A file that was saved.
#[derive(Debug)]
pub(crate) struct Download {
    /// None: it went to standard output.
    pub(crate) path: Option<PathBuf>,
    size_bytes: usize,
}

impl Download {
    /// As programs read it.
    pub(crate) fn to_json(&self) -> Value {
        json!({"path": self.path, "sizeBytes": self.size_bytes})
    }

    /// Says where it is: the path alone on standard output.
    pub(crate) fn show(&self, terminal: &Terminal) {
        if let Some(path) = &self.path {
            terminal.data(path.display().to_string());
            terminal.done(format!("Saved {}.", path.display()));
        }
    }
}

/// Saves what a path of the API answers with. `name` is what the file is called where people do not say; without it
/// the server decides.
///
/// # Errors
/// The server's problem; a conflict when there is such a file already and nobody said yes to replacing it.
pub(crate) async fn save(
    terminal: &Terminal,
    client: &Client,
    path: &str,
    name: Option<String>,
    to: &Saved,
) -> Result<Download, Failure> {
    let mut response = client.send(client.request(Method::GET, &client.session.api(path))).await?;
    let output = to.output.as_deref();
    if output == Some(Path::new("-")) {
        let size_bytes = copy_to_stdout(&mut response).await?;
        return Ok(Download { path: None, size_bytes });
    }
    let name = name.or_else(|| named(&response)).unwrap_or_else(|| "download".to_owned());
    let target = target(output, &name)?;
    if target.exists() {
        may_replace(terminal, &target)?;
    }
    let bar = terminal.progress(response.content_length());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::local("The file cannot be written", format!("{}: {error}.", target.display()))
    };
    // Under another name until it is whole: half a receipt is worse than none.
    let scratch = tempfile::NamedTempFile::new_in(folder).map_err(|error| cannot(&error))?;
    let mut file = tokio::fs::File::from_std(scratch.reopen()?);
    let mut size_bytes = 0;
    while let Some(chunk) = next_chunk(&mut response, size_bytes).await? {
        file.write_all(&chunk).await.map_err(|error| cannot(&error))?;
        size_bytes += chunk.len();
        bar.inc(chunk.len() as u64);
    }
    file.sync_all().await.map_err(|error| cannot(&error))?;
    bar.finish_and_clear();
    scratch.persist(&target).map_err(|error| cannot(&error.error))?;
    Ok(Download { path: Some(target), size_bytes })
}

async fn copy_to_stdout(response: &mut Response) -> Result<usize, Failure> {
    let mut size_bytes = 0;
    while let Some(chunk) = next_chunk(response, size_bytes).await? {
        std::io::stdout().lock().write_all(&chunk)?;
        size_bytes += chunk.len();
    }
    Ok(size_bytes)
}

/// A file, or a file of that name in a folder.
fn target(output: Option<&Path>, name: &str) -> Result<PathBuf, Failure> {
    let Some(output) = output else { return Ok(PathBuf::from(name)) };
    if output.as_os_str().as_encoded_bytes().ends_with(b"/") {
        std::fs::create_dir_all(output)?;
    }
    Ok(if output.is_dir() { output.join(name) } else { output.to_owned() })
}

fn may_replace(terminal: &Terminal, target: &Path) -> Result<(), Failure> {
    let target = target.display();
    if terminal.yes || terminal.interactive {
        return terminal.confirm(&format!("Replace {target}?"));
    }
    let detail = format!("{target} is there already. Nothing was written.");
    Err(Failure::new(code::CONFLICT, "cli.file_exists", "The file exists", detail)
        .next("name another one with --output, or replace it with --yes"))
}

/// What the server calls the file, if that is a plain name: it must not choose a folder.
fn named(response: &Response) -> Option<String> {
    plain_name(response.headers().get(header::CONTENT_DISPOSITION)?.to_str().ok()?)
}

fn plain_name(disposition: &str) -> Option<String> {
    let (_, rest) = disposition.split_once("filename=\"")?;
    let (name, _) = rest.split_once('"')?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fine = (1..=120).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain);
    fine.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_names_files_and_no_folders() {
        let name = |text: &str| plain_name(&format!("attachment; filename=\"{text}\""));
        assert_eq!(name("receipt-2026-000001.pdf").as_deref(), Some("receipt-2026-000001.pdf"));
        for wrong in ["", "../x.pdf", "/etc/passwd", ".bashrc", "a b.pdf", "a\\b", &"x".repeat(121)] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
        assert_eq!(plain_name("attachment"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_header_leads_out_of_the_folder(text in ".{0,80}") {
            if let Some(name) = plain_name(&format!("attachment; filename=\"{text}\"")) {
                assert_eq!(Path::new("here").join(&name).parent(), Some(Path::new("here")));
                assert!(name != ".." && name != ".");
            }
        }
    }
}
