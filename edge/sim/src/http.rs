//! A door over HTTP/1.1: one connection, kept alive, no dependency. It speaks just enough of the protocol for our own server:
//! bodies have a length, redirects are not followed, heads and bodies have a limit.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::door::{Answer, Door, Unanswered};

const HEAD_BYTES_MAX: u64 = 32 << 10;
const BODY_BYTES_MAX: u64 = 16 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection to a server, opened at the first request and again after a failure.
#[derive(Debug)]
pub struct HttpDoor {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    /// What the server is called.
    host: String,
    /// Sent with every request, each line ended.
    headers: String,
}

impl HttpDoor {
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, host: address.to_string(), headers: String::new() }
    }

    /// Names the server so from now on, whatever its address.
    pub fn call_it(&mut self, host: &str) {
        host.clone_into(&mut self.host);
    }

    /// Sends this header with every request from now on.
    pub fn always_send(&mut self, name: &str, value: &str) {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
    }

    /// Any request; `body` is sent as JSON.
    ///
    /// # Errors
    /// Where no whole answer came; the connection is then dropped.
    pub fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Unanswered> {
        let message = self.message(method, path, &body.map(Value::to_string).unwrap_or_default());
        let kept = self.connection.is_some();
        let first = self.exchange(&message);
        // A kept connection may have been closed meanwhile; a fresh one gets no second chance.
        let answer = if kept && first.is_err() { self.exchange(&message) } else { first };
        let answer = answer.map(|response| Answer { status: response.status, body: response.json() });
        answer.map_err(|why| Unanswered { what: format!("{method} {path}"), why: why.to_string() })
    }

    /// The bytes of a request; `body` says it is JSON where it is not empty, whatever it holds.
    #[must_use]
    pub fn message(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let mut message = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{}", self.host, self.headers);
        if !body.is_empty() {
            message.push_str("Content-Type: application/json\r\n");
        }
        message.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        message.into_bytes()
    }

    /// Sends a whole request as it is, once, and reads the answer.
    ///
    /// # Errors
    /// Where no whole answer came; the connection is then dropped.
    pub fn exchange(&mut self, message: &[u8]) -> io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.address)?,
        };
        connection.get_mut().write_all(message)?;
        let response = read_response(&mut connection)?;
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

impl Door for HttpDoor {
    fn decide(&mut self, body: &Value) -> Result<Answer, Unanswered> {
        self.send("POST", "/v1/decisions", Some(body))
    }

    fn track(&mut self, url: &str) -> Result<Answer, Unanswered> {
        self.send("GET", url, None)
    }

    fn events(&mut self, body: &Value) -> Result<Answer, Unanswered> {
        self.send("POST", "/v1/events", Some(body))
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(BufReader::new(stream))
}

/// An answer as it came over the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// A header's first value; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body; `null` where it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

fn read_response(connection: &mut BufReader<TcpStream>) -> io::Result<Response> {
    let mut response = read_head(connection)?;
    response.body = match (response.header("transfer-encoding"), response.header("content-length")) {
        (Some("chunked"), _) => read_chunks(connection)?,
        (_, Some(length)) => {
            let length = length.parse().map_err(|_| malformed("content-length is no number"))?;
            read_body(connection, length)?
        }
        (_, None) => Vec::new(),
    };
    Ok(response)
}

fn read_head(connection: &mut BufReader<TcpStream>) -> io::Result<Response> {
    let mut limited = connection.take(HEAD_BYTES_MAX);
    let status = line(&mut limited)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| malformed("no status"))?;
    let mut headers = Vec::new();
    loop {
        let line = line(&mut limited)?;
        if line.is_empty() {
            return Ok(Response { status, headers, body: Vec::new() });
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

/// One line without its end.
fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| malformed("the head breaks off"))
}

fn read_body(connection: &mut BufReader<TcpStream>, length: u64) -> io::Result<Vec<u8>> {
    if length > BODY_BYTES_MAX {
        return Err(malformed("the body is too large"));
    }
    let mut body = vec![0; usize::try_from(length).unwrap_or(0)];
    connection.read_exact(&mut body)?;
    Ok(body)
}

fn read_chunks(connection: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = u64::from_str_radix(&line(connection)?, 16).map_err(|_| malformed("a chunk without a length"))?;
        body.extend(read_body(connection, length)?);
        line(connection)?;
        if length == 0 {
            return Ok(body);
        }
        if body.len() as u64 > BODY_BYTES_MAX {
            return Err(malformed("the body is too large"));
        }
    }
}

fn malformed(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
