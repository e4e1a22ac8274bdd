//! Every address and method with what it takes and answers. Addresses of the catalog's kinds are made from one pattern.

use litfass_catalog::ObjectKind;
use litfass_store::catalog::section;

/// A body or an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Content {
    Nothing,
    Json(String),
    /// Of that media type.
    Other(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) summary: String,
    /// As members of a shape.
    pub(super) query: &'static str,
    pub(super) headers: &'static [&'static str],
    pub(super) body: Content,
    pub(super) status: u16,
    pub(super) answer: Content,
    /// Written as comma-separated values where that is asked for.
    pub(super) csv: bool,
    /// Told what is wrong as a page, where a browser asks.
    pub(super) page: bool,
    /// Takes no key.
    pub(super) public: bool,
}

impl Operation {
    fn new(
        method: &'static str,
        path: impl Into<String>,
        summary: impl Into<String>,
        status: u16,
        answer: Content,
    ) -> Self {
        let (path, summary) = (path.into(), summary.into());
        let (query, headers, body) = ("", &[][..], Content::Nothing);
        let [csv, page, public] = [false; 3];
        Self { method, path, summary, query, headers, body, status, answer, csv, page, public }
    }

    fn taking(self, shape: impl Into<String>) -> Self {
        Self { body: Content::Json(shape.into()), ..self }
    }

    fn asked(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn repeatable(self) -> Self {
        Self { headers: &["Idempotency-Key"], ..self }
    }

    fn or_csv(self) -> Self {
        Self { csv: true, ..self }
    }

    fn page(self) -> Self {
        Self { page: true, ..self }
    }

    fn public(self) -> Self {
        Self { public: true, ..self }
    }
}

fn json(shape: impl Into<String>) -> Content {
    Content::Json(shape.into())
}

const HTML: Content = Content::Other("text/html");
const EDIT_QUERY: &str = "tenant?: id; dry_run?: bool";

pub(super) fn all() -> Vec<Operation> {
    let kinds = ObjectKind::ALL.into_iter().flat_map(of_kind);
    serving()
        .into_iter()
        .chain(kinds)
        .chain(of_catalog())
        .chain(accounts())
        .chain(administration())
        .chain(pages().into_iter().map(Operation::page))
        .chain(beside_pages())
        .collect()
}

/// The schema's name of a kind of object.
pub(super) const fn schema_of(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Tenant => "Tenant",
        ObjectKind::Advertiser => "Advertiser",
        ObjectKind::Campaign => "Campaign",
        ObjectKind::LineItem => "LineItem",
        ObjectKind::Creative => "Creative",
        ObjectKind::Ad => "Ad",
        ObjectKind::Placement => "Placement",
        ObjectKind::Segment => "Segment",
    }
}

fn serving() -> Vec<Operation> {
    let track = |method, kind: &str, what: &str, status, answer| {
        Operation::new(method, format!("/t/{kind}/{{token}}"), format!("Report {what}"), status, answer).public()
    };
    vec![
        Operation::new("post", "/v1/decisions", "Decide which ads to show", 200, json("DecisionResponse"))
            .taking("DecisionRequest"),
        Operation::new("get", "/v1/decisions/{id}", "Explain a decision", 200, json("Explanation")),
        Operation::new("post", "/rank_ads", "Decide in the short form", 200, json("RankAdsResponse"))
            .taking("RankAdsRequest"),
        Operation::new("post", "/v1/events", "Report events", 200, json("EventResults")).taking("EventBatch"),
        Operation::new(
            "get",
            "/v1/events/export",
            "Events as they are in the log",
            200,
            Content::Other("application/x-ndjson"),
        )
        .asked("from: time; to?: time; format?: \"ndjson\" | \"csv\"")
        .or_csv(),
        track("get", "i", "an impression", 200, Content::Other("image/gif")),
        track("post", "i", "an impression, as a beacon", 204, Content::Nothing),
        track("get", "v", "a viewable impression", 204, Content::Nothing),
        track("post", "v", "a viewable impression, as a beacon", 204, Content::Nothing),
        track("get", "c", "a click, and go where it leads", 302, Content::Nothing),
        track("post", "c", "a click, as a beacon", 204, Content::Nothing),
        Operation::new(
            "get",
            "/v1/line_items/{id}/why-not",
            "Why a line item did not serve",
            200,
            json("WhyNotAnswer"),
        )
        .asked("from?: time; to?: time"),
    ]
}

fn of_kind(kind: ObjectKind) -> Vec<Operation> {
    let (list, schema) = (format!("/v1/{}", section(kind)), schema_of(kind));
    let (one, edit) = (format!("{list}/{{id}}"), format!("{schema}Edit"));
    let words = kind.name().replace('_', " ");
    vec![
        Operation::new("get", &list, format!("List objects: {words}"), 200, json(format!("{schema}List"))).asked(
            "tenant?: id; parent?: id; status?: Status; review?: Review; external_id?: text; name_prefix?: text; limit?: count; cursor?: text",
        ),
        Operation::new("post", &list, format!("Create: {words}"), 201, json(schema)).taking(&edit).asked(EDIT_QUERY).repeatable(),
        Operation::new("get", &one, format!("Read: {words}"), 200, json(schema)).asked(EDIT_QUERY),
        Operation {
            headers: &["If-Match", "Idempotency-Key"],
            ..Operation::new("patch", one, format!("Change: {words}"), 200, json(schema)).taking(edit).asked(EDIT_QUERY)
        },
        Operation::new("post", format!("{list}/bulk"), format!("Create or change many: {words}"), 200, json("BulkAnswer"))
            .taking(format!("{schema}Bulk"))
            .asked(EDIT_QUERY)
            .repeatable(),
    ]
}

fn of_catalog() -> Vec<Operation> {
    let at = |kind, verb: &str, answer: &str| {
        let path = format!("/v1/{}/{{id}}/{verb}", section(kind));
        Operation::new("post", path, format!("{verb}: {}", kind.name().replace('_', " ")), 200, json(answer))
            .asked(EDIT_QUERY)
    };
    let mut operations = Vec::new();
    for kind in [ObjectKind::Advertiser, ObjectKind::Campaign, ObjectKind::LineItem, ObjectKind::Ad] {
        operations.extend(["pause", "resume", "archive"].map(|verb| at(kind, verb, schema_of(kind)).repeatable()));
    }
    operations.push(at(ObjectKind::Advertiser, "kill", "AdvertiserKilled"));
    operations.push(at(ObjectKind::Campaign, "kill", "CampaignKilled"));
    operations.push(at(ObjectKind::Creative, "approve", "Creative"));
    operations.push(at(ObjectKind::Creative, "reject", "Creative").taking("Rejection"));
    operations.push(at(ObjectKind::Ad, "preview", "PreviewAnswer").asked(""));
    operations
}

fn accounts() -> Vec<Operation> {
    let wish = |what: &str, summary: &str, body: &str, answer: &str| {
        Operation::new("post", format!("/v1/accounts/{{id}}/{what}"), summary, 200, json(answer))
            .taking(body)
            .repeatable()
    };
    vec![
        Operation::new("get", "/v1/accounts/{id}", "An account's balance", 200, json("AccountView")),
        wish("deposits", "Deposit", "Deposit", "CommandAnswer"),
        wish("credit-limit", "Set the credit limit", "CreditLimit", "CommandAnswer"),
        wish("adjustments", "Adjust the balance", "Adjustment", "CommandAnswer"),
        wish("refunds", "Refund an event or a period", "Refund", "RefundAnswer"),
        Operation::new("get", "/v1/accounts/{id}/commands/{command}", "What became of a command", 200, json("CommandAnswer")),
        Operation::new("get", "/v1/accounts/{id}/statement", "A month's statement", 200, json("StatementView"))
            .asked("month: month; format?: \"json\" | \"csv\"")
            .or_csv(),
        Operation::new("get", "/v1/reports", "Delivery, spend and their ratios", 200, json("Report")).asked(
            "dimensions?: text; from: text; to?: text; granularity?: \"hour\" | \"day\" | \"total\"; time_zone?: text;
             traffic?: \"net\" | \"gross\"; tenant?: text; advertiser?: text; campaign?: text; line_item?: text; ad?: text;
             creative?: text; placement?: text; country?: text; format?: \"json\" | \"csv\"",
        )
        .or_csv(),
    ]
}

fn administration() -> Vec<Operation> {
    vec![
        Operation::new("post", "/v1/keys", "Make an API key, shown once", 201, json("Key")).taking("NewKey"),
        Operation::new("get", "/v1/keys", "List API keys", 200, json("KeyList")).asked("cursor?: count"),
        Operation::new("delete", "/v1/keys/{id}", "Revoke an API key", 204, Content::Nothing),
        Operation::new("get", "/v1/audit", "Who changed what", 200, json("AuditList")).asked(
            "tenant?: id; who?: text; action?: text; kind?: text; object?: text; from?: int; to?: int; cursor?: count; limit?: limit",
        ),
        Operation::new("delete", "/v1/users/{id}", "Erase what is known of a user", 204, Content::Nothing).asked("tenant?: id"),
        Operation::new("put", "/v1/users/{id}/opt-out", "Keep nothing of a user from now on", 204, Content::Nothing)
            .asked("tenant?: id"),
        Operation::new("delete", "/v1/users/{id}/opt-out", "Take the opt-out back", 204, Content::Nothing).asked("tenant?: id"),
        Operation::new("get", "/openapi.json", "This document", 200, Content::Json("Document".to_owned())).public(),
        Operation::new("get", "/healthz", "Whether the process runs", 200, json("Health")).public(),
        Operation::new("get", "/readyz", "Whether requests are welcome", 200, json("Health")).public(),
        Operation::new("get", "/metrics", "Figures for Prometheus", 200, Content::Other("text/plain")),
    ]
}

fn pages() -> Vec<Operation> {
    vec![
        Operation::new("get", "/", "The live page", 200, HTML),
        Operation::new("get", "/decisions/{id}", "A decision, as a page", 200, HTML),
        Operation::new("get", "/decisions", "The last decisions, as a page", 200, HTML).asked("id?: text"),
        Operation::new("get", "/campaigns", "Campaigns and what they deliver today, as a page", 200, HTML)
            .asked("name?: text; status?: text; advertiser?: count; after?: count"),
        Operation::new("get", "/campaigns/{id}", "A campaign's day against its plan, as a page", 200, HTML)
            .asked("after?: count"),
        Operation::new("post", "/campaigns/{id}/pause", "A button of the page", 303, Content::Nothing),
        Operation::new("post", "/campaigns/{id}/resume", "A button of the page", 303, Content::Nothing),
        Operation::new("post", "/campaigns/{id}/kill", "A button of the page", 303, Content::Nothing),
        Operation::new("get", "/line-items/{id}/why-not", "Why a line item was not shown, as a page", 200, HTML)
            .asked("span?: text"),
        Operation::new("get", "/accounts", "Accounts, as a page", 200, HTML).asked("name?: text; after?: count"),
        Operation::new("get", "/accounts/{id}", "An account and its month, as a page", 200, HTML).asked("month?: text"),
        Operation::new("get", "/health", "How the server is, as a page", 200, HTML),
        Operation::new("get", "/login", "The form for a key", 200, HTML).public(),
        Operation::new("post", "/login", "Show a key to the pages", 303, Content::Nothing).public(),
        Operation::new("post", "/logout", "End the session", 303, Content::Nothing).public(),
    ]
}

fn beside_pages() -> Vec<Operation> {
    vec![
        Operation::new("get", "/v1/live", "What the live page shows", 200, json("LiveView")),
        Operation::new("get", "/console/{file}", "What the pages load", 200, Content::Other("text/css"))
            .page()
            .public(),
    ]
}
