#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive of these entries, written by the `tar` crate without its checks of paths.
fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..path.len().min(100)]
            .copy_from_slice(&path.as_bytes()[..path.len().min(100)]);
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn read(tarball: &[u8], limits: TarballLimits, piece: usize) -> Result<Contents, TarballError> {
    let mut reader = TarballReader::new(limits);
    for piece in tarball.chunks(piece) {
        reader.push(piece)?;
    }
    reader.finish()
}

const FILE: tar::EntryType = tar::EntryType::Regular;
const MANIFEST: (&str, tar::EntryType, &[u8]) = ("package/package.json", FILE, br#"{"name":"a"}"#);

fn read_entries(entries: &[(&str, tar::EntryType, &[u8])]) -> Result<Contents, TarballError> {
    read(&gzip(&archive(entries)), TarballLimits::default(), 1000)
}

#[test]
fn an_ordinary_package_is_read() {
    let entries = [
        ("package", tar::EntryType::Directory, &b""[..]),
        ("package/readme.txt", FILE, b"plain"),
        MANIFEST,
        ("package/README.md", FILE, b"# a"),
        ("package/lib/README.md", FILE, b"no"),
        ("package/binding.gyp", FILE, b"{}"),
    ];
    for piece in [1, 7, 512, 100_000] {
        let contents = read(&gzip(&archive(&entries)), TarballLimits::default(), piece).unwrap();
        assert_eq!(contents.manifest, MANIFEST.2);
        assert_eq!(contents.readme, Some(("README.md".to_owned(), "# a".to_owned())));
        assert_eq!((contents.file_count, contents.unpacked_bytes), (5, 5 + 12 + 3 + 2 + 2));
        assert!(contents.has_binding_gyp && !contents.has_shrinkwrap);
    }
}

#[test]
fn long_names_of_both_kinds_are_followed() {
    let long = format!("package/{}/../x", "d".repeat(150));
    let mut pax = tar::Builder::new(Vec::new());
    pax.append_pax_extensions([("path", long.as_bytes())]).unwrap();
    let inner = archive(&[("package/short", FILE, b"")]);
    let bytes = [pax.into_inner().unwrap().split_at(1024).0, &inner].concat();
    assert_eq!(
        read(&gzip(&bytes), TarballLimits::default(), 999),
        Err(TarballError::Path(long[..100].to_owned()))
    );

    let gnu = archive(&[
        ("././@LongLink", tar::EntryType::GNULongName, b"/etc/passwd\0"),
        ("package/short", FILE, b""),
        MANIFEST,
    ]);
    assert_eq!(
        read(&gzip(&gnu), TarballLimits::default(), 999),
        Err(TarballError::Path("/etc/passwd".to_owned()))
    );
}

#[test]
fn paths_that_leave_the_package_are_refused() {
    for path in
        ["../evil", "package/../../evil", "/etc/passwd", "package\\..\\..\\evil", "C:evil", "package/..", ""]
    {
        let read = read_entries(&[MANIFEST, (path, FILE, b"x")]);
        assert!(matches!(read, Err(TarballError::Path(_))), "{path}: {read:?}");
    }
    for path in ["./package/a", "package//b", "package/...", "other/c"] {
        assert!(read_entries(&[MANIFEST, (path, FILE, b"x")]).is_ok(), "{path}");
    }
}

#[test]
fn links_and_devices_are_refused() {
    use tar::EntryType;
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
        let read = read_entries(&[MANIFEST, ("package/link", kind, b"")]);
        assert_eq!(read, Err(TarballError::Link("package/link".to_owned())), "{kind:?}");
    }
}

#[test]
fn exactly_one_manifest() {
    assert_eq!(read_entries(&[("package/a", FILE, b"")]), Err(TarballError::Manifests(0)));
    for second in ["package/package.json", "package/./package.json", "x/Package.JSON"] {
        assert_eq!(
            read_entries(&[MANIFEST, (second, FILE, b"")]),
            Err(TarballError::Manifests(2)),
            "{second}"
        );
    }
    assert!(read_entries(&[MANIFEST, ("package/lib/package.json", FILE, b"")]).is_ok());
}

#[test]
fn claims_of_size_are_refused_without_the_bytes() {
    for field in [*b"77777777777\0", *b"\x80\0\0\0\0\0\0\x02\x54\x0b\xe4\0", [0xff; 12]] {
        let mut bytes = archive(&[("package/huge", FILE, b"")]);
        bytes[124..136].copy_from_slice(&field);
        let sum: u32 = bytes[..512]
            .iter()
            .enumerate()
            .map(|(at, b)| if (148..156).contains(&at) { 32 } else { u32::from(*b) })
            .sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let read = read(&gzip(&bytes[..512]), TarballLimits::default(), 100);
        assert_eq!(read, Err(TarballError::Unpacked(2 << 30)));
    }
}

#[test]
fn bombs_are_refused_before_they_unfold() {
    let zeros = vec![0; 64 << 20];
    let bomb = gzip(&archive(&[MANIFEST, ("package/zeros", FILE, &zeros)]));
    assert!(bomb.len() < 1 << 20);
    assert_eq!(read(&bomb, TarballLimits::default(), 4096), Err(TarballError::Bomb(100)));
    let limits = TarballLimits { unpacked_bytes: 1 << 20, ..TarballLimits::default() };
    assert_eq!(read(&bomb, limits, 4096), Err(TarballError::Unpacked(1 << 20)));
    let limits = TarballLimits { entries: 3, ..TarballLimits::default() };
    let many: Vec<_> = (0..4).map(|_| ("package/a", FILE, &b""[..])).collect();
    assert_eq!(read(&gzip(&archive(&many)), limits, 4096), Err(TarballError::Entries(3)));
}

#[test]
fn broken_archives_are_refused() {
    let whole = archive(&[MANIFEST]);
    let good = gzip(&whole);
    assert_eq!(read(b"no gzip", TarballLimits::default(), 3), Err(TarballError::Gzip));
    assert_eq!(read(&[], TarballLimits::default(), 3), Err(TarballError::Gzip));
    assert_eq!(read(&good[..good.len() - 9], TarballLimits::default(), 3), Err(TarballError::Gzip));
    assert!(matches!(
        read(&gzip(&whole[..600]), TarballLimits::default(), 99),
        Err(TarballError::Archive(_))
    ));
    let twice = [&whole[..], &whole].concat();
    assert_eq!(
        read(&gzip(&twice), TarballLimits::default(), 99),
        Err(TarballError::Archive("it goes on after its end"))
    );
    let mut damaged = good.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    assert_eq!(read(&damaged, TarballLimits::default(), 99), Err(TarballError::Gzip));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), piece in 1usize..600, packed in any::<bool>()) {
        let bytes = if packed { gzip(&bytes) } else { bytes };
        let _ = read(&bytes, TarballLimits::default(), piece);
    }

    #[test]
    fn any_change_of_an_archive_is_survived_and_pieces_do_not_matter(
        changes in prop::collection::vec((0usize..4096, any::<u8>(), any::<bool>()), 0..6),
        piece in 1usize..700,
    ) {
        let mut bytes = archive(&[MANIFEST, ("package/README.md", FILE, b"# readme"), ("package/x", FILE, &[7; 700])]);
        for (at, value, mend) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
            if mend {
                // A changed header gets its checksum right again, so that the field behind it is looked at.
                let start = at - at % 512;
                let sum: u32 = bytes[start..start + 512].iter().enumerate()
                    .map(|(at, b)| if (148..156).contains(&at) { 32 } else { u32::from(*b) }).sum();
                bytes[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
        let packed = gzip(&bytes);
        let whole = read(&packed, TarballLimits::default(), usize::MAX);
        prop_assert_eq!(read(&packed, TarballLimits::default(), piece), whole);
    }

    #[test]
    fn files_are_counted_as_the_tar_crate_counts_them(sizes in prop::collection::vec(0usize..1500, 0..12)) {
        let contents: Vec<Vec<u8>> = sizes.iter().map(|size| vec![1; *size]).collect();
        let names: Vec<String> = (0..sizes.len()).map(|n| format!("package/f{n}")).collect();
        let mut entries: Vec<_> = names.iter().zip(&contents).map(|(n, c)| (n.as_str(), FILE, c.as_slice())).collect();
        entries.push(MANIFEST);
        let bytes = archive(&entries);
        let expected = tar::Archive::new(&bytes[..]).entries().unwrap().map(|e| e.unwrap().size()).sum::<u64>();
        let read = read(&gzip(&bytes), TarballLimits::default(), 300).unwrap();
        prop_assert_eq!((read.file_count as usize, read.unpacked_bytes), (entries.len(), expected));
    }
}
