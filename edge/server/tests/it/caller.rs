//! What a site that shows ads does: asks for them, and reports what became of them.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use litfass_sim::{HttpDoor, Response};
use serde_json::{Value, json};

use crate::openapi;
use crate::process::wait_for;

/// One connection to a running server.
pub(crate) struct Caller {
    door: HttpDoor,
}

/// A shown ad, as far as a caller needs it.
#[derive(Clone, Debug)]
pub(crate) struct Ad {
    pub(crate) decision: String,
    /// Over all ads shown in the decision, across placements.
    pub(crate) index: usize,
    pub(crate) id: u64,
    pub(crate) line_item: u64,
    pub(crate) impression: String,
    pub(crate) viewable: String,
    pub(crate) click: String,
}

impl Ad {
    /// The token in a tracking path.
    pub(crate) fn token(path: &str) -> &str {
        path.rsplit('/').next().unwrap()
    }
}

/// The ads of an answer to `POST /v1/decisions`, in order.
pub(crate) fn ads(answer: &Value) -> Vec<Ad> {
    let decision = answer["decision_id"].as_str().unwrap_or_default();
    let placements = answer["placements"].as_array().into_iter().flatten();
    let shown = placements.flat_map(|placement| placement["ads"].as_array().into_iter().flatten());
    shown.enumerate().map(|(index, ad)| read_ad(decision, index, ad)).collect()
}

fn read_ad(decision: &str, index: usize, ad: &Value) -> Ad {
    let path = |kind: &str| ad["tracking"][kind].as_str().unwrap().to_owned();
    Ad {
        decision: decision.to_owned(),
        index,
        id: ad["ad_id"].as_u64().unwrap(),
        line_item: ad["line_item_id"].as_u64().unwrap(),
        impression: path("impression"),
        viewable: path("viewable"),
        click: path("click"),
    }
}

/// A request for `slots` slots of one placement.
pub(crate) fn page(placement: u64, slots: u64, user: &str) -> Value {
    json!({ "user_id": user, "placements": [{ "id": placement, "slots": slots }] })
}

impl Caller {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { door: HttpDoor::new(address) }
    }

    /// The same with an API key.
    pub(crate) fn with_key(self, key: &str) -> Self {
        self.with_header("Authorization", &format!("Bearer {key}"))
    }

    /// The same under another name of the server.
    pub(crate) fn with_host(mut self, host: &str) -> Self {
        self.door.call_it(host);
        self
    }

    /// A form, as a browser sends it.
    pub(crate) fn send_form(&mut self, path: &str, fields: &str) -> Response {
        let message = self.door.message("POST", path, fields);
        let message =
            String::from_utf8(message).unwrap().replace("application/json", "application/x-www-form-urlencoded");
        self.door.exchange(message.as_bytes()).unwrap()
    }

    /// The same with a header on every request.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.door.always_send(name, value);
        self
    }

    /// A request's bytes.
    pub(crate) fn message(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        self.door.message(method, path, body)
    }

    /// Any request; none where no whole answer came.
    pub(crate) fn try_send(&mut self, method: &str, path: &str, body: &str) -> io::Result<Response> {
        let message = self.door.message(method, path, body);
        let response = self.door.exchange(&message)?;
        openapi::check(method, path, &response);
        Ok(response)
    }

    /// Any request; a kept connection that was closed meanwhile is opened again.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> Response {
        let again = self.try_send(method, path, body).or_else(|_| self.try_send(method, path, body));
        again.unwrap_or_else(|problem| panic!("{method} {path}: {problem}"))
    }

    /// A request with headers of its own.
    pub(crate) fn send_with(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let message = String::from_utf8(self.door.message(method, path, body)).unwrap();
        let (line, rest) = message.split_once("\r\n").unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let message = format!("{line}\r\n{headers}{rest}").into_bytes();
        let again = self.door.exchange(&message).or_else(|_| self.door.exchange(&message));
        let response = again.unwrap_or_else(|problem| panic!("{method} {path}: {problem}"));
        openapi::check(method, path, &response);
        response
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, "")
    }

    /// A decision; it must be answered.
    pub(crate) fn decide(&mut self, request: &Value) -> Value {
        let response = self.send("POST", "/v1/decisions", &request.to_string());
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        response.json()
    }

    /// Asks until something is shown: the first requests of a line item find no lease yet.
    pub(crate) fn decide_filled(&mut self, request: &Value) -> Vec<Ad> {
        wait_for("an ad to be shown", || Some(ads(&self.decide(request))).filter(|ads| !ads.is_empty()))
    }

    /// A batch of events; the results, in order.
    pub(crate) fn events(&mut self, events: &[Value]) -> Vec<Value> {
        let response = self.send("POST", "/v1/events", &json!({ "events": events }).to_string());
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        response.json()["results"].as_array().unwrap().clone()
    }

    /// The explanation of a decision, once it can be read.
    pub(crate) fn explanation(&mut self, decision: &str) -> Value {
        let path = format!("/v1/decisions/{decision}");
        wait_for("the explanation", || Some(self.get(&path)).filter(|response| response.status == 200)).json()
    }

    /// The metrics, by name with labels.
    pub(crate) fn metrics(&mut self) -> BTreeMap<String, f64> {
        let response = self.get("/metrics");
        assert_eq!(response.status, 200);
        let text = String::from_utf8(response.body).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
            .collect()
    }

    /// What the live page says was spent by a campaign.
    pub(crate) fn spent_micros(&mut self, campaign: u64) -> i64 {
        let live = self.get("/v1/live").json();
        let campaigns = live["campaigns"].as_array().unwrap();
        let found = campaigns.iter().find(|view| view["id"] == campaign);
        found.map_or(0, |view| view["spent_micros"].as_i64().unwrap())
    }
}
