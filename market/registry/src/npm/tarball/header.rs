//! One header of a tar archive (POSIX.1-1988 ustar, pax, and GNU's long names).

use super::TarballError;

/// The size of a block; every header is one, every content is padded to one.
pub(super) const BLOCK: usize = 512;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A link, device or pipe.
    Refused,
    /// Pax fields of the next entry.
    Pax,
    /// Pax fields of all entries: comments, in practice.
    PaxGlobal,
    /// The name of the next entry, as GNU tar writes long ones.
    LongName,
    /// The link target of the next entry.
    LongLink,
}

/// A header, parsed.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) path: Vec<u8>,
    pub(super) size: u64,
}

impl Header {
    /// Parses a block; `None` is the empty block that ends an archive.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Option<Self>, TarballError> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if number(&block[148..156])? != checksum(block) {
            return Err(TarballError::Archive("a header's checksum is wrong"));
        }
        let kind = match block[156] {
            b'0' | b'\0' | b'7' => Kind::File,
            b'5' => Kind::Folder,
            b'x' => Kind::Pax,
            b'g' => Kind::PaxGlobal,
            b'L' => Kind::LongName,
            b'K' => Kind::LongLink,
            _ => Kind::Refused,
        };
        // A folder has no content, whatever its size field says; neither has a link.
        let size = if kind == Kind::Folder { 0 } else { number(&block[124..136])? };
        Ok(Some(Self { kind, path: path(block), size }))
    }
}

/// Name and, in ustar archives, the prefix before it. GNU's own format has other things there.
fn path(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(&block[..100]);
    let prefix = if &block[257..263] == b"ustar\0" { text(&block[345..500]) } else { &[] };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

/// A field up to its first zero byte.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number: octal digits, or the binary form of GNU tar for large ones.
fn number(field: &[u8]) -> Result<u64, TarballError> {
    let wrong = TarballError::Archive("a number in a header is none");
    if field.first().is_some_and(|first| first & 0x80 != 0) {
        let high = field[0] & 0x7f;
        let (head, tail) = field.split_at(field.len().saturating_sub(8));
        if high != 0 || head.iter().skip(1).any(|byte| *byte != 0) {
            return Ok(u64::MAX);
        }
        return Ok(tail.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0u64, |sum, digit| match digit {
        b'0'..=b'7' => Ok(sum.saturating_mul(8).saturating_add(u64::from(digit - b'0'))),
        _ => Err(wrong.clone()),
    })
}

/// The sum of all bytes, with the checksum's own field as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    sum(&block[..148]) + 8 * u64::from(b' ') + sum(&block[156..])
}

/// The `path`, and whether a `size` or `linkpath`, of a pax record list (POSIX.1-2001): `27 path=…\n`.
pub(super) fn pax(mut records: &[u8]) -> Result<PaxFields, TarballError> {
    let wrong = || TarballError::Archive("its pax fields are broken");
    let mut fields = PaxFields::default();
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
        let length =
            std::str::from_utf8(&records[..space]).ok().and_then(|digits| digits.parse::<usize>().ok());
        let record = length.and_then(|length| records.get(space + 1..length)).ok_or_else(wrong)?;
        let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => fields.path = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                fields.size = Some(size.ok_or_else(wrong)?);
            }
            _ => {}
        }
        records = &records[space + 1 + record.len() + 1..];
    }
    Ok(fields)
}

/// What pax fields change of the entry that follows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PaxFields {
    pub(super) path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
}
