//! Documents on paper: receipts, invoices and tickets as PDF.
//!
//! ```ignore
//! let mut paper = pdf::Document::new("Receipt 2026-0007", "en").made_at(now).foot("Fondaco");
//! paper.title("Receipt");
//! paper.field("Order", "order-0199…");
//! paper.table(Table::new(vec![Column::text("What", 3), Column::number("Amount", 1)]).row(["2 × Balcony", "$64.00"]));
//! let bytes = paper.to_bytes()?;
//! ```
//!
//! A document is a list of blocks from top to bottom on A4; pages break by themselves and are numbered. It is tagged
//! for screen readers and checked against PDF/UA-1 while it is written. Sizes are bounded, see [`PdfError::TooLarge`].

mod code;
mod draw;
mod face;
mod flow;

use std::borrow::Cow;

use kernel::{Problem, Timestamp};

/// The most blocks of one document, counting each row of a table.
const MAX_BLOCKS: usize = 10_000;
/// The most characters of one document.
const MAX_CHARS: usize = 1_000_000;
/// The most characters of one cell of a table; what is longer is cut and ends with an ellipsis.
const MAX_CELL_CHARS: usize = 400;
/// The most columns of a table.
const MAX_COLUMNS: usize = 8;

/// Why a document cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// It has more than 10,000 blocks or a million characters, or a table more than 8 columns.
    #[error("the document is larger than 10,000 rows or a million characters")]
    TooLarge,
    /// The text for a QR code is empty or longer than 1,000 bytes.
    #[error("this text does not fit into a QR code")]
    Code,
    /// The fonts cannot be read, or the document would not be accessible.
    #[error("the document cannot be written: {0}")]
    Writing(String),
}

impl From<PdfError> for Problem {
    fn from(error: PdfError) -> Self {
        match error {
            PdfError::TooLarge => {
                Self::too_large("pdf.too_large", "This is too much for one document. Nothing was changed.")
                    .next("Choose a shorter period, or fetch the list as CSV.")
            }
            PdfError::Code | PdfError::Writing(_) => Self::internal(
                "pdf.failed",
                format!("The document could not be made: {error}. Nothing was changed."),
            ),
        }
    }
}

kernel::problems! {
    "pdf.too_large":
        "One document has at most 10,000 rows and a million characters.",
        "Nothing was changed.",
        "Choose a shorter period, or fetch the list as CSV.";
    "pdf.failed":
        "The document could not be made: a fault of ours.",
        "Nothing was changed.",
        "Tell the operator the request id.";
}

/// How a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left edge, wrapped where they are long.
    Left,
    /// At the right edge: numbers.
    Right,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    label: String,
    share: u16,
    align: Align,
}

impl Column {
    /// A column of words that gets `share` parts of the width.
    pub fn text(label: impl Into<String>, share: u16) -> Self {
        Self { label: label.into(), share: share.max(1), align: Align::Left }
    }

    /// A column of numbers, at the right edge, that gets `share` parts of the width.
    pub fn number(label: impl Into<String>, share: u16) -> Self {
        Self { align: Align::Right, ..Self::text(label, share) }
    }
}

/// A table. Its head is drawn again on every page that it reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    totals: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns, at most 8.
    #[must_use]
    pub const fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), totals: Vec::new() }
    }

    /// Adds a row. Cells beyond the columns are left out, missing ones are empty.
    #[must_use]
    pub fn row<T: Into<String>>(mut self, cells: impl IntoIterator<Item = T>) -> Self {
        self.push(cells);
        self
    }

    /// Adds a row, for loops.
    pub fn push<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Adds a bold row at the end: a sum.
    #[must_use]
    pub fn total<T: Into<String>>(mut self, cells: impl IntoIterator<Item = T>) -> Self {
        self.totals.push(cells.into_iter().map(Into::into).collect());
        self
    }
}

#[derive(Clone, Debug)]
enum Block {
    Title(String),
    Heading(String),
    Text(String),
    Note(String),
    Field { name: String, value: String },
    Columns { left: Vec<String>, right: Vec<String> },
    Table(Table),
    Rule,
    Space(u16),
    PageBreak,
    Code { modules: code::Modules, alt: String, side: u16 },
}

/// A document in the making.
#[derive(Clone, Debug)]
pub struct Document {
    title: String,
    lang: String,
    foot: String,
    made_at: Option<Timestamp>,
    blocks: Vec<Block>,
    size: usize,
    chars: usize,
}

impl Document {
    /// An empty document. `title` is shown by readers in place of a file name; `lang` is a language tag such as `en`.
    pub fn new(title: impl Into<String>, lang: impl Into<String>) -> Self {
        let or = |text: String, other: &str| if text.trim().is_empty() { other.to_owned() } else { text };
        Self {
            title: or(title.into(), "Document"),
            lang: or(lang.into(), "en"),
            foot: String::new(),
            made_at: None,
            blocks: Vec::new(),
            size: 0,
            chars: 0,
        }
    }

    /// What stands at the foot of every page, before the number of the page.
    #[must_use]
    pub fn foot(mut self, text: impl Into<String>) -> Self {
        self.foot = text.into();
        self
    }

    /// When it was made, for its metadata. The same content and time give the same bytes.
    #[must_use]
    pub const fn made_at(mut self, at: Timestamp) -> Self {
        self.made_at = Some(at);
        self
    }

    /// The large heading at the start; one per document.
    pub fn title(&mut self, text: impl Into<String>) {
        self.add(Block::Title(text.into()));
    }

    /// A heading of a part.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.add(Block::Heading(text.into()));
    }

    /// A paragraph; a line break in it stays one.
    pub fn text(&mut self, text: impl Into<String>) {
        self.add(Block::Text(text.into()));
    }

    /// A paragraph in small grey letters.
    pub fn note(&mut self, text: impl Into<String>) {
        self.add(Block::Note(text.into()));
    }

    /// A name with its value beside it.
    pub fn field(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.add(Block::Field { name: name.into(), value: value.into() });
    }

    /// Two blocks of lines side by side: who sells and who buys.
    pub fn columns<T: Into<String>>(
        &mut self,
        left: impl IntoIterator<Item = T>,
        right: impl IntoIterator<Item = T>,
    ) {
        let left = left.into_iter().map(Into::into).collect();
        let right = right.into_iter().map(Into::into).collect();
        self.add(Block::Columns { left, right });
    }

    /// A table.
    pub fn table(&mut self, table: Table) {
        self.add(Block::Table(table));
    }

    /// A thin line across the page.
    pub fn rule(&mut self) {
        self.add(Block::Rule);
    }

    /// Empty room of so many points (1/72 inch).
    pub fn space(&mut self, points: u16) {
        self.add(Block::Space(points));
    }

    /// What follows stands on a new page.
    pub fn page_break(&mut self) {
        self.add(Block::PageBreak);
    }

    /// A QR code of `data`, `side` points wide, drawn as lines. `alt` says in words what it is.
    ///
    /// # Errors
    /// [`PdfError::Code`] when `data` is empty or longer than 1,000 bytes.
    pub fn qr(&mut self, data: &[u8], alt: impl Into<String>, side: u16) -> Result<(), PdfError> {
        let modules = code::Modules::of(data)?;
        self.add(Block::Code { modules, alt: alt.into(), side: side.clamp(60, 400) });
        Ok(())
    }

    /// The bytes of the PDF.
    ///
    /// # Errors
    /// [`PdfError::TooLarge`], [`PdfError::Writing`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, PdfError> {
        if self.size > MAX_BLOCKS || self.chars > MAX_CHARS {
            return Err(PdfError::TooLarge);
        }
        let flow = flow::flow(self)?;
        draw::write(self, &flow)
    }

    /// What is beyond the bounds is counted and not kept, so that a document never grows without end.
    fn add(&mut self, block: Block) {
        if matches!(&block, Block::Title(text) | Block::Heading(text) if text.trim().is_empty()) {
            return;
        }
        let (size, chars) = block.measure();
        self.size = self.size.saturating_add(size);
        self.chars = self.chars.saturating_add(chars);
        if self.size <= MAX_BLOCKS && self.chars <= MAX_CHARS {
            self.blocks.push(block);
        }
    }
}

impl Block {
    /// How many blocks it counts for, and how many bytes of text it has.
    fn measure(&self) -> (usize, usize) {
        let bytes = |texts: &[String]| texts.iter().map(String::len).sum::<usize>();
        match self {
            Self::Title(text) | Self::Heading(text) | Self::Text(text) | Self::Note(text) => (1, text.len()),
            Self::Field { name, value } => (1, name.len() + value.len()),
            Self::Columns { left, right } => (left.len() + right.len(), bytes(left) + bytes(right)),
            Self::Table(table) if table.columns.len() > MAX_COLUMNS => (usize::MAX, 0),
            Self::Table(table) => {
                let rows = || table.rows.iter().chain(&table.totals);
                (rows().count() + 1, rows().map(|row| bytes(row)).sum())
            }
            Self::Rule | Self::Space(_) | Self::PageBreak => (1, 0),
            Self::Code { alt, .. } => (1, alt.len()),
        }
    }
}

/// A cell's text, cut to what a cell may hold.
fn cell(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_CELL_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}
