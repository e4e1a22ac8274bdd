//! The shapes of bodies, in short. Objects of the catalog stand as answers give them; what an edit takes is derived from them.

/// Objects of the catalog by the name of their kind's schema.
pub(super) const OBJECTS: &[(&str, &str)] = &[
    ("Tenant", "id: id; external_id: text | null; version: count; name: text"),
    (
        "Advertiser",
        "id: id; external_id: text | null; version: count; tenant: id; name: text; status: Status; time_zone: text;
         credit_limit_micros: count | null; frequency_caps: FrequencyCap[]",
    ),
    (
        "Campaign",
        "id: id; external_id: text | null; version: count; advertiser: id; name: text; status: Status; start: time | null;
         end: time | null; lifetime_budget_micros: count | null; daily_budget_micros: count | null; frequency_caps: FrequencyCap[]",
    ),
    (
        "LineItem",
        "id: id; external_id: text | null; version: count; campaign: id; name: text; status: Status; start: time | null;
         end: time | null; bid: Bid; billable: \"impression\" | \"viewable\"; pacing: \"even\" | \"asap\" | \"front_loaded\" | \"custom\";
         paced_by: \"bid\" | \"requests\"; pacing_curve?: CurvePoint[]; budget_micros: count | null;
         targeting: Targeting | null; frequency_caps: FrequencyCap[]; exclusion_groups: text[]; needs_consent: bool",
    ),
    (
        "Creative",
        "id: id; external_id: text | null; version: count; advertiser: id; format: FormatName; width: count | null;
         height: count | null; title: text; text: text; landing_url: text; image_url: text | null;
         review: Review; review_reason: text | null; video: Video | null",
    ),
    (
        "Ad",
        "id: id; external_id: text | null; version: count; line_item: id; creative: id; status: Status; item: text | null;
         categories: text[]; frequency_caps: FrequencyCap[]",
    ),
    (
        "Placement",
        "id: id; external_id: text | null; version: count; tenant: id; name: text; page_type: text | null; formats: Format[];
         slots_max: count; floor_micros: count; max_per_advertiser: count; blocked_advertisers: id[]; blocked_categories: text[]",
    ),
    ("Segment", "id: id; external_id: text | null; version: count; tenant: id; name: text; description: text"),
];

/// Everything else, by name.
pub(super) const SHAPES: &[(&str, &str)] = &[
    // ── the catalog ──
    ("Status", r#"="active" | "paused" | "archived""#),
    ("Review", r#"="pending" | "approved" | "rejected""#),
    ("FormatName", r#"="sponsored_item" | "banner" | "video""#),
    ("Format", "format: FormatName; width?: count | null; height?: count | null"),
    ("CurvePoint", "traffic_ppm: count; budget_ppm: count"),
    ("FrequencyCap", "max: count; window_minutes: count"),
    ("Bid", r#"micros: count; per: "mille" | "click" | "action""#),
    ("Video", "duration_ms: count; mime_types: text[]; vast_url?: text; file_url?: text"),
    (
        "Targeting",
        "all?: Targeting[]; any?: Targeting[]; not?: Targeting; geo?: text[]; device?: text[]; os?: text[]; placement?: id[];
         category?: text[]; segment?: text[]; keyword?: text[]; key_value?: map<text[]>; daypart?: Daypart",
    ),
    ("Daypart", "days: Weekday[]; hours: count[]"),
    ("Weekday", r#"="mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun""#),
    ("BulkAnswer", "created: count; changed: count; unchanged: count; refused: count; dry_run: bool; results: RowAnswer[]"),
    (
        "RowAnswer",
        r#"status: "created" | "changed" | "unchanged" | "refused"; id?: id; external_id?: text | null; version?: count; problem?: Problem"#,
    ),
    ("Rejection", "reason: text"),
    (
        "PreviewAnswer",
        "ad_id: id; line_item_id: id; campaign_id: id; advertiser_id: id; item: text | null; creative: ShownCreative; landing_url: text",
    ),
    (
        "Problem",
        "type: text; title: text; status: count; detail: text; field?: text; version?: count; retry_after?: count",
    ),
    // ── decisions and events ──
    (
        "DecisionRequest",
        "request_id?: text | null; user_id?: text | null; placements: PlacementAsk[]; context?: Context; personalise?: bool;
         explain?: bool; test?: bool",
    ),
    ("PlacementAsk", "id: id; slots: count; floor_micros?: count | null"),
    (
        "Context",
        "device?: text | null; os?: text | null; country?: text | null; region?: text | null; city?: text | null; url?: text | null;
         categories?: text[]; keywords?: text[]; segments?: text[]; key_values?: map<text[]>;
         ip?: text | null; user_agent?: text | null",
    ),
    (
        "DecisionResponse",
        "decision_id: text | null; user_id: text | null; placements: PlacementAnswer[]; degraded: text[]; traffic?: text; explain?: Explanation",
    ),
    ("PlacementAnswer", "id: id; ads: ShownAd[]"),
    (
        "ShownAd",
        "slot: count; ad_id: id; line_item_id: id; campaign_id: id; advertiser_id: id; item: text | null; creative: ShownCreative;
         tracking: Tracking",
    ),
    (
        "ShownCreative",
        "id: id; format: FormatName; width?: count; height?: count; title: text; text: text; image_url?: text; video?: Video",
    ),
    ("Tracking", "impression: text; viewable: text; click: text"),
    ("RankAdsRequest", "user_id?: text | int | null; context: any; num_ads: count"),
    ("RankAdsResponse", "user_id: text | null; ranked_ads: RankedAd[]"),
    ("RankedAd", "ad_id: id; score: number; assets: Assets; tracking: Tracking"),
    ("Assets", "title: text; text: text; image_url: text | null"),
    ("EventBatch", "events: Event[]"),
    ("Event", "=DeliveryEvent | ConversionEvent | ViewEvent"),
    ("DeliveryEvent", r#"type: "impression" | "viewable" | "click"; token: text; time?: int | null"#),
    (
        "ConversionEvent",
        r#"type: "conversion"; token?: text | null; tenant?: id | null; user_id?: text | null; order_id: text;
           value_micros?: int; items?: Purchase[]; time?: int | null"#,
    ),
    ("Purchase", "item: text; category?: text | null; quantity?: count"),
    (
        "ViewEvent",
        r#"type: "view"; tenant: id; user_id: text; item: text; category?: text | null; time?: int | null"#,
    ),
    ("EventResults", "results: EventResult[]"),
    ("EventResult", r#"status: "accepted" | "repeated" | "expired" | "rejected"; event_id?: text; problem?: Problem"#),
    (
        "Explanation",
        "id: text; time_ms: int; user: text | null; degraded: text[]; full: bool; request: Fact[]; world: Fact[]; steps: any[];
         line_items: count; ineligible: ReasonCount[]; placements: any[]; candidates: any[]",
    ),
    ("Fact", "name: text; value: text"),
    ("ReasonCount", "code: text; stage: text; text: text; count: count"),
    ("LiveView", "=map<any>"),
    (
        "WhyNotAnswer",
        "line_item_id: id; requests: count; not_there_yet: count; eligible: count; shown: count; predicates: Obstacle[];
         fates: Obstacle[]; not_retrieved: count; unrecorded: count; recorded_in_full: count; funds_unknown: count;
         contradicted: count; median_gap_micros: int | null; first_ms: int | null; last_ms: int | null; cut_off_at_ms: int | null;
         recomputed: text[]; recorded: text[]",
    ),
    (
        "Obstacle",
        "code: text; stage: text; text: text; first: count; first_share: number; only: count; only_share: number",
    ),
    // ── accounts and reports ──
    ("Deposit", "amount_micros: count; reason?: text | null"),
    ("CreditLimit", "limit_micros: count; reason?: text | null"),
    ("Adjustment", "amount_micros: int; reason: text"),
    ("Refund", "event?: RefundedEvent | null; period?: RefundedPeriod | null; reason: text"),
    ("RefundedEvent", "decision_id: text; slot: count; kind?: text"),
    ("RefundedPeriod", "campaign_id?: id | null; line_item_id?: id | null; from: text; to: text"),
    (
        "CommandAnswer",
        "command_id: text; outcome: text; refused_because?: text; effect?: any; by?: text; reason?: text; time?: text",
    ),
    ("RefundAnswer", "refund_nanos: text; commands: CommandAnswer[]"),
    (
        "AccountView",
        "account_id: id; tenant_id: id; name: text; time_zone: text; deposits_nanos: text; adjustments_nanos: text;
         refunds_nanos: text; spent_nanos: text; balance_nanos: text; credit_limit_nanos: text; reserved_nanos: text;
         available_nanos: text; complete_until: text | null",
    ),
    (
        "StatementView",
        "account_id: id; tenant_id: id; name: text; month: text; time_zone: text; opening: any; charges: any[]; movements: any[];
         charged_nanos: text; moved_nanos: text; closing: any; complete_until: text | null; is_final: bool",
    ),
    ("Report", "=map<any>"),
    // ── keys and the audit log ──
    (
        "NewKey",
        "role: text; tenant?: id | null; advertiser?: id | null; name?: text; expires?: int | null; rate?: count | null",
    ),
    (
        "Key",
        "id: id; role: text; tenant: id | null; advertiser: id | null; name: text; created: int; expires: int | null;
         revoked: int | null; rate: count | null; key?: text",
    ),
    ("KeyList", "keys: Key[]; next: text | null"),
    ("AuditList", "entries: AuditEntry[]; next: text | null"),
    (
        "AuditEntry",
        "id: id; time: int; who: text; action: text; tenant: id | null; kind: text; object: text; before: any; after: any",
    ),
    ("Health", "status: text"),
];
