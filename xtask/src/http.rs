//! A small HTTP/1.1 client over one kept connection: enough to publish and to read what a server answers,
//! byte by byte, without a library in between.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// No answer of a server under test is larger.
const BODY_LIMIT: usize = 64 << 20;

/// An `http://` address in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// Host and port.
    pub(crate) authority: String,
    /// Path and query, beginning with a slash.
    pub(crate) path: String,
}

impl Url {
    /// # Errors
    /// If the text does not begin with `http://`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let rest = text.strip_prefix("http://").with_context(|| format!("not an http address: {text}"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { authority: authority.to_owned(), path: path.to_owned() })
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// One connection, used for one request after another.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    authority: String,
}

impl Connection {
    /// # Errors
    /// If nobody listens there.
    pub(crate) fn open(url: &Url) -> Result<Self> {
        let stream = TcpStream::connect(&url.authority)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::with_capacity(64 << 10, stream), authority: url.authority.clone() })
    }

    /// # Errors
    /// As [`Connection::send`].
    pub(crate) fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        self.send("GET", path, headers, &[])
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// If the connection breaks, or the answer is not HTTP/1.1 or larger than 64 MB.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.authority);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if method != "GET" {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut bytes = (request + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        self.stream.get_mut().write_all(&bytes)?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not an HTTP answer: {first}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.to_lowercase(), value.trim().to_owned()));
            }
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if status != 204 && status != 304 {
            answer.body = self.body(&answer)?;
        }
        Ok(answer)
    }

    fn body(&mut self, answer: &Answer) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        if answer.header("transfer-encoding").is_none() {
            let length = answer.header("content-length").context("an answer without a length")?;
            self.take(length.parse()?, &mut body)?;
            return Ok(body);
        }
        loop {
            let size = usize::from_str_radix(self.line()?.split(';').next().unwrap_or_default(), 16)?;
            self.take(size, &mut body)?;
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn take(&mut self, length: usize, body: &mut Vec<u8>) -> Result<()> {
        let start = body.len();
        ensure!(start + length <= BODY_LIMIT, "an answer of more than {BODY_LIMIT} bytes");
        body.resize(start + length, 0);
        Ok(self.stream.read_exact(&mut body[start..])?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with('\n'), "the connection ended within an answer");
        Ok(line.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `text` and returns what the client made of it.
    fn answer(text: &'static str) -> Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/a", listener.local_addr().unwrap())).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
        });
        let answer = Connection::open(&url)?.get(&url.path, &[]);
        server.join().unwrap();
        answer
    }

    #[test]
    fn addresses_have_two_parts() {
        let url = Url::parse("http://127.0.0.1:80").unwrap();
        assert_eq!((url.authority.as_str(), url.path.as_str()), ("127.0.0.1:80", "/"));
        assert_eq!(Url::parse("http://a/b?c").unwrap().path, "/b?c");
        assert!(Url::parse("a/b").is_err());
    }

    #[test]
    fn bodies_with_a_length_in_chunks_and_none() {
        let whole = answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"x\"\r\n\r\nabc").unwrap();
        assert_eq!(
            (whole.status, whole.body.as_slice(), whole.header("etag")),
            (200, &b"abc"[..], Some("\"x\""))
        );
        let chunked =
            "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(answer(chunked).unwrap().body, b"abc");
        assert_eq!(answer("HTTP/1.1 304 Not Modified\r\n\r\n").unwrap().body, b"");
    }

    #[test]
    fn a_broken_answer_is_an_error() {
        assert!(answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").is_err());
        assert!(answer("nonsense\r\n\r\n").is_err());
        assert!(answer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").is_err());
    }
}
