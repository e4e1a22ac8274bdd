//! The catalog over HTTP: objects made, changed, listed and served; rows refused one by one; nothing done twice.

use litfass_sim::Response;
use serde_json::{Value, json};

use crate::caller::{Caller, ads, page};
use crate::catalogs::{ELSEWHERE, FLOOR_MICROS, HOME, Seller, catalog};
use crate::process::{Home, Litfass, wait_for};

/// A running shop with one seller.
fn shop() -> (Home, Litfass) {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1)]));
    let server = home.serve();
    (home, server)
}

fn post(caller: &mut Caller, path: &str, body: &Value) -> Response {
    caller.send("POST", path, &body.to_string())
}

/// Makes an object; it must be taken.
fn made(caller: &mut Caller, list: &str, body: &Value) -> Value {
    let response = post(caller, &format!("/v1/{list}"), body);
    let answer = response.json();
    assert_eq!(response.status, 201, "{answer}");
    let list = list.split('?').next().unwrap();
    assert_eq!(response.header("location"), Some(format!("/v1/{list}/{}", answer["id"]).as_str()));
    assert_eq!(response.header("etag"), Some(format!("\"{}\"", answer["version"]).as_str()));
    answer
}

/// What the listed objects are called.
fn ids(answer: &Value) -> Vec<u64> {
    answer["objects"].as_array().unwrap().iter().map(|object| object["id"].as_u64().unwrap()).collect()
}

fn refused(response: &Response, status: u16, field: Option<&str>) {
    let problem = response.json();
    assert_eq!((response.status, problem["field"].as_str()), (status, field), "{problem}");
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
}

#[test]
fn a_campaign_made_from_nothing_is_served() {
    let home = Home::new();
    let server = home.serve();
    let mut caller = server.caller();
    made(&mut caller, "tenants", &json!({ "name": "Lamp shop" }));
    made(&mut caller, "placements", &json!({ "name": "home", "external_id": "home", "slots_max": 3 }));
    made(
        &mut caller,
        "advertisers",
        &json!({ "name": "Lumen", "external_id": "lumen", "credit_limit_micros": 50_000_000 }),
    );
    made(&mut caller, "campaigns", &json!({ "advertiser": "lumen", "name": "Autumn", "external_id": "autumn" }));
    let bid = json!({ "micros": 2_000_000, "per": "mille" });
    let line = json!({ "campaign": "autumn", "name": "All", "external_id": "all", "pacing": "asap", "bid": bid });
    made(&mut caller, "line_items", &line);
    let creative = json!({ "advertiser": "lumen", "external_id": "desk", "format": "sponsored_item", "title": "Desk lamp",
                           "text": "Bright", "landing_url": "https://shop.example/desk" });
    made(&mut caller, "creatives", &creative);
    let ad = made(&mut caller, "ads", &json!({ "line_item": "all", "creative": "desk", "item": "SKU-1" }));
    // Until the placement is served, it is unknown.
    let decided = |caller: &mut Caller| post(caller, "/v1/decisions", &page(1, 1, "u")).json();
    let shown = wait_for("the ad to be shown", || ads(&decided(&mut caller)).into_iter().next());
    assert_eq!(json!(shown.id), ad["id"]);
    let read = caller.get(&format!("/v1/ads/{}", shown.id));
    assert_eq!((read.status, read.json()), (200, ad));
}

#[test]
fn what_is_read_can_be_sent_back_and_changes_nothing() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let targeting = json!({ "all": [{ "geo": ["DE"] }, { "not": { "device": ["tv"] } }, { "key_value": { "tier": ["gold", "silver"] } },
                                    { "daypart": { "days": ["mon", "tue"], "hours": [8, 9] } }, { "placement": [HOME] }] });
    let line = json!({ "campaign": 101, "name": "Evening", "start": "2026-11-01T00:00:00Z", "targeting": targeting, "budget_micros": 7,
                       "frequency_caps": [{ "max": 3, "window_minutes": 1440 }], "exclusion_groups": ["lamps"],
                       "bid": { "micros": 1, "per": "click" } });
    let line = made(&mut caller, "line_items", &line);
    assert_eq!(line["targeting"], targeting);
    for list in ["tenants", "advertisers", "campaigns", "line_items", "creatives", "ads", "placements"] {
        for object in caller.get(&format!("/v1/{list}")).json()["objects"].as_array().unwrap() {
            let path = format!("/v1/{list}/{}", object["id"]);
            let again = caller.send("PATCH", &path, &object.to_string());
            assert_eq!((again.status, &again.json()), (200, object));
        }
    }
}

#[test]
fn an_edit_of_what_was_changed_meanwhile_is_refused_with_the_current_tag() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let first = caller.get("/v1/campaigns/101");
    let tag = first.header("etag").unwrap().to_owned();
    let rename = |caller: &mut Caller, tag: &str, name: &str| {
        caller.send_with("PATCH", "/v1/campaigns/101", &[("If-Match", tag)], &json!({ "name": name }).to_string())
    };
    let renamed = rename(&mut caller, &tag, "Winter");
    assert_eq!((renamed.status, renamed.json()["name"].as_str()), (200, Some("Winter")));
    let late = rename(&mut caller, &tag, "Spring");
    refused(&late, 412, None);
    assert_eq!(late.header("etag"), renamed.header("etag"));
    assert_eq!(rename(&mut caller, renamed.header("etag").unwrap(), "Spring").status, 200);
    let budget = caller.send("PATCH", "/v1/campaigns/101", r#"{"daily_budget_micros":5000000}"#);
    assert_ne!(budget.json()["version"], renamed.json()["version"], "a limit is part of what was read");
    assert_eq!(caller.get("/v1/campaigns/101").json()["daily_budget_micros"], 5_000_000);
}

#[test]
fn pause_stops_resume_starts_and_archive_is_for_ever() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "u"));
    for (list, id) in [("campaigns", 101), ("advertisers", 11), ("line_items", 1_001), ("ads", 100_100)] {
        let move_it = |caller: &mut Caller, verb: &str| post(caller, &format!("/v1/{list}/{id}/{verb}"), &json!({}));
        assert_eq!(move_it(&mut caller, "pause").json()["status"], "paused");
        wait_for("nothing to be shown", || ads(&caller.decide(&page(HOME, 1, "u"))).is_empty().then_some(()));
        assert_eq!(move_it(&mut caller, "resume").json()["status"], "active");
        caller.decide_filled(&page(HOME, 1, "u"));
    }
    assert_eq!(post(&mut caller, "/v1/campaigns/101/archive", &json!({})).status, 200);
    refused(&post(&mut caller, "/v1/campaigns/101/resume", &json!({})), 422, Some("status"));
    assert_eq!(ids(&caller.get("/v1/campaigns?status=archived").json()), [101]);
    refused(&post(&mut caller, "/v1/campaigns/999/pause", &json!({})), 404, None);
}

#[test]
fn a_bad_row_keeps_no_other_from_being_taken() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let line = |i: usize| {
        let mut row = json!({ "external_id": format!("line-{i}"), "campaign": 101, "name": format!("Line {i}"),
                              "bid": { "micros": 1_000_000, "per": "mille" } });
        match i % 1_000 {
            7 => row["bid"]["micros"] = json!(-1),
            8 => row["campaign"] = json!(999),
            9 => row["external_id"] = json!("line-1"),
            10 => row["colour"] = json!("red"),
            _ => {}
        }
        row
    };
    let rows: Vec<Value> = (0..10_000).map(line).collect();
    let upsert = |caller: &mut Caller, dry_run: bool| {
        let response = post(caller, "/v1/line_items/bulk?tenant=1", &json!({ "rows": rows, "dry_run": dry_run }));
        assert_eq!(response.status, 200, "{}", response.json());
        response.json()
    };
    let counted =
        |answer: &Value| ["created", "changed", "unchanged", "refused"].map(|key| answer[key].as_u64().unwrap());
    let dry = upsert(&mut caller, true);
    assert_eq!(counted(&dry), [9_960, 0, 0, 40]);
    assert_eq!(ids(&caller.get("/v1/line_items?name_prefix=Line%20").json()), [1_001], "a dry run changes nothing");
    let answer = upsert(&mut caller, false);
    assert_eq!(counted(&answer), [9_960, 0, 0, 40]);
    for (row, field) in [(7, "bid.micros"), (1_008, "campaign"), (2_009, "external_id"), (3_010, "colour")] {
        assert_eq!(answer["results"][row]["problem"]["field"], field, "{}", answer["results"][row]);
    }
    assert_eq!(answer["results"][11], dry["results"][11], "a dry run answers as the real one");
    assert_eq!(counted(&upsert(&mut caller, false)), [0, 0, 9_960, 40], "the second time nothing is left to do");
    let found = caller.get("/v1/line_items?tenant=1&external_id=line-4321").json();
    assert_eq!(found["objects"][0]["name"], "Line 4321");
}

#[test]
fn pages_of_a_list_neither_repeat_nor_miss_while_others_are_made() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let campaign = |i: usize| json!({ "advertiser": 11, "name": format!("More {i:02}") });
    let before: Vec<Value> = (0..7).map(|i| made(&mut caller, "campaigns", &campaign(i))["id"].clone()).collect();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = caller.get(&format!("/v1/campaigns?parent=11&name_prefix=More&limit=2{cursor}")).json();
        seen.extend(answer["objects"].as_array().unwrap().iter().map(|object| object["id"].clone()));
        let Some(next) = answer["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        if seen.len() < 8 {
            made(&mut caller, "campaigns", &campaign(seen.len() + 10));
        }
    }
    assert_eq!(seen[..7], before);
    let distinct: std::collections::BTreeSet<String> = seen.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), seen.len());
}

#[test]
fn a_repeated_request_is_answered_as_before_and_done_once() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let send = |caller: &mut Caller, key: &str, name: &str| {
        let body = json!({ "advertiser": 11, "name": name }).to_string();
        caller.send_with("POST", "/v1/campaigns", &[("Idempotency-Key", key)], &body)
    };
    let first = send(&mut caller, "k1", "Once");
    let again = send(&mut caller, "k1", "Once");
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(caller.get("/v1/campaigns?name_prefix=Once").json()["objects"].as_array().unwrap().len(), 1);
    refused(&send(&mut caller, "k1", "Twice"), 409, None);
    let refusal = send(&mut caller, "k2", "");
    refused(&refusal, 422, Some("name"));
    assert_eq!(send(&mut caller, "k2", "Now it has one").status, 201, "a refused request keeps no key");
    let mut moved = |what: &str, key: &str| {
        let moved = caller.send_with("POST", &format!("/v1/campaigns/101/{what}"), &[("Idempotency-Key", key)], "");
        moved.json()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!([moved("resume", "k3"), moved("pause", "k4")], ["active", "paused"]);
    assert_eq!(moved("resume", "k3"), "active", "what changed nothing is answered as before, too");
    assert_eq!(caller.get("/v1/campaigns/101").json()["status"], "paused", "and changes nothing now");
}

#[test]
fn a_reference_to_another_tenants_object_is_refused_by_name() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let other = made(&mut caller, "advertisers?tenant=2", &json!({ "name": "Foreign" }));
    let campaign = made(&mut caller, "campaigns?tenant=2", &json!({ "advertiser": other["id"], "name": "Foreign" }));
    let bid = json!({ "micros": 1, "per": "mille" });
    let line = json!({ "campaign": campaign["id"], "name": "Foreign", "bid": bid });
    let line = made(&mut caller, "line_items?tenant=2", &line);
    let text = json!({ "advertiser": 11, "format": "sponsored_item", "title": "t", "text": "t", "landing_url": "https://shop.example" });
    let with = |base: &Value, field: &str, value: &Value| {
        let mut body = base.clone();
        body[field] = value.clone();
        body
    };
    let own_line = json!({ "campaign": 101, "name": "Own", "bid": bid });
    let own_ad = json!({ "line_item": 1_001, "creative": 100_100 });
    let cases = [
        ("advertisers", json!({ "name": "x", "tenant": 2 }), "tenant"),
        ("campaigns", json!({ "name": "x", "advertiser": other["id"] }), "advertiser"),
        ("creatives", with(&text, "advertiser", &other["id"]), "advertiser"),
        ("line_items", with(&own_line, "campaign", &campaign["id"]), "campaign"),
        ("line_items", with(&own_line, "targeting", &json!({ "placement": [ELSEWHERE] })), "targeting.placement"),
        ("ads", with(&own_ad, "line_item", &line["id"]), "line_item"),
        ("placements", json!({ "name": "x", "blocked_advertisers": [other["id"]] }), "blocked_advertisers[0]"),
    ];
    for (list, body, field) in cases {
        refused(&post(&mut caller, &format!("/v1/{list}?tenant=1"), &body), 422, Some(field));
    }
    let foreign = with(&text, "advertiser", &other["id"]);
    let foreign = made(&mut caller, "creatives?tenant=2", &foreign);
    refused(&post(&mut caller, "/v1/ads?tenant=1", &with(&own_ad, "creative", &foreign["id"])), 422, Some("creative"));
    for (list, id) in
        [("advertisers", &other), ("campaigns", &campaign), ("line_items", &line), ("creatives", &foreign)]
    {
        let path = format!("/v1/{list}/{}?tenant=1", id["id"]);
        refused(&caller.get(&path), 404, None);
        refused(&caller.send("PATCH", &path, r#"{"name":"mine"}"#), 404, None);
        assert!(!ids(&caller.get(&format!("/v1/{list}?tenant=1")).json()).contains(&id["id"].as_u64().unwrap()));
    }
}

#[test]
fn a_kill_stops_a_campaign_says_what_is_outstanding_and_is_reversible() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "u"));
    for path in ["/v1/campaigns/101", "/v1/advertisers/11"] {
        let shown = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
        let killed = post(&mut caller, &format!("{path}/kill"), &json!({}));
        let answer = killed.json();
        assert_eq!((killed.status, answer["object"]["status"].as_str()), (200, Some("paused")), "{answer}");
        let price = FLOOR_MICROS / 1_000;
        assert!(answer["outstanding_micros"].as_i64().unwrap() >= price, "the hold of what was just shown: {answer}");
        assert!(ads(&caller.decide(&page(HOME, 1, "u"))).is_empty(), "the first decision after it shows nothing");
        assert_eq!(caller.get(&shown.impression).status, 200, "what was shown may still be reported");
        assert_eq!(post(&mut caller, &format!("{path}/resume"), &json!({})).status, 200);
        caller.decide_filled(&page(HOME, 1, "u"));
    }
    refused(&post(&mut caller, "/v1/campaigns/999/kill", &json!({})), 404, None);
}

#[test]
fn a_preview_shows_what_would_not_be_served_and_bills_nothing() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    assert_eq!(post(&mut caller, "/v1/creatives/100100/reject", &json!({ "reason": "blurred" })).status, 200);
    wait_for("nothing to be shown", || ads(&caller.decide(&page(HOME, 1, "u"))).is_empty().then_some(()));
    let decided = caller.metrics()["litfass_decisions_total{result=\"empty\"}"];
    let preview = post(&mut caller, "/v1/ads/100100/preview", &json!({}));
    let answer = preview.json();
    assert_eq!((preview.status, answer["creative"]["title"].as_str()), (200, Some("Lamp 1-0")), "{answer}");
    assert_eq!(answer.get("tracking"), None, "there is nothing to report it with");
    assert_eq!(caller.metrics()["litfass_decisions_total{result=\"empty\"}"].to_bits(), decided.to_bits());
    refused(&post(&mut caller, "/v1/ads/1/preview", &json!({})), 404, None);
}

#[test]
fn a_rejected_creative_says_why_until_it_is_approved() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let rejected = post(&mut caller, "/v1/creatives/100100/reject", &json!({ "reason": "blurred" })).json();
    assert_eq!((&rejected["review"], &rejected["review_reason"]), (&json!("rejected"), &json!("blurred")));
    refused(&post(&mut caller, "/v1/creatives/100100/reject", &json!({})), 400, Some("reason"));
    let approved = post(&mut caller, "/v1/creatives/100100/approve", &json!({})).json();
    assert_eq!((&approved["review"], &approved["review_reason"]), (&json!("approved"), &Value::Null));
    caller.decide_filled(&page(HOME, 1, "u"));
}

#[test]
fn an_advertisers_key_changes_its_own_campaigns_and_sees_no_others() {
    let home = Home::new();
    home.load(&catalog(&[Seller::by_the_mille(1), Seller::by_the_mille(2)]));
    let server = home.serve();
    let admin = home.key(&["--role", "admin"]);
    let own = home.key(&["--role", "advertiser", "--tenant", "1", "--advertiser", "11"]);
    let mut caller = server.caller().with_key(&own);
    wait_for("the key to be known", || (caller.get("/v1/campaigns").status == 200).then_some(()));
    for (list, seen) in
        [("advertisers", 11), ("campaigns", 101), ("line_items", 1_001), ("creatives", 100_100), ("ads", 100_100)]
    {
        assert_eq!(ids(&caller.get(&format!("/v1/{list}")).json()), [seen], "{list}");
        refused(&caller.get(&format!("/v1/{list}/{}", if seen > 10_000 { seen + 100 } else { seen + 1 })), 404, None);
    }
    let blocked = json!({ "name": "Quiet", "blocked_advertisers": [12] });
    let quiet = made(&mut server.caller().with_key(&admin), "placements?tenant=1", &blocked)["id"].as_u64().unwrap();
    let seen = caller.get(&format!("/v1/placements/{quiet}")).json();
    assert_eq!(
        (&seen["name"], &seen["blocked_advertisers"]),
        (&json!("Quiet"), &json!([])),
        "whom a site blocks is its own"
    );
    let listed = caller.get("/v1/placements").json().to_string();
    assert!(listed.contains("Quiet") && !listed.contains("[12]"), "{listed}");
    let campaign = made(&mut caller, "campaigns", &json!({ "name": "Mine", "external_id": "mine" }));
    assert_eq!(campaign["advertiser"], 11);
    refused(
        &post(&mut caller, "/v1/campaigns", &json!({ "name": "Theirs", "advertiser": 12 })),
        422,
        Some("advertiser"),
    );
    refused(&post(&mut caller, "/v1/campaigns/102/kill", &json!({})), 404, None);
    refused(&post(&mut caller, "/v1/ads/100200/preview", &json!({})), 404, None);
    for (path, body) in [
        ("advertisers/11/pause", json!({})),
        ("placements", json!({ "name": "x" })),
        ("tenants", json!({ "name": "x" })),
        ("creatives/100100/approve", json!({})),
        ("campaigns/bulk?tenant=2", json!({ "rows": [{ "id": 101 }] })),
    ] {
        let status = post(&mut caller, &format!("/v1/{path}"), &body).status;
        assert!([403, 404].contains(&status), "{path}: {status}");
    }
    let changed = caller.send("PATCH", "/v1/creatives/100100", r#"{"title":"Cheaper"}"#).json();
    assert_eq!(changed["review"], "pending", "what an advertiser changes is looked at again");
    let mut listed = |review: &str| caller.get(&format!("/v1/creatives?review={review}")).json()["objects"].clone();
    assert_eq!(listed("pending").as_array().unwrap().len(), 1, "whoever looks at them finds them");
    assert_eq!((listed("pending")[0]["id"].clone(), listed("rejected")), (changed["id"].clone(), json!([])));
    refused(&caller.send("PATCH", "/v1/creatives/100100", r#"{"review":"approved"}"#), 422, Some("review"));
    let log = server.caller().with_key(&admin).get("/v1/audit?kind=creative").json();
    let entry = &log["entries"][0];
    assert_eq!(
        (&entry["action"], &entry["before"]["title"], &entry["after"]["title"]),
        (&json!("update"), &json!("Lamp 1-0"), &json!("Cheaper")),
        "{log}"
    );
}

#[test]
fn a_video_is_validated_by_its_format_and_served_with_what_a_player_needs() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let video =
        json!({ "duration_ms": 15_000, "mime_types": ["video/mp4"], "vast_url": "https://cdn.example/vast.xml" });
    let creative = json!({ "advertiser": 11, "format": "video", "width": 640, "height": 360, "title": "Spot", "text": "",
                           "landing_url": "https://shop.example", "video": video });
    let with = |field: &str, value: Value| {
        let mut body = creative.clone();
        body[field] = value;
        body
    };
    let changed = |field: &str, value: Value| {
        let mut video = video.clone();
        video[field] = value;
        with("video", video)
    };
    let cases = [
        (with("video", Value::Null), "video"),
        (with("width", Value::Null), "width"),
        (with("format", json!("banner")), "video"),
        (with("format", json!("hologram")), "format"),
        (changed("duration_ms", json!(0)), "video.duration_ms"),
        (changed("mime_types", json!([])), "video.mime_types"),
        (changed("mime_types", json!(["mp4"])), "video.mime_types[0]"),
        (changed("vast_url", json!("javascript:alert(1)")), "video.vast_url"),
        (changed("file_url", json!("https://cdn.example/spot.mp4")), "video"),
    ];
    for (body, field) in cases {
        refused(&post(&mut caller, "/v1/creatives", &body), 422, Some(field));
    }
    let creative = made(&mut caller, "creatives", &creative);
    assert_eq!(creative["video"], video);
    made(&mut caller, "ads", &json!({ "line_item": 1_001, "creative": creative["id"] }));
    let placement =
        json!({ "tenant": 1, "name": "player", "formats": [{ "format": "video", "width": 640, "height": 360 }] });
    let player = made(&mut caller, "placements", &placement)["id"].as_u64().unwrap();
    let shown = wait_for("the video to be shown", || {
        let response = post(&mut caller, "/v1/decisions", &page(player, 1, "u"));
        Some(response.json()["placements"][0]["ads"][0]["creative"].clone()).filter(|creative| !creative.is_null())
    });
    assert_eq!((&shown["format"], &shown["width"], &shown["video"]), (&json!("video"), &json!(640), &video));
}

#[test]
fn a_segment_has_a_name_of_its_own_within_its_tenant() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    let vip =
        |tenant: u64| json!({ "tenant": tenant, "name": "vip", "description": "bought twice", "external_id": "vip" });
    let segment = made(&mut caller, "segments", &vip(1));
    made(&mut caller, "segments", &vip(2));
    let again = json!({ "tenant": 1, "name": "vip" });
    refused(&post(&mut caller, "/v1/segments", &again), 422, Some("name"));
    let renamed = caller.send("PATCH", &format!("/v1/segments/{}", segment["id"]), r#"{"name":"regulars"}"#);
    assert_eq!((renamed.status, renamed.json()["description"].as_str()), (200, Some("bought twice")));
    made(&mut caller, "segments", &again);
    assert_eq!(caller.get("/v1/segments?tenant=1").json()["objects"].as_array().unwrap().len(), 2);
}

#[test]
fn a_test_decision_is_decided_for_real_and_costs_nothing() {
    let home = Home::new();
    let capped = json!({ "frequency_caps": [{ "max": 1, "window_minutes": 60 }] });
    home.load(&catalog(&[Seller { campaign: capped, ..Seller::by_the_mille(1) }]));
    let server = home.serve();
    let mut caller = server.caller();
    let mut test = page(HOME, 1, "u");
    test["test"] = json!(true);
    let first = caller.decide_filled(&test).remove(0);
    for path in [&first.impression, &first.viewable] {
        assert!(caller.get(path).status < 300, "its events are taken");
    }
    assert_eq!(caller.get(&first.click).status, 302);
    assert_eq!(ads(&caller.decide(&test)).len(), 1, "a test counts against no cap");
    let real = caller.decide_filled(&page(HOME, 1, "u")).remove(0);
    assert_eq!(caller.get(&real.impression).status, 200);
    let price = FLOOR_MICROS / 1_000;
    wait_for("the one real impression to be billed", || (caller.spent_micros(101) == price).then_some(()));
    assert!(ads(&caller.decide(&page(HOME, 1, "u"))).is_empty(), "the real one counts against the cap");
}

#[test]
fn edits_are_served_while_others_ask_for_decisions() {
    let (_home, server) = shop();
    let mut caller = server.caller();
    caller.decide_filled(&page(HOME, 1, "u"));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let still = || !stop.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        let askers: Vec<_> = (0..2)
            .map(|asker| {
                let (mut caller, still) = (server.caller(), &still);
                scope.spawn(move || {
                    (0_u32..)
                        .take_while(|i| {
                            caller.decide(&page(HOME, 5, &format!("u{asker}-{i}")));
                            still()
                        })
                        .count()
                })
            })
            .collect();
        for round in 0..10 {
            let title = format!("Lamp of round {round}");
            let changed = caller.send("PATCH", "/v1/creatives/100100", &json!({ "title": title }).to_string());
            assert_eq!(changed.status, 200);
            wait_for("the change to be served", || {
                let shown = caller.decide(&page(HOME, 1, "u"));
                (shown["placements"][0]["ads"][0]["creative"]["title"] == title.as_str()).then_some(())
            });
            let line = json!({ "campaign": 101, "name": "More", "bid": { "micros": 1, "per": "click" } });
            made(&mut caller, "line_items", &line);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for asker in askers {
            assert!(asker.join().unwrap() > 0, "every decision beside the edits was answered");
        }
    });
}
