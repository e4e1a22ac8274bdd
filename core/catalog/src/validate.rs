//! What can be said of an object by itself. What concerns its neighbours is checked when they are linked.

use litfass_types::{Device, Os, PPM, Price, TermKind, Timestamp};

use crate::limits::{
    BLOCKED_PER_PLACEMENT_MAX, CAP_IMPRESSIONS_MAX, CAP_WINDOW_MAX, CAPS_PER_OBJECT_MAX, CATEGORIES_PER_AD_MAX,
    CURVE_POINTS_MAX, FORMATS_PER_PLACEMENT_MAX, ID_MAX, INSTANT_MAX, MIME_TYPES_PER_VIDEO_MAX,
    SLOTS_PER_PLACEMENT_MAX, TARGETING_DEPTH_MAX, TARGETING_NODES_MAX, TARGETING_VALUES_MAX, TEXT_BYTES_MAX,
    URL_BYTES_MAX, VALUE_BYTES_MAX, VIDEO_DURATION_MAX,
};
use crate::model::{
    Ad, Advertiser, Campaign, Creative, CurvePoint, Flight, Format, FrequencyCap, LineItem, Media, Object, PacingMode,
    Placement, Segment, Tenant, Video,
};
use crate::problem::{ObjectRef, Problems};
use crate::targeting::{HOURS_PER_WEEK, Targeting};

/// Adds every problem that the object has by itself.
pub(crate) fn check(object: &Object, problems: &mut Problems) {
    let mut check = Check { object: object.reference(), problems };
    check.id();
    match object {
        Object::Tenant(o) => check.tenant(o),
        Object::Advertiser(o) => check.advertiser(o),
        Object::Campaign(o) => check.campaign(o),
        Object::LineItem(o) => check.line_item(o),
        Object::Creative(o) => check.creative(o),
        Object::Ad(o) => check.ad(o),
        Object::Placement(o) => check.placement(o),
        Object::Segment(o) => check.segment(o),
    }
}

struct Check<'a> {
    object: ObjectRef,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn require(&mut self, holds: bool, field: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.problems.add(self.object, field, message());
        }
    }

    fn id(&mut self) {
        let id = self.object.id;
        self.require((1..=ID_MAX).contains(&id), "id", || format!("{id} is not in 1 … 2⁵³−1"));
    }

    fn tenant(&mut self, tenant: &Tenant) {
        self.name("name", &tenant.name);
    }

    fn advertiser(&mut self, advertiser: &Advertiser) {
        // The time zone is looked up where the row is made.
        self.name("name", &advertiser.name);
        self.caps(&advertiser.caps);
    }

    fn campaign(&mut self, campaign: &Campaign) {
        self.name("name", &campaign.name);
        self.flight(campaign.flight);
        self.caps(&campaign.caps);
    }

    fn line_item(&mut self, line_item: &LineItem) {
        self.name("name", &line_item.name);
        self.flight(line_item.flight);
        self.caps(&line_item.caps);
        self.curve(line_item);
        let micros = line_item.bid.micros;
        let range = 1..=Price::MAX_MICROS;
        self.require(range.contains(&micros), "bid.micros", || format!("{micros} is not in 1 … 2⁵⁰"));
        // How many there may be is the tenant's limit.
        self.values("exclusion_groups", &line_item.exclusions);
        self.targeting(&line_item.targeting);
    }

    fn creative(&mut self, creative: &Creative) {
        self.text("title", &creative.title, TEXT_BYTES_MAX);
        self.text("text", &creative.text, TEXT_BYTES_MAX);
        self.url("landing_url", &creative.landing_url);
        if let Some(url) = &creative.image_url {
            self.url("image_url", url);
        }
        self.format("", creative.format);
        match (&creative.video, creative.format) {
            (Some(video), Format::Video { .. }) => self.video(video),
            (None, Format::Video { .. }) => self.problems.add(self.object, "video", "a video needs it"),
            (Some(_), _) => self.problems.add(self.object, "video", "is for creatives of the format video"),
            (None, _) => {}
        }
    }

    fn video(&mut self, video: &Video) {
        let duration = 1..=VIDEO_DURATION_MAX.0;
        let range = || format!("not in 1 … {}", VIDEO_DURATION_MAX.0);
        self.require(duration.contains(&video.duration.0), "video.duration_ms", range);
        self.require(!video.mime_types.is_empty(), "video.mime_types", || "is empty".to_owned());
        self.list("video.mime_types", &video.mime_types, MIME_TYPES_PER_VIDEO_MAX);
        for (i, name) in video.mime_types.iter().enumerate() {
            let message = || format!("{name:?} is not a MIME type such as video/mp4");
            self.require(is_mime_type(name), &format!("video.mime_types[{i}]"), message);
        }
        match &video.media {
            Media::Vast(url) => self.url("video.vast_url", url),
            Media::File(url) => self.url("video.file_url", url),
        }
    }

    fn segment(&mut self, segment: &Segment) {
        self.require(!segment.name.is_empty(), "name", || "is empty".to_owned());
        // It is a targeting value.
        self.text("name", &segment.name, VALUE_BYTES_MAX);
        self.text("description", &segment.description, TEXT_BYTES_MAX);
    }

    fn ad(&mut self, ad: &Ad) {
        if let Some(item) = &ad.item {
            self.name("item", item);
        }
        self.list("categories", &ad.categories, CATEGORIES_PER_AD_MAX);
        self.instant("created", ad.created);
        self.caps(&ad.caps);
    }

    fn placement(&mut self, placement: &Placement) {
        self.name("name", &placement.name);
        if let Some(page_type) = &placement.page_type {
            self.name("page_type", page_type);
        }
        self.count("formats", placement.formats.len(), FORMATS_PER_PLACEMENT_MAX);
        for (i, format) in placement.formats.iter().enumerate() {
            self.format(&format!("formats[{i}]."), *format);
        }
        let slots = 1..=SLOTS_PER_PLACEMENT_MAX;
        let range = || format!("not in 1 … {SLOTS_PER_PLACEMENT_MAX}");
        self.require(slots.contains(&placement.slots_max), "slots_max", range);
        self.require(slots.contains(&placement.max_per_advertiser), "max_per_advertiser", range);
        let floor = 0..=Price::MAX_MICROS;
        self.require(floor.contains(&placement.floor.0), "floor_micros", || "not in 0 … 2⁵⁰".to_owned());
        self.count("blocked_advertisers", placement.blocked_advertisers.len(), BLOCKED_PER_PLACEMENT_MAX);
        self.list("blocked_categories", &placement.blocked_categories, BLOCKED_PER_PLACEMENT_MAX);
    }

    fn name(&mut self, field: &str, text: &str) {
        self.require(!text.is_empty(), field, || "is empty".to_owned());
        self.text(field, text, TEXT_BYTES_MAX);
    }

    fn text(&mut self, field: &str, text: &str, bytes_max: usize) {
        let bytes = text.len();
        self.require(bytes <= bytes_max, field, || format!("{bytes} bytes, at most {bytes_max}"));
    }

    fn url(&mut self, field: &str, url: &str) {
        self.text(field, url, URL_BYTES_MAX);
        self.require(is_web_url(url), field, || "not an http or https URL".to_owned());
    }

    fn format(&mut self, prefix: &str, format: Format) {
        let (Format::Banner { width, height } | Format::Video { width, height }) = format else { return };
        self.require(width > 0, &format!("{prefix}width"), || "0 pixels".to_owned());
        self.require(height > 0, &format!("{prefix}height"), || "0 pixels".to_owned());
    }

    fn flight(&mut self, flight: Flight) {
        for (field, instant) in [("start", flight.start), ("end", flight.end)] {
            instant.into_iter().for_each(|instant| self.instant(field, instant));
        }
        let (Some(start), Some(end)) = (flight.start, flight.end) else { return };
        self.require(start < end, "end", || "not after start".to_owned());
    }

    fn instant(&mut self, field: &str, instant: Timestamp) {
        let known = (0..INSTANT_MAX.0).contains(&instant.0);
        self.require(known, field, || "not in the years 1970 … 9999".to_owned());
    }

    fn caps(&mut self, caps: &[FrequencyCap]) {
        self.count("frequency_caps", caps.len(), CAPS_PER_OBJECT_MAX);
        for (i, cap) in caps.iter().enumerate() {
            let max = 1..=CAP_IMPRESSIONS_MAX;
            let range = || format!("not in 1 … {CAP_IMPRESSIONS_MAX}");
            self.require(max.contains(&cap.max), &format!("frequency_caps[{i}].max"), range);
            let days = CAP_WINDOW_MAX.0 / 86_400_000;
            let whole = cap.window.0 % 60_000 == 0 && (60_000..=CAP_WINDOW_MAX.0).contains(&cap.window.0);
            let range = || format!("not whole minutes from 1 minute to {days} days");
            self.require(whole, &format!("frequency_caps[{i}].window_minutes"), range);
        }
    }

    fn curve(&mut self, line_item: &LineItem) {
        let custom = line_item.pacing == PacingMode::Custom;
        self.require(custom != line_item.curve.is_empty(), "pacing_curve", || {
            "belongs to pacing \"custom\"".to_owned()
        });
        self.count("pacing_curve", line_item.curve.len(), CURVE_POINTS_MAX);
        let mut last = CurvePoint { traffic_ppm: 0, budget_ppm: 0 };
        for (i, point) in line_item.curve.iter().enumerate() {
            let (traffic, budget) = (last.traffic_ppm + 1..PPM, last.budget_ppm..=PPM);
            let message = || "not above the point before it and below 1000000".to_owned();
            self.require(traffic.contains(&point.traffic_ppm), &format!("pacing_curve[{i}].traffic_ppm"), message);
            let message = || "below the point before it, or above 1000000".to_owned();
            self.require(budget.contains(&point.budget_ppm), &format!("pacing_curve[{i}].budget_ppm"), message);
            last = CurvePoint { traffic_ppm: point.traffic_ppm.min(PPM - 1), budget_ppm: point.budget_ppm.min(PPM) };
        }
    }

    fn count(&mut self, field: &str, count: usize, max: usize) {
        self.require(count <= max, field, || format!("{count} entries, at most {max}"));
    }

    /// A list of values, none empty, none too long.
    fn list(&mut self, field: &str, values: &[String], max: usize) {
        self.count(field, values.len(), max);
        self.values(field, values);
    }

    fn values(&mut self, field: &str, values: &[String]) {
        for (i, value) in values.iter().enumerate() {
            self.value(&|| format!("{field}[{i}]"), value);
        }
    }

    fn value(&mut self, field: &dyn Fn() -> String, value: &str) {
        if value.is_empty() {
            self.problems.add(self.object, field(), "is empty");
        }
        if value.len() > VALUE_BYTES_MAX {
            self.problems.add(self.object, field(), format!("{} bytes, at most {VALUE_BYTES_MAX}", value.len()));
        }
    }

    fn targeting(&mut self, targeting: &Targeting) {
        let size = Size::of(targeting, 0);
        let (nodes, values) = (size.nodes, size.values);
        self.require(size.depth <= TARGETING_DEPTH_MAX, "targeting", || {
            format!("nested deeper than {TARGETING_DEPTH_MAX}")
        });
        self.require(nodes <= TARGETING_NODES_MAX, "targeting", || {
            format!("{nodes} nodes, at most {TARGETING_NODES_MAX}")
        });
        let too_many = || format!("{values} values, at most {TARGETING_VALUES_MAX}");
        self.require(values <= TARGETING_VALUES_MAX, "targeting", too_many);
        if size.fits() {
            self.predicates(targeting);
        }
    }

    fn predicates(&mut self, targeting: &Targeting) {
        match targeting {
            Targeting::All(parts) | Targeting::Any(parts) => parts.iter().for_each(|part| self.predicates(part)),
            Targeting::Not(part) => self.predicates(part),
            Targeting::In(kind, values) => values.iter().for_each(|value| self.targeting_value(*kind, value)),
            Targeting::Daypart(hours) => {
                let valid = hours.iter().all(|hour| *hour < HOURS_PER_WEEK);
                self.require(valid, "targeting.daypart", || "an hour of the week is not in 0 … 167".to_owned());
            }
        }
    }

    fn targeting_value(&mut self, kind: TermKind, value: &str) {
        let field = || format!("targeting.{}", kind.name());
        self.value(&field, value);
        if let Some(expected) = misfit(kind, value) {
            self.problems.add(self.object, field(), format!("{value:?} is not {expected}"));
        }
    }
}

/// What a value of that kind has to be, where this one is not.
fn misfit(kind: TermKind, value: &str) -> Option<&'static str> {
    match kind {
        TermKind::Device => Device::parse(value).is_none().then_some("a device"),
        TermKind::Os => Os::parse(value).is_none().then_some("an operating system"),
        TermKind::Placement => (placement_id(value).is_none()).then_some("a placement's id"),
        TermKind::KeyValue => (!value.contains('=')).then_some("key=value"),
        TermKind::Daypart => Some("a predicate of hours"),
        TermKind::Geo | TermKind::Category | TermKind::Segment | TermKind::Keyword => None,
    }
}

/// The id, in the one spelling that requests use.
pub(crate) fn placement_id(value: &str) -> Option<u64> {
    value.parse::<u64>().ok().filter(|id| id.to_string() == value && (1..=ID_MAX).contains(id))
}

/// Type and subtype, and nothing that could end a header or an attribute.
fn is_mime_type(name: &str) -> bool {
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    name.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype))
}

/// An absolute http(s) URL with a host and without blanks or control characters. The scheme is what keeps a click from
/// running a script.
fn is_web_url(url: &str) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        let head = url.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &url[scheme.len()..])
    });
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(""));
    host.is_some_and(|host| !host.is_empty()) && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// How large a targeting tree is; stops counting depth where it is too deep already.
#[derive(Clone, Copy)]
struct Size {
    depth: usize,
    nodes: usize,
    values: usize,
}

impl Size {
    fn of(targeting: &Targeting, depth: usize) -> Self {
        let leaf = Self { depth, nodes: 1, values: 0 };
        if depth > TARGETING_DEPTH_MAX {
            return leaf;
        }
        match targeting {
            Targeting::All(parts) | Targeting::Any(parts) => {
                parts.iter().fold(leaf, |size, part| size.with(Self::of(part, depth + 1)))
            }
            Targeting::Not(part) => leaf.with(Self::of(part, depth + 1)),
            Targeting::In(_, values) => Self { values: values.len(), ..leaf },
            Targeting::Daypart(_) => leaf,
        }
    }

    fn with(self, part: Self) -> Self {
        Self { depth: self.depth.max(part.depth), nodes: self.nodes + part.nodes, values: self.values + part.values }
    }

    fn fits(self) -> bool {
        self.depth <= TARGETING_DEPTH_MAX && self.nodes <= TARGETING_NODES_MAX && self.values <= TARGETING_VALUES_MAX
    }
}

/// Whether a line item's targeting is small enough to be compiled at all.
pub(crate) fn is_compilable(targeting: &Targeting) -> bool {
    Size::of(targeting, 0).fits()
}
