//! A server just large enough to be driven: it answers each decision with one ad per placement and keeps what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

pub(crate) struct Received {
    pub method: String,
    pub path: String,
    pub body: Value,
}

pub(crate) type Journal = Arc<Mutex<Vec<Received>>>;

/// Listens on a port of its own until the test ends. `status` answers tracking.
pub(crate) fn start(ads: Vec<u64>, close_each: bool) -> (SocketAddr, Journal) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let journal = Journal::default();
    let kept = Arc::clone(&journal);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (journal, ads) = (Arc::clone(&kept), ads.clone());
            thread::spawn(move || while serve(stream.as_ref().unwrap(), &journal, &ads, close_each) && !close_each {});
        }
    });
    (address, journal)
}

fn serve(mut stream: &TcpStream, journal: &Journal, ads: &[u64], close: bool) -> bool {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("Content-Length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut start = lines[0].split(' ').map(str::to_owned);
    let (method, path) = (start.next().unwrap(), start.next().unwrap());
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let (status, answer) = answer(&path, &body, ads);
    journal.lock().unwrap().push(Received { method, path, body });
    let connection = if close { "close" } else { "keep-alive" };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: {connection}\r\n\r\n", answer.len());
    stream.write_all((head + &answer).as_bytes()).is_ok()
}

fn answer(path: &str, body: &Value, ads: &[u64]) -> (&'static str, String) {
    match path {
        "/v1/decisions" => ("200 OK", decision(body, ads).to_string()),
        "/v1/events" => {
            let results: Vec<Value> = body["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|_| json!({"status": "accepted", "event_id": "0"}))
                .collect();
            ("200 OK", json!({"results": results}).to_string())
        }
        click if click.starts_with("/t/c/") => ("302 Found\r\nlocation: https://shop.example/", String::new()),
        tracking if tracking.starts_with("/t/") => ("204 No Content", String::new()),
        _ => ("404 Not Found", json!({"type": "/problems/unknown", "status": 404}).to_string()),
    }
}

fn decision(body: &Value, ads: &[u64]) -> Value {
    let placements: Vec<Value> = body["placements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|placement| {
            let id = &placement["id"];
            let token = format!("{}-{id}", body["request_id"].as_str().unwrap_or("log"));
            let tracking = json!({
                "impression": format!("/t/i/I{token}"), "viewable": format!("/t/v/V{token}"), "click": format!("/t/c/C{token}"),
            });
            let ad_id = ads[token.len() * 7 % ads.len()];
            json!({"id": id, "ads": [{"slot": 0, "ad_id": ad_id, "item": "A", "tracking": tracking}]})
        })
        .collect();
    json!({"decision_id": format!("{:032x}", 42), "placements": placements, "degraded": []})
}
