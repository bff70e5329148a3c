//! QR codes as squares.

use qrcode::{Color, EcLevel, QrCode};

use crate::PdfError;

/// The longest text of a code, in bytes: more is hard to scan from paper.
const MAX_BYTES: usize = 1_000;
/// The light border that scanners need, in modules (ISO/IEC 18004, 9.1).
pub(crate) const QUIET: usize = 4;

/// The dark and light squares of a code, without its border.
#[derive(Clone, Debug)]
pub(crate) struct Modules {
    pub(crate) width: usize,
    dark: Vec<bool>,
}

impl Modules {
    /// The code of `data`, correcting about 15 % of damage.
    pub(crate) fn of(data: &[u8]) -> Result<Self, PdfError> {
        if data.is_empty() || data.len() > MAX_BYTES {
            return Err(PdfError::Code);
        }
        let code = QrCode::with_error_correction_level(data, EcLevel::M).map_err(|_| PdfError::Code)?;
        let dark = code.to_colors().into_iter().map(|colour| colour == Color::Dark).collect();
        Ok(Self { width: code.width(), dark })
    }

    /// The dark runs of each row as (row, first column, number of columns): far fewer shapes than squares.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        self.dark.chunks(self.width.max(1)).enumerate().flat_map(|(row, line)| {
            let mut runs = Vec::new();
            let mut start = 0;
            for run in line.chunk_by(|a, b| a == b) {
                if run.first() == Some(&true) {
                    runs.push((row, start, run.len()));
                }
                start += run.len();
            }
            runs
        })
    }
}
