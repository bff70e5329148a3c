//! Buyers that hold and pay as fast as the market lets them, each over a connection of its own.
//!
//! All of them run on one thread with hand-made requests, so that the load costs the machine as little as it can:
//! it shares two cores with the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The largest answer that a buyer reads.
const ANSWER_LIMIT: usize = 256 << 10;

/// Who buys what.
pub(super) struct Buyer {
    /// The API token.
    pub(super) token: String,
    /// The offers that it takes in turn, beginning with the first.
    pub(super) offers: Arc<[String]>,
}

/// What the buyers came to.
pub(super) struct Tally {
    /// From sending the order to reading that it is paid, in the order they ended.
    pub(super) latencies: Vec<Duration>,
    /// How long they shopped.
    pub(super) elapsed: Duration,
}

impl Tally {
    /// Orders held and paid in each second.
    pub(super) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that so many of a thousand orders stayed below, in milliseconds.
    pub(super) fn permille(&self, permille: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * permille / 1000).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Lets all of them buy for so long.
///
/// # Errors
/// If the market answers anything but a hold and then a paid order.
pub(super) fn run(authority: &str, buyers: Vec<Buyer>, length: Duration) -> Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let began = Instant::now();
        let mut shopping = tokio::task::JoinSet::new();
        for buyer in buyers {
            let authority = authority.to_owned();
            shopping.spawn(async move { shop(&authority, &buyer, began + length).await });
        }
        let mut latencies = Vec::new();
        while let Some(ended) = shopping.join_next().await {
            latencies.extend(ended??);
        }
        Ok(Tally { latencies, elapsed: began.elapsed() })
    })
}

/// Lets all of them buy until the market is gone; how many orders it told them to be paid.
///
/// # Errors
/// If nobody could buy anything.
pub(super) fn until_cut_off(authority: &str, buyers: Vec<Buyer>, at_most: Duration) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let paid = runtime.block_on(async {
        let until = Instant::now() + at_most;
        let mut shopping = tokio::task::JoinSet::new();
        for buyer in buyers {
            let authority = authority.to_owned();
            shopping.spawn(async move {
                let mut latencies = Vec::new();
                let _ = shop_on(&authority, &buyer, until, &mut latencies).await; // ends with the connection
                latencies.len() as u64
            });
        }
        let mut paid = 0;
        while let Some(ended) = shopping.join_next().await {
            paid += ended?;
        }
        anyhow::Ok(paid)
    })?;
    ensure!(paid > 0, "nothing was bought before the end");
    Ok(paid)
}

async fn shop(authority: &str, buyer: &Buyer, until: Instant) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    shop_on(authority, buyer, until, &mut latencies).await?;
    Ok(latencies)
}

async fn shop_on(
    authority: &str,
    buyer: &Buyer,
    until: Instant,
    latencies: &mut Vec<Duration>,
) -> Result<()> {
    let mut line = Line::open(authority, &buyer.token).await?;
    for offer in buyer.offers.iter().cycle() {
        if Instant::now() >= until {
            break;
        }
        let began = Instant::now();
        let held = line
            .post("/api/orders", &format!(r#"{{"items":[{{"offerId":"{offer}","quantity":1}}]}}"#), 201)
            .await?;
        let order = text_after(held, r#""id":""#).context("an order without an id")?.to_owned();
        let body = format!(r#"{{"orderId":"{order}","card":{CARD}}}"#);
        let paid = line.post("/api/payments", &body, 201).await?;
        let is_paid = paid.contains(r#""authorised""#) || paid.contains(r#""captured""#);
        ensure!(is_paid, "not paid: {paid}");
        latencies.push(began.elapsed());
    }
    Ok(())
}

/// The sandbox's card that is always good.
const CARD: &str = r#"{"number":"4242424242424242","expMonth":"12","expYear":"2040","cvc":"123"}"#;

fn text_after<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    let rest = &text[text.find(mark)? + mark.len()..];
    rest.split('"').next()
}

/// One kept connection.
struct Line {
    stream: TcpStream,
    head: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Line {
    async fn open(authority: &str, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            " HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        );
        Ok(Self { stream, head, request: Vec::new(), answer: Vec::new() })
    }

    /// Sends a request and returns the body of the answer, whose status must be `status`.
    async fn post(&mut self, path: &str, body: &str, status: u16) -> Result<&str> {
        self.request.clear();
        let parts =
            ["POST ", path, &self.head, "Content-Length: ", &body.len().to_string(), "\r\n\r\n", body];
        self.request.extend(parts.iter().flat_map(|part| part.as_bytes()));
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        loop {
            let mut buffer = [0; 8 << 10];
            let read = self.stream.read(&mut buffer).await?;
            ensure!(read > 0, "the market closed the connection");
            self.answer.extend_from_slice(&buffer[..read]);
            ensure!(self.answer.len() <= ANSWER_LIMIT, "an answer of more than {ANSWER_LIMIT} bytes");
            if let Some(body) = whole_body(&self.answer)? {
                let start = self.answer.len() - body;
                let text = std::str::from_utf8(&self.answer).context("an answer that is no text")?;
                if !text.starts_with(&format!("HTTP/1.1 {status} ")) {
                    bail!("expected {status} of {path}: {text}");
                }
                return Ok(&text[start..]);
            }
        }
    }
}

/// The length of the body once all of it is there.
fn whole_body(answer: &[u8]) -> Result<Option<usize>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("an answer without a length")?.trim().parse()?;
    Ok((answer.len() >= end + 4 + length).then_some(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_whole_when_its_length_is_there() {
        let head = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(whole_body(&head.as_bytes()[..20]).unwrap(), None);
        assert_eq!(whole_body(format!("{head}ab").as_bytes()).unwrap(), None);
        assert_eq!(whole_body(format!("{head}abc").as_bytes()).unwrap(), Some(3));
        assert!(whole_body(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn ranks_are_of_a_thousand() {
        let latencies = (1..=1000).rev().map(Duration::from_millis).collect();
        let tally = Tally { latencies, elapsed: Duration::from_secs(10) };
        assert!((tally.rate() - 100.0).abs() < 1e-9);
        assert!((tally.permille(990) - 991.0).abs() < 1e-9);
    }
}
