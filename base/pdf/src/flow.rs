//! Where everything stands: blocks become lines, rules and codes at places on pages, each with its part in the tree
//! of the document that screen readers follow. All lengths are points (1/72 inch) from the top left.

use crate::face::{Line, Weight, line, wrap};
use crate::{Align, Block, Document, PdfError, Table, cell, code};

/// A4.
pub(crate) const WIDTH: f32 = 595.28;
pub(crate) const HEIGHT: f32 = 841.89;
/// What is left white around the content.
pub(crate) const MARGIN: f32 = 56.0;
const INNER: f32 = WIDTH - 2.0 * MARGIN;
const BOTTOM: f32 = HEIGHT - 72.0;
/// A line's height as a part of its size, and where its letters stand in it.
const LEADING: f32 = 1.4;
const ASCENT: f32 = 1.05;
/// Between two columns.
const GAP: f32 = 10.0;
/// Rows that a table's cell is cut to, so that a row always fits a page.
const MAX_CELL_LINES: usize = 40;

/// What a part of the document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Title(String),
    Heading(String),
    Paragraph,
    Table,
    Row,
    HeadCell,
    RowName,
    Cell,
    Figure(String),
}

/// A part of the document: what it is, and what it is a part of.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) role: Role,
    pub(crate) within: Option<usize>,
}

/// How dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Full,
    Muted,
}

/// What is drawn. `part` is its place in [`Flow::parts`]; ornament and repeated heads have none.
#[derive(Clone, Debug)]
pub(crate) enum Mark {
    Text { x: f32, baseline: f32, line: Line, ink: Ink, part: Option<usize> },
    Rule { y: f32 },
    Code { x: f32, y: f32, side: f32, modules: code::Modules, part: usize },
}

/// A document whose places are known.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) pages: Vec<Vec<Mark>>,
    pub(crate) parts: Vec<Part>,
    /// Words, page and height of each heading, for the outline.
    pub(crate) headings: Vec<(String, usize, f32)>,
    y: f32,
}

/// Places all blocks.
pub(crate) fn flow(document: &Document) -> Result<Flow, PdfError> {
    let mut flow = Flow { pages: vec![Vec::new()], parts: Vec::new(), headings: Vec::new(), y: MARGIN };
    for block in &document.blocks {
        flow.block(block)?;
    }
    Ok(flow)
}

impl Flow {
    fn block(&mut self, block: &Block) -> Result<(), PdfError> {
        match block {
            Block::Title(text) => self.headline(text, Role::Title(text.clone()), 22.0),
            Block::Heading(text) => self.headline(text, Role::Heading(text.clone()), 13.0),
            Block::Text(text) => self.paragraph(text, 10.0, Ink::Full),
            Block::Note(text) => self.paragraph(text, 8.5, Ink::Muted),
            Block::Field { name, value } => self.field(name, value),
            Block::Columns { left, right } => self.columns(left, right),
            Block::Table(table) => self.table(table),
            Block::Rule => {
                self.need(14.0);
                self.rule(6.0);
                self.y += 14.0;
                Ok(())
            }
            Block::Space(points) => {
                self.y += f32::from(*points);
                Ok(())
            }
            Block::PageBreak => {
                self.turn();
                Ok(())
            }
            Block::Code { modules, alt, side } => {
                let side = f32::from(*side);
                self.need(side + 8.0);
                let part = self.part(Role::Figure(alt.clone()), None);
                let mark = Mark::Code { x: MARGIN, y: self.y, side, modules: modules.clone(), part };
                self.put(mark);
                self.y += side + 8.0;
                Ok(())
            }
        }
    }

    /// Adds a part of the document.
    fn part(&mut self, role: Role, within: Option<usize>) -> usize {
        self.parts.push(Part { role, within });
        self.parts.len() - 1
    }

    /// A new page where so much room is not left on this one.
    fn need(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > MARGIN {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = MARGIN;
    }

    fn put(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    fn rule(&mut self, below: f32) {
        self.put(Mark::Rule { y: self.y + below });
    }

    /// Draws a line at `x`, its top at the height `y`.
    fn write(&mut self, x: f32, y: f32, line: Line, ink: Ink, part: Option<usize>) {
        let baseline = y + line.size * ASCENT;
        self.put(Mark::Text { x, baseline, line, ink, part });
    }

    /// A heading stays with what follows it.
    fn headline(&mut self, text: &str, role: Role, size: f32) -> Result<(), PdfError> {
        let lines = wrap(text, Weight::Bold, size, INNER)?;
        if self.y > MARGIN {
            self.y += 10.0;
        }
        self.need(lines.len() as f32 * size * LEADING + 40.0);
        let place = (text.to_owned(), self.pages.len() - 1, self.y);
        self.headings.push(place);
        let part = self.part(role, None);
        for line in lines {
            let height = line.size * LEADING;
            self.write(MARGIN, self.y, line, Ink::Full, Some(part));
            self.y += height;
        }
        self.y += 4.0;
        Ok(())
    }

    fn paragraph(&mut self, text: &str, size: f32, ink: Ink) -> Result<(), PdfError> {
        let part = self.part(Role::Paragraph, None);
        for line in wrap(text, Weight::Regular, size, INNER)? {
            let height = line.size * LEADING;
            self.need(height);
            self.write(MARGIN, self.y, line, ink, Some(part));
            self.y += height;
        }
        self.y += 4.0;
        Ok(())
    }

    fn field(&mut self, name: &str, value: &str) -> Result<(), PdfError> {
        const NAME: f32 = 120.0;
        let names = wrap(&cell(name), Weight::Regular, 10.0, NAME)?;
        let values = wrap(value, Weight::Regular, 10.0, INNER - NAME - GAP)?;
        let part = self.part(Role::Paragraph, None);
        let mut names = names.into_iter();
        let mut values = values.into_iter();
        loop {
            let (name, value) = (names.next(), values.next());
            if name.is_none() && value.is_none() {
                break;
            }
            self.need(10.0 * LEADING);
            if let Some(line) = name {
                self.write(MARGIN, self.y, line, Ink::Muted, Some(part));
            }
            if let Some(line) = value {
                self.write(MARGIN + NAME + GAP, self.y, line, Ink::Full, Some(part));
            }
            self.y += 10.0 * LEADING;
        }
        self.y += 2.0;
        Ok(())
    }

    /// The left column is read before the right one.
    fn columns(&mut self, left: &[String], right: &[String]) -> Result<(), PdfError> {
        let half = (INNER - GAP) / 2.0;
        let mut sides = Vec::new();
        for lines in [left, right] {
            let mut wrapped = Vec::new();
            for text in lines.iter().take(MAX_CELL_LINES) {
                wrapped.extend(wrap(&cell(text), Weight::Regular, 10.0, half)?);
            }
            wrapped.truncate(MAX_CELL_LINES);
            sides.push(wrapped);
        }
        let height = sides.iter().map(Vec::len).max().unwrap_or(0) as f32 * 10.0 * LEADING;
        self.need(height);
        for (i, lines) in sides.into_iter().enumerate().filter(|(_, lines)| !lines.is_empty()) {
            let part = self.part(Role::Paragraph, None);
            let x = MARGIN + i as f32 * (half + GAP);
            for (n, line) in lines.into_iter().enumerate() {
                let y = self.y + n as f32 * 10.0 * LEADING;
                self.write(x, y, line, Ink::Full, Some(part));
            }
        }
        self.y += height + 6.0;
        Ok(())
    }

    fn table(&mut self, table: &Table) -> Result<(), PdfError> {
        if table.columns.is_empty() {
            return Ok(());
        }
        let within = self.part(Role::Table, None);
        let places = places(table);
        let head: Vec<String> = table.columns.iter().map(|column| column.label.clone()).collect();
        let head_height = Row::of(table, &places, &head, Weight::Bold)?.height;
        self.need(head_height + 40.0);
        let row = self.part(Role::Row, Some(within));
        self.row(table, &places, &head, Weight::Bold, Some((row, true)))?;
        for (cells, weight) in rows(table) {
            let height = Row::of(table, &places, cells, weight)?.height;
            if self.y + height > BOTTOM {
                self.turn();
                self.row(table, &places, &head, Weight::Bold, None)?;
            }
            let row = self.part(Role::Row, Some(within));
            self.row(table, &places, cells, weight, Some((row, false)))?;
        }
        self.y += 8.0;
        Ok(())
    }

    /// Draws one row with a line below it. Without `part` it is ornament: a head that was read before.
    fn row(
        &mut self,
        table: &Table,
        places: &[(f32, f32)],
        cells: &[String],
        weight: Weight,
        part: Option<(usize, bool)>,
    ) -> Result<(), PdfError> {
        let row = Row::of(table, places, cells, weight)?;
        for (i, lines) in row.cells.into_iter().enumerate() {
            let Some((column, (x, width))) = table.columns.get(i).zip(places.get(i).copied()) else {
                continue;
            };
            let cell = part.map(|(row, is_head)| {
                let role = match (is_head, i) {
                    (true, _) => Role::HeadCell,
                    (false, 0) => Role::RowName,
                    _ => Role::Cell,
                };
                self.part(role, Some(row))
            });
            for (n, line) in lines.into_iter().enumerate() {
                let x = if column.align == Align::Right { x + width - line.width } else { x };
                let y = self.y + 4.0 + n as f32 * Row::SIZE * LEADING;
                self.write(x, y, line, Ink::Full, cell);
            }
        }
        self.rule(row.height - 1.0);
        self.y += row.height;
        Ok(())
    }

    /// The foot of every page, once it is known how many there are.
    pub(crate) fn foot(&self, text: &str, page: usize) -> Result<Vec<(f32, f32, Line)>, PdfError> {
        let number = line(&format!("Page {} of {}", page + 1, self.pages.len()), Weight::Regular, 8.0)?;
        let room = INNER - number.width - GAP;
        let y = HEIGHT - 40.0;
        let left = wrap(&cell(text), Weight::Regular, 8.0, room)?.into_iter().next();
        let left = left.filter(|line| !line.text.is_empty()).map(|line| (MARGIN, y, line));
        Ok(left.into_iter().chain([(WIDTH - MARGIN - number.width, y, number)]).collect())
    }
}

fn rows(table: &Table) -> impl Iterator<Item = (&Vec<String>, Weight)> {
    let plain = table.rows.iter().map(|row| (row, Weight::Regular));
    plain.chain(table.totals.iter().map(|row| (row, Weight::Bold)))
}

/// Left edge and width of each column.
fn places(table: &Table) -> Vec<(f32, f32)> {
    let shares: f32 = table.columns.iter().map(|column| f32::from(column.share)).sum();
    let room = INNER - GAP * (table.columns.len() as f32 - 1.0);
    let mut x = MARGIN;
    let place = |column: &crate::Column| {
        let width = room * f32::from(column.share) / shares;
        let place = (x, width);
        x += width + GAP;
        place
    };
    table.columns.iter().map(place).collect()
}

struct Row {
    cells: Vec<Vec<Line>>,
    height: f32,
}

impl Row {
    const SIZE: f32 = 9.5;

    fn of(table: &Table, places: &[(f32, f32)], cells: &[String], weight: Weight) -> Result<Self, PdfError> {
        let mut wrapped = Vec::with_capacity(table.columns.len());
        for (i, (_, width)) in places.iter().enumerate() {
            let mut lines = match cells.get(i) {
                Some(text) if !text.trim().is_empty() => wrap(&cell(text), weight, Self::SIZE, *width)?,
                // A blank holds the cell's place among the columns for who listens.
                _ => vec![line(" ", weight, Self::SIZE)?],
            };
            lines.truncate(MAX_CELL_LINES);
            wrapped.push(lines);
        }
        let most = wrapped.iter().map(Vec::len).max().unwrap_or(1).max(1);
        Ok(Self { cells: wrapped, height: most as f32 * Self::SIZE * LEADING + 9.0 })
    }
}
