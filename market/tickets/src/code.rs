//! What a ticket shows at the door: a short signed text, verified without asking anybody.
//!
//! `T1.` and base64url of 39 bytes and their Ed25519 signature (RFC 8032): the number of the key (2 bytes), the ticket
//! (16), the event (16, zero for a ticket from elsewhere), the generation (4), all big-endian, and one byte that is 0.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use qrcode::{Color, EcLevel, QrCode};

use crate::event::EventId;
use crate::ticket::TicketId;

/// What stands before every code; another form gets another.
const PREFIX: &str = "T1.";
/// Signed before the payload, so that a signature for anything else is never one of a ticket.
const CONTEXT: &[u8] = b"fondaco ticket 1\0";
const PAYLOAD: usize = 39;
const SIGNATURE: usize = 64;
/// The longest text that is looked at, in bytes.
const MAX_TEXT: usize = 400;

/// Why a text is no ticket's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// It is not written as codes are.
    #[error("this is no ticket code")]
    Unreadable,
    /// It was signed by nobody we know, or was changed.
    #[error("this code was not made here, or was changed")]
    Forged,
    /// The ids are none of ours, or the key has no number.
    #[error("this ticket cannot have a code")]
    Unfit,
}

/// What a code says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Which key signed it.
    pub key: u16,
    /// The ticket.
    pub ticket: TicketId,
    /// The event; none for a ticket from elsewhere.
    pub event: Option<EventId>,
    /// Which of the ticket's owners it was made for.
    pub generation: u32,
}

impl Code {
    /// The text, signed by `key`.
    ///
    /// # Errors
    /// [`CodeError::Unfit`] when an id is not of the form that this market makes.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CodeError> {
        let payload = self.payload().ok_or(CodeError::Unfit)?;
        let signature = key.sign(&[CONTEXT, &payload].concat());
        Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([&payload[..], &signature.to_bytes()].concat())))
    }

    /// Reads a code and checks its signature; `key` gives the public key of a number.
    ///
    /// # Errors
    /// [`CodeError::Unreadable`], [`CodeError::Forged`].
    pub fn verify(text: &str, key: impl FnOnce(u16) -> Option<[u8; 32]>) -> Result<Self, CodeError> {
        let text = text.trim();
        let text =
            text.strip_prefix(PREFIX).filter(|text| text.len() <= MAX_TEXT).ok_or(CodeError::Unreadable)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CodeError::Unreadable)?;
        let (payload, signature) = bytes.split_at_checked(PAYLOAD).ok_or(CodeError::Unreadable)?;
        let signature: [u8; SIGNATURE] = signature.try_into().map_err(|_| CodeError::Unreadable)?;
        let code = Self::from_payload(payload).ok_or(CodeError::Unreadable)?;
        let key = key(code.key).ok_or(CodeError::Forged)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| CodeError::Forged)?;
        key.verify_strict(&[CONTEXT, payload].concat(), &Signature::from_bytes(&signature))
            .map_err(|_| CodeError::Forged)?;
        Ok(code)
    }

    fn payload(&self) -> Option<[u8; PAYLOAD]> {
        let event = match &self.event {
            Some(event) => number(event.as_str())?,
            None => 0,
        };
        let parts = [
            &self.key.to_be_bytes()[..],
            &number(self.ticket.as_str())?.to_be_bytes(),
            &event.to_be_bytes(),
            &self.generation.to_be_bytes(),
            &[0],
        ];
        parts.concat().try_into().ok()
    }

    fn from_payload(bytes: &[u8]) -> Option<Self> {
        let event = u128::from_be_bytes(bytes.get(18..34)?.try_into().ok()?);
        if bytes.get(38..) != Some(&[0]) {
            return None;
        }
        Some(Self {
            key: u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?),
            ticket: id("ticket", u128::from_be_bytes(bytes.get(2..18)?.try_into().ok()?)).parse().ok()?,
            event: if event == 0 { None } else { Some(id("event", event).parse().ok()?) },
            generation: u32::from_be_bytes(bytes.get(34..38)?.try_into().ok()?),
        })
    }
}

/// The number in an id: 32 hexadecimal digits after the dash.
fn number(id: &str) -> Option<u128> {
    let (_, digits) = id.split_once('-')?;
    if digits.len() == 32 { u128::from_str_radix(digits, 16).ok() } else { None }
}

fn id(prefix: &str, number: u128) -> String {
    format!("{prefix}-{number:032x}")
}

/// White modules around a code, as scanners need (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// Rows of a QR code with its white border; `true` is dark. None: the text is too long for one.
#[must_use]
pub fn modules(text: &str) -> Option<Vec<Vec<bool>>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let colours = code.to_colors();
    let side = width + 2 * QUIET;
    let dark = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(QUIET)?, y.checked_sub(QUIET)?);
        (x < width).then(|| colours.get(y * width + x))?.map(|colour| *colour == Color::Dark)
    };
    Some((0..side).map(|y| (0..side).map(|x| dark(x, y).unwrap_or(false)).collect()).collect())
}

/// A QR code as SVG, black on white in every theme: scanners read dark on light.
#[must_use]
pub fn svg(text: &str) -> Option<String> {
    let rows = modules(text)?;
    let side = rows.len();
    let mut path = String::new();
    for (y, row) in rows.iter().enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&true) {
                path.push_str(&format!("M{x} {y}h{}v1h-{}z", run.len(), run.len()));
            }
            x += run.len();
        }
    }
    Some(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path fill="#000" d="{path}"/></svg>"##
    ))
}

/// A QR code as PNG (ISO/IEC 15948) with one bit a pixel, `scale` pixels a module.
#[must_use]
pub fn png(text: &str, scale: usize) -> Option<Vec<u8>> {
    let (rows, scale) = (modules(text)?, scale.clamp(1, 40));
    let side = rows.len() * scale;
    let mut raw = Vec::with_capacity(side * (side / 8 + 2));
    for row in &rows {
        let pixels: Vec<bool> = row.iter().flat_map(|dark| std::iter::repeat_n(!dark, scale)).collect();
        let packed = pixels.chunks(8).map(|bits| {
            bits.iter().enumerate().fold(0u8, |byte, (i, bit)| byte | (u8::from(*bit) << (7 - i)))
        });
        let line: Vec<u8> = std::iter::once(0).chain(packed).collect();
        (0..scale).for_each(|_| raw.extend_from_slice(&line));
    }
    let mut header = Vec::with_capacity(13);
    let side = u32::try_from(side).ok()?;
    header.extend_from_slice(&side.to_be_bytes());
    header.extend_from_slice(&side.to_be_bytes());
    header.extend_from_slice(&[1, 0, 0, 0, 0]);
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, &raw).ok()?;
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", packer.finish().ok()?), (b"IEND", Vec::new())] {
        out.extend_from_slice(&u32::try_from(data.len()).ok()?.to_be_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(kind);
        sum.update(&data);
        out.extend_from_slice(kind);
        out.extend_from_slice(&data);
        out.extend_from_slice(&sum.finalize().to_be_bytes());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn known(number: u16) -> Option<[u8; 32]> {
        (number == 7).then(|| key(7).verifying_key().to_bytes())
    }

    fn code() -> Code {
        Code { key: 7, ticket: TicketId::fresh(), event: Some(EventId::fresh()), generation: 3 }
    }

    #[test]
    fn a_code_reads_back_and_a_forged_one_does_not() {
        let text = code().sign(&key(7)).unwrap();
        assert!(text.len() < 145, "{text}");
        assert!(Code::verify(&format!(" {text}\n"), known).is_ok());
        assert_eq!(Code::verify(&code().sign(&key(8)).unwrap(), known), Err(CodeError::Forged));
        let other = Code { key: 8, ..code() };
        assert_eq!(Code::verify(&other.sign(&key(8)).unwrap(), known), Err(CodeError::Forged));
        let readable = Code { ticket: "ticket-demo".parse().unwrap(), ..code() };
        assert_eq!(readable.sign(&key(7)), Err(CodeError::Unfit));
        assert_eq!(Code::verify("T1.", known), Err(CodeError::Unreadable));
    }

    #[test]
    fn the_picture_scans() {
        let text = code().sign(&key(7)).unwrap();
        let rows = modules(&text).unwrap();
        let side = rows.len() * 4;
        let grey = |x: usize, y: usize| if rows[y / 4][x / 4] { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, grey);
        assert_eq!(image.detect_grids()[0].decode().unwrap().1, text);
        assert!(png(&text, 6).unwrap().starts_with(b"\x89PNG"));
        assert!(svg(&text).unwrap().contains("viewBox"));
        assert!(png(&"x".repeat(10_000), 6).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_panic(text in "\\PC{0,200}|T1\\.[A-Za-z0-9_-]{0,160}") {
            prop_assert!(Code::verify(&text, known).is_err());
        }

        #[test]
        fn no_changed_character_passes(at in 3usize..140, other in "[A-Za-z0-9_-]") {
            let text = code().sign(&key(7)).unwrap();
            let Some(now) = text.get(at..=at) else { return Ok(()) };
            prop_assume!(now != other);
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            prop_assert!(Code::verify(&changed, known).is_err());
        }

        #[test]
        fn what_is_signed_reads_back(number in any::<u16>(), generation in any::<u32>()) {
            let code = Code { key: number, generation, ..code() };
            let text = code.sign(&key(7)).unwrap();
            prop_assert_eq!(Code::verify(&text, |_| Some(key(7).verifying_key().to_bytes())).unwrap(), code);
        }
    }
}
