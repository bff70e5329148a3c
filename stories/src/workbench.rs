//! A clean machine of one person: an own home folder, one configuration for every client, no trace of the
//! developer's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::market::signal;

/// What no command of a story may exceed, on a busy machine too.
const TIME_LIMIT: Duration = Duration::from_secs(400);

/// Somebody's machine. Dropping it deletes it.
pub struct Workbench {
    home: TempDir,
    registry: String,
    path: OsString,
    environment: Vec<(String, String)>,
}

impl Workbench {
    /// A machine whose clients use this npm registry (with the slash at the end), with this token.
    pub fn new(registry: &str, token: Option<&str>) -> Self {
        let home = tempfile::Builder::new().prefix("fondaco-home-").tempdir().unwrap();
        let bench =
            Self { home, registry: registry.to_owned(), path: search_path(), environment: Vec::new() };
        for folder in ["tmp", "work"] {
            std::fs::create_dir(bench.home().join(folder)).unwrap();
        }
        bench.configure(token);
        bench
    }

    /// Sets an environment variable for everything that runs from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A project folder of this name; made if it is not there.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.home().join("work").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A folder with a package whose only module exports `name@version`. `more` is merged into package.json.
    pub fn package(&self, name: &str, version: &str, more: Value) -> PathBuf {
        let folder = self.folder(&format!("{}-{version}", name.replace('/', "-")));
        let mut manifest = json!({
            "name": name, "version": version, "description": format!("The {name} of a story"), "main": "index.js",
            "license": "MIT", "keywords": ["story"],
        });
        let fields = manifest.as_object_mut().unwrap();
        fields.extend(more.as_object().cloned().unwrap_or_default());
        write_json(&folder.join("package.json"), &manifest);
        std::fs::write(
            folder.join("index.js"),
            format!("module.exports = {:?};\n", format!("{name}@{version}")),
        )
        .unwrap();
        std::fs::write(folder.join("README.md"), format!("# {name}\n\nMade for a story.\n")).unwrap();
        folder
    }

    /// A folder with an application that depends on these packages.
    pub fn application(&self, folder: &str, dependencies: Value) -> PathBuf {
        let folder = self.folder(folder);
        let manifest =
            json!({"name": "application", "version": "1.0.0", "private": true, "dependencies": dependencies});
        write_json(&folder.join("package.json"), &manifest);
        folder
    }

    /// Writes the clients' configuration anew: `.npmrc` (npm, yarn 1, pnpm, bun) and `.yarnrc.yml` (Berry).
    pub fn configure(&self, token: Option<&str>) {
        // npm waits ten seconds and then a minute before it asks again: a story that needs that has failed.
        let key = self.registry.trim_start_matches("http:");
        let mut npmrc =
            format!("registry={}\nupdate-notifier=false\nfund=false\nfetch-retries=0\n", self.registry);
        // Berry asks for a version that is a day old, and for encrypted connections, unless told otherwise.
        let mut yarnrc = format!(
            "npmRegistryServer: {:?}\nunsafeHttpWhitelist: [\"127.0.0.1\", \"localhost\"]\nenableTelemetry: false\n\
             npmMinimalAgeGate: 0\nnodeLinker: node-modules\nenableImmutableInstalls: false\n",
            self.registry
        );
        if let Some(token) = token {
            npmrc.push_str(&format!("{key}:_authToken={token}\n"));
            yarnrc.push_str(&format!("npmAuthToken: {token:?}\n"));
        }
        std::fs::write(self.home().join(".npmrc"), npmrc).unwrap();
        std::fs::write(self.home().join(".yarnrc.yml"), yarnrc).unwrap();
    }

    /// Forgets everything that clients have cached, as on a machine that was never used.
    pub fn clear_caches(&self) {
        for cache in [".npm", ".cache", ".yarn", ".bun", ".local"] {
            let _ = std::fs::remove_dir_all(self.home().join(cache));
        }
    }

    /// Runs npm 11.
    pub async fn npm(&self, folder: &Path, args: &[&str]) -> Ran {
        self.run("npm", folder, args).await
    }

    /// Runs yarn 1.
    pub async fn yarn(&self, folder: &Path, args: &[&str]) -> Ran {
        self.run("yarn", folder, args).await
    }

    /// Runs yarn 4 (Berry).
    pub async fn berry(&self, folder: &Path, args: &[&str]) -> Ran {
        self.run("yarn-berry", folder, args).await
    }

    /// Runs pnpm.
    pub async fn pnpm(&self, folder: &Path, args: &[&str]) -> Ran {
        self.run("pnpm", folder, args).await
    }

    /// Runs bun.
    pub async fn bun(&self, folder: &Path, args: &[&str]) -> Ran {
        self.run("bun", folder, args).await
    }

    /// What Node.js gets when it requires a module in the folder.
    pub async fn require(&self, folder: &Path, module: &str) -> String {
        let script = format!("process.stdout.write(String(require({module:?})))");
        self.run("node", folder, &["-e", &script]).await.succeeds().out
    }

    /// Runs one of the installed tools to its end. It has no input: a client that asks, fails.
    pub async fn run(&self, tool: &str, folder: &Path, args: &[&str]) -> Ran {
        let mut started = self.start(tool, folder, args);
        drop(started.child.stdin.take());
        started.finish().await
    }

    /// Starts a tool and leaves it running, for commands that wait for somebody.
    pub fn start(&self, tool: &str, folder: &Path, args: &[&str]) -> Started {
        let mut child = Command::new(self.tool(tool))
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.home())
            .env("TMPDIR", self.home().join("tmp"))
            .env("CI", "true")
            // pnpm takes the lowest matching version when all are younger than a day.
            .env("PNPM_CONFIG_MINIMUM_RELEASE_AGE", "0")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Started { command: format!("{tool} {}", args.join(" ")), child, out, heard: String::new() }
    }

    fn tool(&self, name: &str) -> PathBuf {
        let tool = tools().join("bin").join(name);
        assert!(
            tool.is_file(),
            "{} is missing: run `scripts/setup`, which installs the package clients",
            tool.display()
        );
        tool
    }
}

/// A client that is running.
pub struct Started {
    command: String,
    child: Child,
    out: BufReader<ChildStdout>,
    heard: String,
}

impl Started {
    /// Waits for the next line of standard output that holds the text, and returns it trimmed.
    pub async fn line_with(&mut self, text: &str) -> String {
        let read = async {
            loop {
                let mut line = String::new();
                let read = self.out.read_line(&mut line).await.unwrap();
                assert!(read > 0, "`{}` ended without saying {text:?}; it said {}", self.command, self.heard);
                self.heard.push_str(&line);
                if line.contains(text) {
                    return line.trim().to_owned();
                }
            }
        };
        tokio::time::timeout(TIME_LIMIT, read).await.expect("the client said nothing for too long")
    }

    /// Waits until the client asks with this prompt, then types the answer and a line break, as a person does.
    pub async fn answer(&mut self, prompt: &str, text: &str) {
        let asked = async {
            let from = self.heard.len();
            while !self.heard[from..].contains(prompt) {
                let part = self.out.fill_buf().await.unwrap();
                let length = part.len();
                assert!(
                    length > 0,
                    "`{}` ended without asking {prompt:?}; it said {}",
                    self.command,
                    self.heard
                );
                self.heard.push_str(&String::from_utf8_lossy(part));
                self.out.consume(length);
            }
        };
        tokio::time::timeout(TIME_LIMIT, asked).await.expect("the client asked nothing for too long");
        let line = format!("{text}\n");
        self.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).await.unwrap();
    }

    /// Waits for its end; kills it with everything it started when it takes too long.
    pub async fn finish(mut self) -> Ran {
        let group = format!("-{}", self.child.id().unwrap_or_default());
        let mut stderr = self.child.stderr.take().unwrap();
        let (mut out, mut err) = (self.heard, Vec::new());
        let mut rest = Vec::new();
        let read = async {
            tokio::join!(self.out.read_to_end(&mut rest), stderr.read_to_end(&mut err), self.child.wait())
        };
        let Ok((_, _, status)) = tokio::time::timeout(TIME_LIMIT, read).await else {
            signal("-KILL", &group);
            panic!("`{}` did not end within {TIME_LIMIT:?}", self.command);
        };
        out.push_str(&String::from_utf8_lossy(&rest));
        Ran {
            command: self.command,
            status: status.unwrap(),
            out,
            err: String::from_utf8_lossy(&err).into_owned(),
        }
    }
}

/// What a client did.
#[derive(Debug)]
pub struct Ran {
    /// The command line.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Ran {
    /// Fails the story unless the command succeeded.
    pub fn succeeds(self) -> Self {
        assert!(
            self.status.success(),
            "`{}` failed: {}\n{}\n{}",
            self.command,
            self.status,
            self.out,
            self.err
        );
        self
    }

    /// Fails the story unless the command failed.
    pub fn fails(self) -> Self {
        assert!(!self.status.success(), "`{}` should have failed\n{}\n{}", self.command, self.out, self.err);
        self
    }

    /// Fails the story unless the command wrote this text.
    pub fn says(self, text: &str) -> Self {
        let said = self.out.contains(text) || self.err.contains(text);
        assert!(said, "`{}` did not say {text:?}\n{}\n{}", self.command, self.out, self.err);
        self
    }

    /// Fails the story if the command wrote this text.
    pub fn omits(self, text: &str) -> Self {
        let said = self.out.contains(text) || self.err.contains(text);
        assert!(!said, "`{}` said {text:?}\n{}\n{}", self.command, self.out, self.err);
        self
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("`{}`: {error}\n{}", self.command, self.out))
    }
}

/// Reads a JSON file.
pub fn read_json(path: &Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a JSON file.
pub fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, serde_json::to_vec_pretty(value).unwrap()).unwrap();
}

/// Where `scripts/setup` put the clients.
fn tools() -> PathBuf {
    if let Some(folder) = std::env::var_os("FONDACO_TOOLS") {
        return folder.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    cache.expect("neither FONDACO_TOOLS, XDG_CACHE_HOME nor HOME is set").join("fondaco/tools")
}

/// The pinned tools before those of the system.
fn search_path() -> OsString {
    std::env::join_paths([tools().join("bin"), "/usr/bin".into(), "/bin".into()]).unwrap()
}
