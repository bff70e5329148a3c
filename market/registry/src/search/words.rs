//! Takes texts apart into the words that are looked up.

/// Longer words are cut: nobody types them, and what is published by strangers must not fill the memory.
const MAX_WORD_CHARS: usize = 40;

/// The words of a text, in lower case: runs of letters and digits of any script.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(lower)
}

/// All letters and digits of a text as one word: `left-pad` and `leftpad` are the same so.
pub(super) fn squeezed(text: &str) -> String {
    lower(&text.chars().filter(|c| c.is_alphanumeric()).collect::<String>())
}

fn lower(word: &str) -> String {
    word.chars().flat_map(char::to_lowercase).take(MAX_WORD_CHARS).collect()
}

/// How many slips of the finger are forgiven in a word: none in a short one, where every other word is near.
pub(super) fn forgiven(word: &str) -> usize {
    match word.chars().count() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// Which letters a word has, as bits: two words whose sets differ much cannot be near, which spares most of the
/// costly comparisons.
pub(super) fn letters(word: &str) -> u64 {
    word.bytes().fold(0, |set, byte| set | 1 << (byte % 64))
}

/// How far `a` is from `b` in inserted, deleted, changed and swapped letters, if at most `most`.
pub(super) fn distance(a: &str, a_letters: u64, b: &str, b_letters: u64, most: usize) -> Option<usize> {
    // A slip changes at most one letter into another: each set then has one that the other lacks.
    let differing = (a_letters ^ b_letters).count_ones() as usize;
    // A letter beyond ASCII is several bytes, so a slip in it may change more of them.
    let bytes_per_slip = if a.is_ascii() && b.is_ascii() { 2 } else { 8 };
    if differing > most * bytes_per_slip || a.len().abs_diff(b.len()) > most * 4 {
        return None;
    }
    Some(strsim::osa_distance(a, b)).filter(|slips| *slips <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fall_into_words() {
        assert_eq!(
            words("@Elide/http-Server 2, für Ölpreise!").collect::<Vec<_>>(),
            ["elide", "http", "server", "2", "für", "ölpreise"]
        );
        assert_eq!(squeezed("@s/left-pad"), "sleftpad");
        assert_eq!(words(&"x".repeat(99)).next().map(|word| word.len()), Some(40));
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let near = |a: &str, b: &str| distance(a, letters(a), b, letters(b), forgiven(a));
        assert_eq!(near("expres", "express"), Some(1));
        assert_eq!(near("raect", "react"), Some(1));
        assert_eq!(near("typscirpt", "typescript"), Some(2));
        assert_eq!(near("öpfel", "apfel"), Some(1));
        assert_eq!(near("http", "html"), None);
        assert_eq!(near("abc", "abd"), None);
    }
}
