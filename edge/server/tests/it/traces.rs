//! Traces of requests, as a collector receives them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

use crate::caller::{Ad, page};
use crate::catalogs::{HOME, Seller, catalog};
use crate::process::{Home, wait_for};

/// The steps of a decision, in their order.
const STEPS: [&str; 5] = ["gather", "shortlist", "predict", "settle", "commit"];
const THEIR_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const THEIR_SPAN: &str = "00f067aa0ba902b7";

/// Takes what is sent to `/v1/traces`, in its own bytes.
struct Receiver {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Receiver {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, bodies) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Vec<u8>>>>::default());
        let kept = Arc::clone(&bodies);
        std::thread::spawn(move || listener.incoming().for_each(|stream| take(stream.unwrap(), &kept)));
        Self { address, bodies }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.bodies.lock().unwrap().clone()
    }

    /// Everything that was sent: who sent it, and the spans.
    fn received(&self) -> (Vec<KeyValue>, Vec<Span>) {
        let requests = self.bodies().into_iter().map(|body| ExportTraceServiceRequest::decode(&*body).unwrap());
        let resources: Vec<_> = requests.flat_map(|request| request.resource_spans).collect();
        let sender = resources[0].resource.clone().unwrap().attributes;
        let spans = resources.into_iter().flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans);
        (sender, spans.collect())
    }
}

/// One request of the exporter.
fn take(mut stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let head = head.to_lowercase();
    assert!(head.starts_with("post /v1/traces ") && head.contains("content-type: application/x-protobuf"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    kept.lock().unwrap().push(body);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let value = found.value.as_ref()?.value.as_ref()?;
    if let Value::StringValue(text) = value {
        return Some(text.clone());
    }
    let Value::IntValue(number) = value else { panic!("{key}: {value:?}") };
    Some(number.to_string())
}

/// What may not be sent.
struct Secrets(Vec<String>);

/// A decision, an impression and a token that is none, all by callers who bring a trace of their own.
fn some_requests(home: &Home) -> Secrets {
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let key = home.key(&["--role", "admin"]);
    let server = home.serve();
    let parent = format!("00-{THEIR_TRACE}-{THEIR_SPAN}-01");
    let mut caller = server.caller().with_key(&key).with_header("traceparent", &parent);
    let (user, address, agent) = ("viewer-5316", "203.0.113.77", "Agent-8841");
    let mut request = page(HOME, 1, user);
    request["context"] = json!({ "ip": address, "user_agent": agent });
    let ad = caller.decide_filled(&request).remove(0);
    assert_eq!(caller.get(&ad.impression).status, 200);
    assert_eq!(caller.get(&format!("{}x", ad.click)).status, 404);
    assert!(server.stop().success());
    let secrets = [user, address, agent, &key, Ad::token(&ad.impression), Ad::token(&ad.click)];
    Secrets(secrets.map(str::to_owned).to_vec())
}

#[test]
fn a_decision_is_one_trace_from_its_request_to_the_log() {
    let (home, receiver) = (Home::new(), Receiver::listen());
    home.configure(&format!("[telemetry]\notlp_endpoint = \"http://{}\"\n", receiver.address));
    some_requests(&home);
    let (sender, spans) = receiver.received();
    assert_eq!(text(&sender, "service.name").as_deref(), Some("litfass"));
    let asked: Vec<_> = spans.iter().filter(|span| span.name == "POST /v1/decisions").collect();
    let request = asked.last().unwrap();
    assert_eq!((hex(&request.trace_id), hex(&request.parent_span_id)), (THEIR_TRACE.to_owned(), THEIR_SPAN.to_owned()));
    assert_eq!(text(&request.attributes, "http.route").as_deref(), Some("/v1/decisions"));
    assert_eq!(text(&request.attributes, "http.response.status_code").as_deref(), Some("200"));
    let below = |parent: &Span| {
        let mut below: Vec<_> = spans.iter().filter(|span| span.parent_span_id == parent.span_id).collect();
        below.sort_by_key(|span| span.start_time_unix_nano);
        below
    };
    let [decision] = below(request)[..] else { panic!("{:?}", below(request)) };
    assert_eq!(decision.name, "decision");
    let told = |key: &str| text(&decision.attributes, key);
    assert_eq!(told("litfass.decision.shown").as_deref(), Some("1"));
    assert_eq!(told("litfass.decision.id").unwrap().len(), 32);
    let steps: Vec<_> = below(decision).iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, STEPS);
    for step in below(decision) {
        assert!(step.start_time_unix_nano >= decision.start_time_unix_nano, "{step:?}");
        assert!(step.end_time_unix_nano <= decision.end_time_unix_nano, "{step:?}");
    }
}

#[test]
fn a_tracking_url_begins_a_trace_of_its_own_and_its_wait_for_the_disk_is_in_it() {
    let (home, receiver) = (Home::new(), Receiver::listen());
    home.configure(&format!("[telemetry]\notlp_endpoint = \"http://{}\"\n", receiver.address));
    some_requests(&home);
    let (_, spans) = receiver.received();
    let impression = spans.iter().find(|span| span.name == "GET /t/i/{token}").unwrap();
    assert!(impression.parent_span_id.is_empty() && hex(&impression.trace_id) != THEIR_TRACE, "{impression:?}");
    let append = spans.iter().find(|span| span.parent_span_id == impression.span_id).unwrap();
    assert_eq!((append.name.as_str(), text(&append.attributes, "litfass.events").as_deref()), ("append", Some("1")));
    let refused = spans.iter().find(|span| span.name == "GET /t/c/{token}").unwrap();
    assert_eq!(text(&refused.attributes, "http.response.status_code").as_deref(), Some("404"));
}

#[test]
fn no_span_names_a_viewer_an_address_a_token_or_a_key() {
    let (home, receiver) = (Home::new(), Receiver::listen());
    home.configure(&format!("[telemetry]\notlp_endpoint = \"http://{}\"\n", receiver.address));
    let Secrets(secrets) = some_requests(&home);
    let sent = receiver.bodies().concat();
    assert!(sent.windows(8).any(|bytes| bytes == b"decision"));
    for secret in secrets {
        assert!(!sent.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn a_collector_that_is_gone_holds_nothing_up() {
    let home = Home::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.configure(&format!("[telemetry]\notlp_endpoint = \"http://{nobody}\"\n"));
    some_requests(&home);
    assert!(home.process_log().contains("telemetry data will be lost"), "{}", home.process_log());
}

/// OpenTelemetry's own collector, where `LITFASS_OTELCOL` names it.
struct Collector {
    child: Child,
    address: SocketAddr,
}

impl Collector {
    fn start(program: &str, home: &Home) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "receivers: {{ otlp: {{ protocols: {{ http: {{ endpoint: \"{address}\" }} }} }} }}\n\
             exporters: {{ debug: {{ verbosity: detailed }} }}\n\
             service: {{ telemetry: {{ metrics: {{ level: none }} }}, pipelines: {{ traces: {{ receivers: [otlp], exporters: [debug] }} }} }}\n"
        );
        let (config, said) = (home.write("collector.yaml", &config), home.write("collector.log", ""));
        let log = File::options().append(true).open(said).unwrap();
        let mut command = Command::new(program);
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        wait_for("the collector to listen", || TcpStream::connect(address).ok());
        Self { child, address }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.child.kill().unwrap_or(());
        let _ended = self.child.wait();
    }
}

#[test]
fn the_collector_of_opentelemetry_takes_them() {
    let Ok(program) = std::env::var("LITFASS_OTELCOL") else {
        println!("LITFASS_OTELCOL names no collector: `cargo xtask verify traces` does");
        return;
    };
    let home = Home::new();
    let collector = Collector::start(&program, &home);
    home.configure(&format!("[telemetry]\notlp_endpoint = \"http://{}\"\n", collector.address));
    some_requests(&home);
    let said = || fs::read_to_string(home.config().with_file_name("collector.log")).unwrap();
    let names: Vec<_> = STEPS.into_iter().chain(["decision", "append", "POST /v1/decisions"]).collect();
    let told = |said: &str, name: &str| {
        said.lines().any(|line| line.trim().starts_with("Name") && line.ends_with(&format!(": {name}")))
    };
    wait_for("the spans to be told", || names.iter().all(|name| told(&said(), name)).then_some(()));
    println!("{} spans", said().lines().filter(|line| line.starts_with("Span #")).count());
}
