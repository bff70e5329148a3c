//! Versions and tags of npm packages: strict SemVer 2.0.0, and words that are no range.

/// The longest version, in bytes, as node-semver has it.
const MAX_VERSION_LEN: usize = 256;
/// The longest tag.
const MAX_TAG_LEN: usize = 128;
/// The largest number that JavaScript counts exactly; node-semver refuses larger ones.
const MAX_SAFE_INTEGER: u64 = 9_007_199_254_740_991;

/// Checks that `text` is a version that can be published: strict SemVer without build metadata, which npm
/// does not tell apart.
///
/// # Errors
/// The reason, for the one who publishes.
pub(crate) fn check_version(text: &str) -> Result<semver::Version, String> {
    if text.len() > MAX_VERSION_LEN {
        return Err("The version has more than 256 characters.".to_owned());
    }
    let version = semver::Version::parse(text)
        .map_err(|_| format!("\"{text}\" is no version: write it like 1.2.3 or 1.2.3-beta.1."))?;
    if !version.build.is_empty() {
        return Err(format!(
            "\"{text}\" has build metadata, which npm does not tell apart: leave out the +."
        ));
    }
    if [version.major, version.minor, version.patch].iter().any(|number| *number > MAX_SAFE_INTEGER) {
        return Err(format!("\"{text}\" has a number that is too large."));
    }
    Ok(version)
}

/// Checks that `text` can be a dist-tag: what could be read as a range of versions cannot.
///
/// # Errors
/// The reason, in npm's words.
pub(crate) fn check_tag(text: &str) -> Result<(), String> {
    if text.is_empty()
        || text.len() > MAX_TAG_LEN
        || text.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        return Err("A tag is a word of at most 128 characters.".to_owned());
    }
    if nodejs_semver::Range::parse(text).is_ok() {
        return Err(format!("Tag name must not be a valid SemVer range: {text}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_strict() {
        for text in ["1.0.0", "0.0.0", "1.2.3-beta.1", "10.20.30-x-y.1"] {
            assert!(check_version(text).is_ok(), "{text}");
        }
        for text in
            ["", "1", "1.0", "v1.0.0", "1.0.0+a", "01.0.0", "1.0.0-01", " 1.0.0", "9007199254740992.0.0"]
        {
            assert!(check_version(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tags_are_no_ranges() {
        for text in ["latest", "next", "beta-1", "release/1.x"] {
            assert!(check_tag(text).is_ok(), "{text}");
        }
        for text in ["", "1.0.0", "^1", "1.x", "v2", "*", ">=1", "x", "a b", "a\n"] {
            assert!(check_tag(text).is_err(), "{text}");
        }
    }
}
