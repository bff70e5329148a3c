//! Follows an unpacked tar archive from header to header.

use std::io::{self, Write};

use super::header::{BLOCK, Header, Kind, PaxFields, pax};
use super::{Contents, TarballError, TarballLimits};

/// The largest pax header or long name.
const MAX_EXTENSION_BYTES: u64 = 64 << 10;
/// The longest path.
const MAX_PATH_BYTES: usize = 1024;

/// The state of the reader; an [`io::Write`] so that the decompressor can feed it.
pub(super) struct Archive {
    limits: TarballLimits,
    /// How many bytes may come at the most, by the ratio.
    allowed: u64,
    seen: u64,
    entries: u32,
    block: [u8; BLOCK],
    filled: usize,
    /// What the content that comes now is for, how much of it is left, and its padding.
    content: Purpose,
    left: u64,
    padding: u64,
    kept: Vec<u8>,
    /// What the headers before the next entry said of it.
    next: PaxFields,
    empty_blocks: u32,
    manifests: u32,
    contents: Contents,
    error: Option<TarballError>,
}

/// What to do with an entry's content.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Purpose {
    Skip,
    Manifest,
    Readme(String),
    Pax,
    LongName,
}

impl Archive {
    pub(super) fn new(limits: TarballLimits) -> Self {
        Self {
            limits,
            allowed: 0,
            seen: 0,
            entries: 0,
            block: [0; BLOCK],
            filled: 0,
            content: Purpose::Skip,
            left: 0,
            padding: 0,
            kept: Vec::new(),
            next: PaxFields::default(),
            empty_blocks: 0,
            manifests: 0,
            contents: Contents::default(),
            error: None,
        }
    }

    /// Sets how many bytes the archive may have by what was uploaded so far.
    pub(super) fn allow(&mut self, bytes: u64) {
        self.allowed = bytes;
    }

    pub(super) fn take_error(&mut self) -> Option<TarballError> {
        self.error.take()
    }

    /// What was found, once the archive has ended.
    pub(super) fn finish(self) -> Result<Contents, TarballError> {
        // One empty block is enough for every reader; some writers end without any.
        if self.left > 0 || self.padding > 0 || self.filled > 0 {
            return Err(TarballError::Archive("it is cut short"));
        }
        if self.manifests != 1 {
            return Err(TarballError::Manifests(self.manifests));
        }
        Ok(self.contents)
    }

    fn take(&mut self, mut bytes: &[u8]) -> Result<(), TarballError> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.seen > self.limits.unpacked_bytes {
            return Err(TarballError::Unpacked(self.limits.unpacked_bytes));
        }
        if self.seen > self.allowed {
            return Err(TarballError::Bomb(self.limits.ratio));
        }
        while !bytes.is_empty() {
            let taken = if self.left > 0 {
                self.content(bytes)?
            } else if self.padding > 0 {
                let taken = clamp(self.padding, bytes.len());
                self.padding -= taken as u64;
                taken
            } else {
                self.header(bytes)?
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    fn content(&mut self, bytes: &[u8]) -> Result<usize, TarballError> {
        let taken = clamp(self.left, bytes.len());
        let room = match self.content {
            Purpose::Skip => 0,
            Purpose::Readme(_) => self.limits.readme_bytes.saturating_sub(self.kept.len()),
            Purpose::Manifest | Purpose::Pax | Purpose::LongName => taken,
        };
        self.kept.extend_from_slice(&bytes[..taken.min(room)]);
        self.left -= taken as u64;
        if self.left == 0 {
            self.end_of_content()?;
        }
        Ok(taken)
    }

    fn end_of_content(&mut self) -> Result<(), TarballError> {
        let kept = std::mem::take(&mut self.kept);
        match std::mem::replace(&mut self.content, Purpose::Skip) {
            Purpose::Skip => {}
            Purpose::Manifest => self.contents.manifest = kept,
            Purpose::Readme(name) => {
                self.contents.readme = Some((name, String::from_utf8_lossy(&kept).into_owned()))
            }
            Purpose::Pax => {
                let fields = pax(&kept)?;
                self.next.path = fields.path.or(self.next.path.take());
                self.next.size = fields.size.or(self.next.size);
            }
            Purpose::LongName => {
                let end = kept.iter().position(|byte| *byte == 0).unwrap_or(kept.len());
                self.next.path = Some(kept[..end].to_vec());
            }
        }
        Ok(())
    }

    fn header(&mut self, bytes: &[u8]) -> Result<usize, TarballError> {
        let taken = bytes.len().min(BLOCK - self.filled);
        self.block[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        if self.filled == BLOCK {
            self.filled = 0;
            let block = self.block;
            match Header::parse(&block)? {
                None => self.empty_blocks += 1,
                // Some tools stop at the end mark and some read on: an archive must look the same to both.
                Some(_) if self.empty_blocks > 0 => {
                    return Err(TarballError::Archive("it goes on after its end"));
                }
                Some(header) => self.entry(header)?,
            }
        }
        Ok(taken)
    }

    fn entry(&mut self, header: Header) -> Result<(), TarballError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(TarballError::Entries(self.limits.entries));
        }
        let extension = matches!(header.kind, Kind::Pax | Kind::PaxGlobal | Kind::LongName | Kind::LongLink);
        let next = if extension { PaxFields::default() } else { std::mem::take(&mut self.next) };
        self.left = next.size.unwrap_or(header.size);
        self.padding = (BLOCK as u64 - self.left % BLOCK as u64) % BLOCK as u64;
        if self.left > self.limits.unpacked_bytes {
            return Err(TarballError::Unpacked(self.limits.unpacked_bytes));
        }
        if extension && self.left > MAX_EXTENSION_BYTES {
            return Err(TarballError::Archive("a header is too long"));
        }
        self.content = match header.kind {
            Kind::Pax => Purpose::Pax,
            Kind::LongName => Purpose::LongName,
            Kind::PaxGlobal | Kind::LongLink => Purpose::Skip,
            Kind::Refused => return Err(TarballError::Link(shown(&header.path))),
            Kind::Folder => {
                self.left = 0;
                self.padding = 0;
                check_path(&next.path.unwrap_or(header.path))?;
                Purpose::Skip
            }
            Kind::File => {
                let path = check_path(&next.path.unwrap_or(header.path))?;
                self.file(&path)?
            }
        };
        if self.left == 0 { self.end_of_content() } else { Ok(()) }
    }

    fn file(&mut self, path: &str) -> Result<Purpose, TarballError> {
        self.contents.file_count += 1;
        self.contents.unpacked_bytes = self.contents.unpacked_bytes.saturating_add(self.left);
        // Clients strip the first folder, whatever it is called.
        let Some((_, inner)) = path.split_once('/') else { return Ok(Purpose::Skip) };
        let lower = inner.to_ascii_lowercase();
        match lower.as_str() {
            "package.json" => {
                self.manifests += 1;
                if self.left > self.limits.manifest_bytes as u64 {
                    return Err(TarballError::ManifestSize(self.limits.manifest_bytes));
                }
                return Ok(Purpose::Manifest);
            }
            "binding.gyp" => self.contents.has_binding_gyp = true,
            "npm-shrinkwrap.json" => self.contents.has_shrinkwrap = true,
            name if is_readme(name) && better_readme(inner, self.contents.readme.as_ref()) => {
                return Ok(Purpose::Readme(inner.to_owned()));
            }
            _ => {}
        }
        Ok(Purpose::Skip)
    }
}

impl Write for Archive {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.error = Some(error);
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn clamp(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The path with `.` and empty parts left out, when it stays inside of the folder it is unpacked to, on every
/// system: backslashes and drive letters separate on Windows.
fn check_path(path: &[u8]) -> Result<String, TarballError> {
    let leaves = || TarballError::Path(shown(path));
    let text = std::str::from_utf8(path).map_err(|_| leaves())?;
    let drive = text.as_bytes().get(1) == Some(&b':');
    if text.is_empty()
        || text.len() > MAX_PATH_BYTES
        || text.starts_with('/')
        || drive
        || text.contains(['\\', '\0'])
        || text.split('/').any(|part| part == "..")
    {
        return Err(leaves());
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    Ok(parts.join("/"))
}

/// `README`, `readme.md`, `ReadMe.markdown`, … at the top, in lower case.
fn is_readme(name: &str) -> bool {
    name == "readme"
        || ["readme.md", "readme.markdown", "readme.mdown", "readme.txt", "readme.rst"].contains(&name)
}

/// Markdown is preferred to other forms, and the first of equals.
fn better_readme(name: &str, present: Option<&(String, String)>) -> bool {
    let is_markdown = |name: &str| name.to_ascii_lowercase().ends_with(".md");
    present.is_none_or(|(present, _)| is_markdown(name) && !is_markdown(present))
}
