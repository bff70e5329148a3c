//! Writes the PDF: draws what [`crate::flow`] placed and ties it to the tree for screen readers.

use std::num::NonZeroU16;

use krilla::SerializeSettings;
use krilla::color::rgb;
use krilla::configure::validate::Accessibility;
use krilla::configure::{ConfigurationBuilder, PdfVersion};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule};
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node, SpanTag, TableHeaderScope, Tag, TagGroup, TagKind,
    TagTree,
};

use crate::code::{Modules, QUIET};
use crate::face::{Line, font};
use crate::flow::{Flow, HEIGHT, Ink, MARGIN, Mark, Role, WIDTH};
use crate::{Document, PdfError};

const INK: (u8, u8, u8) = (0x1b, 0x19, 0x16);
const MUTED: (u8, u8, u8) = (0x57, 0x52, 0x49);
const HAIRLINE: (u8, u8, u8) = (0xc9, 0xc4, 0xb8);

/// The bytes of the document.
pub(crate) fn write(document: &Document, flow: &Flow) -> Result<Vec<u8>, PdfError> {
    let failed = |reason: &dyn std::fmt::Debug| PdfError::Writing(format!("{reason:?}"));
    let configuration = ConfigurationBuilder::new()
        .with_version(PdfVersion::Pdf17)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| failed(&error))?;
    let settings =
        SerializeSettings { configuration, enable_tagging: true, xmp_metadata: true, ..Default::default() };
    let mut out = krilla::Document::new_with(settings);
    let mut leaves: Vec<Vec<Identifier>> = vec![Vec::new(); flow.parts.len()];
    for (number, marks) in flow.pages.iter().enumerate() {
        let size = PageSettings::from_wh(WIDTH, HEIGHT).ok_or_else(|| failed(&"page size"))?;
        let mut page = out.start_page_with(size);
        let mut surface = page.surface();
        for mark in marks {
            draw(&mut surface, mark, &mut leaves)?;
        }
        for (x, y, line) in flow.foot(&document.foot, number)? {
            let footer = Artifact::with_kind(ArtifactType::Footer);
            surface.start_tagged(ContentTag::Artifact(footer));
            text(&mut surface, x, y, &line, MUTED)?;
            surface.end_tagged();
        }
        surface.finish();
        page.finish();
    }
    out.set_metadata(metadata(document));
    out.set_outline(outline(flow, document));
    out.set_tag_tree(tree(flow, leaves).with_lang(Some(document.lang.clone())));
    out.finish().map_err(|error| failed(&error))
}

fn draw(surface: &mut Surface<'_>, mark: &Mark, leaves: &mut [Vec<Identifier>]) -> Result<(), PdfError> {
    match mark {
        Mark::Text { line, .. } if line.glyphs.is_empty() => {}
        Mark::Text { x, baseline, line, ink, part } => {
            let tag = match part {
                Some(_) => ContentTag::Span(SpanTag::empty()),
                None => ContentTag::Artifact(Artifact::with_kind(ArtifactType::PaginationOther)),
            };
            let id = surface.start_tagged(tag);
            text(surface, *x, *baseline, line, if *ink == Ink::Full { INK } else { MUTED })?;
            surface.end_tagged();
            if let Some(leaf) = part.and_then(|part| leaves.get_mut(part)) {
                leaf.push(id);
            }
        }
        Mark::Rule { y } => {
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)));
            surface.set_fill(Some(fill(HAIRLINE)));
            rectangles(surface, [(MARGIN, *y, WIDTH - 2.0 * MARGIN, 0.6)]);
            surface.end_tagged();
        }
        Mark::Code { x, y, side, modules, part } => {
            let id = surface.start_tagged(ContentTag::Other);
            squares(surface, *x, *y, *side, modules);
            surface.end_tagged();
            if let Some(leaf) = leaves.get_mut(*part) {
                leaf.push(id);
            }
        }
    }
    Ok(())
}

fn fill((red, green, blue): (u8, u8, u8)) -> Fill {
    Fill {
        paint: rgb::Color::new(red, green, blue).into(),
        opacity: NormalizedF32::ONE,
        rule: FillRule::default(),
    }
}

fn text(surface: &mut Surface<'_>, x: f32, y: f32, line: &Line, ink: (u8, u8, u8)) -> Result<(), PdfError> {
    surface.set_fill(Some(fill(ink)));
    let place = Point::from_xy(x, y);
    surface.draw_glyphs(place, &line.glyphs, font(line.weight)?, &line.text, line.size, false);
    Ok(())
}

/// One path for all, so that a viewer draws no seams between them.
fn rectangles(surface: &mut Surface<'_>, all: impl IntoIterator<Item = (f32, f32, f32, f32)>) {
    let mut path = PathBuilder::new();
    for (x, y, width, height) in all {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            path.push_rect(rect);
        }
    }
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}

/// Black on white whatever the paper, with the quiet border.
fn squares(surface: &mut Surface<'_>, x: f32, y: f32, side: f32, modules: &Modules) {
    let unit = side / (modules.width + 2 * QUIET) as f32;
    surface.set_fill(Some(fill((0xff, 0xff, 0xff))));
    rectangles(surface, [(x, y, side, side)]);
    surface.set_fill(Some(fill((0, 0, 0))));
    let at = |n: usize| (n + QUIET) as f32 * unit;
    rectangles(
        surface,
        modules.runs().map(|(row, start, n)| (x + at(start), y + at(row), n as f32 * unit, unit)),
    );
}

fn metadata(document: &Document) -> Metadata {
    let mut metadata = Metadata::new().title(document.title.clone()).language(document.lang.clone());
    if let Some(date) = document.made_at.and_then(date) {
        metadata = metadata.creation_date(date);
    }
    metadata
}

/// The UTC time from its RFC 3339 form.
fn date(at: kernel::Timestamp) -> Option<DateTime> {
    let text = at.to_string();
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let date = DateTime::new(text.get(..4)?.parse().ok()?).month(part(5, 7)?).day(part(8, 10)?);
    let date = date.hour(part(11, 13)?).minute(part(14, 16)?).second(part(17, 19)?);
    Some(date.utc_offset_hour(0).utc_offset_minute(0))
}

fn outline(flow: &Flow, document: &Document) -> Outline {
    let mut outline = Outline::new();
    let start = (document.title.clone(), 0, MARGIN);
    let headings = if flow.headings.is_empty() { std::slice::from_ref(&start) } else { &flow.headings };
    for (words, page, y) in headings {
        let place = XyzDestination::new(*page, Point::from_xy(MARGIN, *y));
        outline.push_child(OutlineNode::new(words.clone(), place));
    }
    outline
}

/// The tree: parts in their order, each with the marks that draw it. Built from the end, so that what a part holds
/// is complete when it is handed to the part around it.
fn tree(flow: &Flow, leaves: Vec<Vec<Identifier>>) -> TagTree {
    let mut held: Vec<Vec<Node>> =
        leaves.into_iter().map(|ids| ids.into_iter().map(Node::from).collect()).collect();
    let mut top = Vec::new();
    for (i, part) in flow.parts.iter().enumerate().rev() {
        let mut children = held.pop().unwrap_or_default();
        if matches!(part.role, Role::Table | Role::Row) {
            children.reverse();
        }
        let group = TagGroup::with_children(kind(&part.role), children);
        match part.within.and_then(|within| held.get_mut(within)) {
            Some(around) => around.push(group.into()),
            None => top.push(Node::from(group)),
        }
        debug_assert_eq!(held.len(), i);
    }
    let mut tree = TagTree::new();
    for node in top.into_iter().rev() {
        tree.push(node);
    }
    tree
}

fn kind(role: &Role) -> TagKind {
    match role {
        Role::Title(words) => Tag::Hn(NonZeroU16::MIN, Some(words.clone())).into(),
        Role::Heading(words) => Tag::Hn(NonZeroU16::MIN.saturating_add(1), Some(words.clone())).into(),
        Role::Paragraph => Tag::P.into(),
        Role::Table => Tag::Table.into(),
        Role::Row => Tag::TR.into(),
        Role::HeadCell => Tag::TH(TableHeaderScope::Column).into(),
        Role::RowName => Tag::TH(TableHeaderScope::Row).into(),
        Role::Cell => Tag::TD.into(),
        Role::Figure(alt) => Tag::Figure(Some(alt.clone())).into(),
    }
}
