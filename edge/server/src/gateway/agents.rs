//! What a user agent says of itself: device, operating system, and whether it is a crawler.
//!
//! A small table of what the bulk of agents have in common, not a catalogue of versions: targeting knows six devices and six
//! systems. The first row that is found decides.

use litfass_types::{Device, Os};

/// Longer ones are cut: what matters stands in front.
const AGENT_BYTES_MAX: usize = 1_024;

/// Parts of the names of programs that say they are no people.
const CRAWLERS: &[&str] = &[
    "bot/",
    "-bot",
    "_bot",
    "googlebot",
    "bingbot",
    "crawler",
    "crawl",
    "spider",
    "slurp",
    "facebookexternalhit",
    "mediapartners-google",
    "adsbot",
    "feedfetcher",
    "lighthouse",
    "headlesschrome",
    "phantomjs",
    "pingdom",
    "uptimerobot",
    "ia_archiver",
    "bytespider",
    "baiduspider",
    "yandexbot",
    "duckduckbot",
    "applebot",
    "petalbot",
    "semrush",
    "ahrefs",
    "mj12bot",
    "google-inspectiontool",
    "whatsapp/",
    "telegrambot",
    "slackbot",
    "discordbot",
    "twitterbot",
    "linkedinbot",
];

const SYSTEMS: &[(&str, Os)] = &[
    ("windows", Os::Windows),
    ("iphone", Os::Ios),
    ("ipad", Os::Ios),
    ("ipod", Os::Ios),
    ("android", Os::Android),
    ("mac os x", Os::Macos),
    ("macintosh", Os::Macos),
    ("; cros ", Os::Linux),
    ("linux", Os::Linux),
    ("x11", Os::Linux),
];

const DEVICES: &[(&str, Device)] = &[
    ("playstation", Device::Console),
    ("xbox", Device::Console),
    ("nintendo", Device::Console),
    ("smart-tv", Device::Tv),
    ("smarttv", Device::Tv),
    ("hbbtv", Device::Tv),
    ("appletv", Device::Tv),
    ("apple tv", Device::Tv),
    ("googletv", Device::Tv),
    ("android tv", Device::Tv),
    ("bravia", Device::Tv),
    ("roku", Device::Tv),
    ("; aft", Device::Tv),
    ("web0s", Device::Tv),
    ("tizen", Device::Tv),
    ("ipad", Device::Tablet),
    ("tablet", Device::Tablet),
    ("kindle", Device::Tablet),
    ("silk/", Device::Tablet),
    ("iphone", Device::Mobile),
    ("ipod", Device::Mobile),
    ("windows phone", Device::Mobile),
    ("mobile", Device::Mobile),
    // Android without "Mobile" is a tablet, by its makers' convention.
    ("android", Device::Tablet),
    ("windows", Device::Desktop),
    ("macintosh", Device::Desktop),
    ("x11", Device::Desktop),
    ("; cros ", Device::Desktop),
    ("linux", Device::Desktop),
];

/// A user agent, in lower case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agent(String);

impl Agent {
    #[must_use]
    pub fn new(text: &str) -> Self {
        let end = text.floor_char_boundary(AGENT_BYTES_MAX);
        Self(text[..end].to_ascii_lowercase())
    }

    #[must_use]
    pub fn os(&self) -> Option<Os> {
        self.first(SYSTEMS)
    }

    #[must_use]
    pub fn device(&self) -> Option<Device> {
        self.first(DEVICES)
    }

    /// By the table, or by the operator's own rules, which are parts of names in lower case.
    #[must_use]
    pub fn is_crawler(&self, rules: &[String]) -> bool {
        let named = |part: &str| self.0.contains(part);
        CRAWLERS.iter().any(|part| named(part)) || self.0.ends_with("bot") || rules.iter().any(|part| named(part))
    }

    fn first<T: Copy>(&self, table: &[(&str, T)]) -> Option<T> {
        table.iter().find(|(part, _)| self.0.contains(part)).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_agents_are_told_apart() {
        let cases = [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1",
                Device::Mobile,
                Os::Ios,
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
                Device::Tablet,
                Os::Ios,
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/131.0 Mobile Safari/537.36",
                Device::Mobile,
                Os::Android,
            ),
            (
                "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 Chrome/131.0 Safari/537.36",
                Device::Tablet,
                Os::Android,
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36",
                Device::Desktop,
                Os::Windows,
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18 Safari/605",
                Device::Desktop,
                Os::Macos,
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", Device::Desktop, Os::Linux),
            ("Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) AppleWebKit/537.36 TV Safari/537.36", Device::Tv, Os::Linux),
            ("Mozilla/5.0 (PlayStation 5 3.03/SmartTV) AppleWebKit/605.1.15", Device::Console, Os::Other),
        ];
        for (text, device, os) in cases {
            let agent = Agent::new(text);
            assert_eq!((agent.device(), agent.os().unwrap_or(Os::Other)), (Some(device), os), "{text}");
            assert!(!agent.is_crawler(&[]), "{text}");
        }
        assert_eq!((Agent::new("curl/8.5").device(), Agent::new("").os()), (None, None));
    }

    #[test]
    fn crawlers_say_so_and_the_operator_may_add_some() {
        for text in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "facebookexternalhit/1.1",
            "Mozilla/5.0 AppleWebKit/537.36 HeadlessChrome/131.0",
            "SomeNewBot",
            "my-spider 1.0",
        ] {
            assert!(Agent::new(text).is_crawler(&[]), "{text}");
        }
        for text in ["curl/8.5", "okhttp/4.12", "Mozilla/5.0 (Linux; Android 13; CUBOT X50) Chrome Mobile", ""] {
            assert!(!Agent::new(text).is_crawler(&[]), "{text}");
        }
        assert!(Agent::new("curl/8.5").is_crawler(&["curl/".to_owned()]));
        assert!(!Agent::new(&"é".repeat(2_000)).is_crawler(&[]), "long ones are cut at a character");
    }
}
