//! Documents read back by programs that others wrote: poppler for text, pages and pictures, rqrr for codes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

use kernel::Timestamp;
use pdf::{Column, Document, PdfError, Table};
use proptest::prelude::*;

fn poppler(program: &str, bytes: &[u8], args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("paper.pdf");
    std::fs::write(&file, bytes).unwrap();
    let (before, after): (Vec<&str>, Vec<&str>) = args.iter().partition(|arg| **arg != "-");
    let output = Command::new(program).args(before).arg(&file).args(after).output();
    let output = output.unwrap_or_else(|error| panic!("{program} (Debian: poppler-utils): {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    // Poppler 22 wrongly asks for another type of an entry that PDF/UA demands.
    let complaints = String::from_utf8_lossy(&output.stderr)
        .replace("Syntax Error: Suspects object is wrong type (boolean)\n", "");
    assert_eq!(complaints, "", "{program} found nothing to complain about");
    String::from_utf8(output.stdout).unwrap()
}

fn text(bytes: &[u8]) -> String {
    poppler("pdftotext", bytes, &["-layout", "-"])
}

/// One page as grey pixels: width, height, and 0 for black.
fn picture(bytes: &[u8], dots_per_inch: &str) -> (usize, usize, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (file, root) = (folder.path().join("paper.pdf"), folder.path().join("page"));
    std::fs::write(&file, bytes).unwrap();
    let args = ["-gray", "-r", dots_per_inch, "-singlefile"];
    assert!(Command::new("pdftoppm").args(args).arg(&file).arg(&root).status().unwrap().success());
    read_pgm(&root.with_extension("pgm"))
}

fn read_pgm(file: &Path) -> (usize, usize, Vec<u8>) {
    let bytes = std::fs::read(file).unwrap();
    let mut head = bytes.splitn(4, |byte| byte.is_ascii_whitespace());
    assert_eq!(head.next().unwrap(), b"P5");
    let number = |text: &[u8]| std::str::from_utf8(text).unwrap().parse::<usize>().unwrap();
    let (width, height) = (number(head.next().unwrap()), number(head.next().unwrap()));
    (width, height, bytes[bytes.len() - width * height..].to_vec())
}

fn receipt(rows: usize) -> Document {
    let mut paper =
        Document::new("Receipt 2026-0007", "en").made_at(Timestamp::from_secs(1_800_000_000)).foot("Fondaco");
    paper.title("Receipt");
    paper.field("Order", "order-0199");
    paper.columns(["Sold by", "Ada Lovelace"], ["Bought by", "Grace Hopper"]);
    let columns = vec![Column::text("What", 4), Column::number("Quantity", 1), Column::number("Amount", 1)];
    let mut table = Table::new(columns);
    for row in 1..=rows {
        table.push([format!("Line number {row}"), "2".to_owned(), format!("${row}.00")]);
    }
    paper.heading("What you bought");
    paper.table(table.total(["Total", "", "$64.00"]));
    paper.note("No tax is due.");
    paper
}

#[test]
fn a_receipt_reads_back_with_its_numbers_at_the_right_edge() {
    let bytes = receipt(3).to_bytes().unwrap();
    let text = text(&bytes);
    for words in
        ["Receipt", "order-0199", "Ada Lovelace", "Grace Hopper", "Total", "No tax is due.", "Page 1 of 1"]
    {
        assert!(text.contains(words), "{words} in {text}");
    }
    let ends: Vec<usize> =
        text.lines().filter(|line| line.contains("$")).map(|line| line.trim_end().chars().count()).collect();
    assert_eq!(ends.len(), 4, "{text}");
    assert!(ends.iter().all(|end| end.abs_diff(ends[0]) <= 1), "{ends:?} {text}");
    let info = poppler("pdfinfo", &bytes, &[]);
    for line in [
        "Title:           Receipt 2026-0007",
        "Tagged:          yes",
        "Page size:       595.28 x 841.89 pts (A4)",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
    assert!(bytes.len() < 30_000, "only the letters in use are in it: {} bytes", bytes.len());
}

#[test]
fn a_screen_reader_finds_headings_a_table_and_each_row_once() {
    let bytes = receipt(120).to_bytes().unwrap();
    let tree = poppler("pdfinfo", &bytes, &["-struct-text"]);
    let count = |role: &str| tree.lines().filter(|line| line.trim().trim_end_matches(':') == role).count();
    assert_eq!((count("TR"), count("TH"), count("TD")), (122, 124, 242), "empty cells too: {tree:.900}");
    assert_eq!(tree.matches("\"What\"").count(), 1, "a head that is drawn again is not read again");
    let order = [
        "H1",
        "\"Receipt\"",
        "Ada Lovelace",
        "Grace Hopper",
        "H2",
        "Table",
        "Line number 1\"",
        "Line number 120",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|words| tree.find(words).unwrap_or_else(|| panic!("{words}: {tree:.900}")))
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_long_table_breaks_and_carries_its_head_on() {
    let bytes = receipt(120).to_bytes().unwrap();
    let text = text(&bytes);
    let pages: Vec<&str> = text.split('\u{c}').filter(|page| !page.trim().is_empty()).collect();
    assert!(pages.len() >= 4, "{}", pages.len());
    for (i, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Page {} of {}", i + 1, pages.len())), "{page}");
        assert!(page.contains("Quantity"), "the head is on page {i}: {page}");
    }
    for row in 1..=120 {
        assert_eq!(text.matches(&format!("Line number {row} ")).count(), 1, "row {row}");
    }
}

#[test]
fn a_code_scans_from_the_printed_page() {
    let data = "https://market.example.com/t/".to_owned() + &"Ab9-_".repeat(30);
    let mut paper = receipt(2);
    paper.qr(data.as_bytes(), "The code of the ticket", 160).unwrap();
    let bytes = paper.to_bytes().unwrap();
    let (width, height, pixels) = picture(&bytes, "150");
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    assert_eq!(grids[0].decode().unwrap().1, data);
    assert!(poppler("pdfinfo", &bytes, &["-struct"]).contains("Figure"));
    assert!(matches!(paper.qr(&[b'a'; 1_001], "", 100), Err(PdfError::Code)));
    assert!(matches!(paper.qr(b"", "", 100), Err(PdfError::Code)));
}

#[test]
fn letters_of_many_languages_stay_and_others_become_question_marks() {
    let mut paper = Document::new("Letters", "en");
    paper.text("Grüße Žofie Łódź Ελλάδα Україна Việt Nam €5 – “so”… 東 \u{1F600}\u{0} end");
    let text = text(&paper.to_bytes().unwrap());
    assert!(text.contains("Grüße Žofie Łódź Ελλάδα Україна Việt Nam €5 – “so”… ? ? end"), "{text}");
}

#[test]
fn the_same_content_gives_the_same_bytes_and_too_much_is_refused() {
    assert!(receipt(9).to_bytes().unwrap() == receipt(9).to_bytes().unwrap());
    assert!(matches!(receipt(10_001).to_bytes(), Err(PdfError::TooLarge)));
    let mut paper = Document::new("Long", "en");
    (0..2_000).for_each(|_| paper.text("x".repeat(1_000)));
    assert!(matches!(paper.to_bytes(), Err(PdfError::TooLarge)));
    let mut paper = Document::new("Wide", "en");
    paper.table(Table::new((0..9).map(|_| Column::text("x", 1)).collect()));
    assert!(matches!(paper.to_bytes(), Err(PdfError::TooLarge)));
}

/// Not run by itself: writes a page to look at.
#[test]
#[ignore = "writes a file to look at: PAPER=/tmp/paper.pdf"]
fn write_one_to_look_at() {
    let mut paper = receipt(12);
    paper.rule();
    paper.text(
        "A paragraph that is long enough to be broken into several lines, with a long word in it: ".repeat(3)
            + &"w".repeat(200),
    );
    paper.qr(b"https://market.example.com/t/AbCdEf", "The code", 140).unwrap();
    std::fs::write(std::env::var("PAPER").unwrap(), paper.to_bytes().unwrap()).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_becomes_a_document(
        texts in prop::collection::vec("\\PC{0,60}|[\\x00-\\x20a\\u{300}\\u{5d0}\\u{200d}]{0,60}|w{0,900}", 0..8),
        numbers in prop::collection::vec(1u16..5, 0..8),
    ) {
        let mut paper = Document::new(texts.first().cloned().unwrap_or_default(), "en").foot(texts.concat());
        for text in &texts {
            paper.heading(text.clone());
            paper.text(text.clone());
            paper.field(text.clone(), text.clone());
        }
        paper.columns(texts.clone(), texts.clone());
        let mut table = Table::new(numbers.iter().map(|share| Column::number("n", *share)).collect());
        table.push(texts.clone());
        paper.table(table);
        let bytes = paper.to_bytes();
        prop_assert!(bytes.is_ok(), "{:?}", bytes.err());
    }
}
