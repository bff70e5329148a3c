//! The two fonts: what a text measures, where it breaks, which glyphs draw it.

use std::sync::OnceLock;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, Face, Feature, UnicodeBuffer};

use crate::PdfError;

static REGULAR: &[u8] = include_bytes!("../assets/inter-regular.ttf");
static BOLD: &[u8] = include_bytes!("../assets/inter-bold.ttf");

/// What a character becomes that the fonts cannot draw.
const UNKNOWN: char = '?';

/// A weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

struct Loaded {
    face: Face<'static>,
    font: Font,
}

fn load(bytes: &'static [u8]) -> Option<Loaded> {
    Some(Loaded { face: Face::from_slice(bytes, 0)?, font: Font::new(bytes.to_vec().into(), 0)? })
}

fn loaded(weight: Weight) -> Result<&'static Loaded, PdfError> {
    static FONTS: OnceLock<[Option<Loaded>; 2]> = OnceLock::new();
    let [regular, bold] = FONTS.get_or_init(|| [load(REGULAR), load(BOLD)]);
    let found = match weight {
        Weight::Regular => regular,
        Weight::Bold => bold,
    };
    found.as_ref().ok_or_else(|| PdfError::Writing("the fonts in the program cannot be read".to_owned()))
}

/// The font as the writer takes it.
pub(crate) fn font(weight: Weight) -> Result<Font, PdfError> {
    Ok(loaded(weight)?.font.clone())
}

/// A line of text in one font, ready to draw.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) weight: Weight,
    pub(crate) size: f32,
    pub(crate) width: f32,
    pub(crate) glyphs: Vec<KrillaGlyph>,
}

/// The same text in characters that the fonts have: control characters become spaces, others a question mark. Line
/// breaks stay.
pub(crate) fn drawable(text: &str) -> Result<String, PdfError> {
    let face = &loaded(Weight::Regular)?.face;
    let one = |c: char| match c {
        '\n' => '\n',
        c if c.is_control() || c == '\u{a0}' => ' ',
        c if face.glyph_index(c).is_some_and(|glyph| glyph.0 != 0) => c,
        _ => UNKNOWN,
    };
    Ok(text.chars().map(one).collect())
}

/// Shapes one line; `text` has only drawable characters and no line break.
pub(crate) fn line(text: &str, weight: Weight, size: f32) -> Result<Line, PdfError> {
    let face = &loaded(weight)?.face;
    let mut buffer = UnicodeBuffer::new();
    buffer.push_str(text);
    buffer.guess_segment_properties();
    buffer.set_direction(Direction::LeftToRight);
    let figures = Feature::new(rustybuzz::ttf_parser::Tag::from_bytes(b"tnum"), 1, ..);
    let shaped = rustybuzz::shape(face, &[figures], buffer);
    let unit = face.units_per_em() as f32;
    let starts: Vec<usize> = shaped.glyph_infos().iter().map(|info| info.cluster as usize).collect();
    let glyph = |(i, position): (usize, &rustybuzz::GlyphPosition)| {
        let start = starts.get(i).copied().unwrap_or_default();
        let after = starts.get(i + 1..).unwrap_or_default();
        let end = after.iter().copied().find(|next| *next != start).unwrap_or(text.len());
        KrillaGlyph::new(
            GlyphId::new(shaped.glyph_infos().get(i).map_or(0, |info| info.glyph_id)),
            position.x_advance as f32 / unit,
            position.x_offset as f32 / unit,
            position.y_offset as f32 / unit,
            position.y_advance as f32 / unit,
            start..end.max(start),
            None,
        )
    };
    let glyphs: Vec<KrillaGlyph> = shaped.glyph_positions().iter().enumerate().map(glyph).collect();
    let width = glyphs.iter().map(|glyph| glyph.x_advance * size).sum();
    Ok(Line { text: text.to_owned(), weight, size, width, glyphs })
}

/// Breaks a text into lines of at most `width` points, between words, and inside a word that is wider than a line.
pub(crate) fn wrap(text: &str, weight: Weight, size: f32, width: f32) -> Result<Vec<Line>, PdfError> {
    let text = drawable(text)?;
    let space = line(" ", weight, size)?.width;
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let (mut current, mut used) = (String::new(), 0.0);
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            for piece in pieces(word, weight, size, width)? {
                let needed = line(&piece, weight, size)?.width;
                if !current.is_empty() && used + space + needed > width {
                    lines.push(line(&current, weight, size)?);
                    current.clear();
                    used = 0.0;
                }
                if !current.is_empty() {
                    current.push(' ');
                    used += space;
                }
                current.push_str(&piece);
                used += needed;
            }
        }
        lines.push(line(&current, weight, size)?);
    }
    Ok(lines)
}

/// A word as it is, or cut into parts that fit a line. Each part is found by halving, so that a long word costs
/// little more than its length.
fn pieces(word: &str, weight: Weight, size: f32, width: f32) -> Result<Vec<String>, PdfError> {
    let mut rest: Vec<char> = word.chars().collect();
    let mut out = Vec::new();
    while !rest.is_empty() {
        // No glyph of the fonts is narrower than a fifth of its size, so more than this never fits.
        let most = rest.len().min((width / size * 5.0) as usize + 1);
        let (mut fits, mut too_many) = (1, most + 1);
        while fits + 1 < too_many {
            let middle = usize::midpoint(fits, too_many);
            let part: String = rest.iter().take(middle).collect();
            if line(&part, weight, size)?.width <= width { fits = middle } else { too_many = middle }
        }
        out.push(rest.drain(..fits).collect());
    }
    Ok(out)
}
