//! Sites and browsers of an exchange's bid requests (newline-delimited JSON with `url` and `userAgent`).

use std::io::{BufRead, BufReader};
use std::path::Path;

use litfass_types::{Device, Os};
use serde::Deserialize;

use super::open;
use crate::dataset::{FileError, Surroundings};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BidRequest {
    url: Option<String>,
    user_agent: Option<String>,
}

/// Every bid request that names both a site and a browser, in file order.
pub(super) fn read(file: &Path) -> Result<Vec<Surroundings>, FileError> {
    let mut all = Vec::new();
    for (line, number) in BufReader::new(open(file)?).lines().zip(1..) {
        let line = line.map_err(|e| FileError::line(file, number, e.to_string()))?;
        let request: BidRequest =
            serde_json::from_str(&line).map_err(|e| FileError::line(file, number, e.to_string()))?;
        all.extend(surroundings(request));
    }
    if all.is_empty() {
        return Err(FileError::whole(file, "no bid request with a url and a userAgent"));
    }
    Ok(all)
}

fn surroundings(request: BidRequest) -> Option<Surroundings> {
    let url = request.url?;
    let user_agent = request.user_agent?;
    let host = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let site = host.split(['/', '?', '#']).next().filter(|site| !site.is_empty())?.to_ascii_lowercase();
    let (device, os) = device_and_os(&user_agent);
    Some(Surroundings { site, device: device.name().to_owned(), os: os.name().to_owned(), user_agent })
}

/// By the words that browsers of 2012 use; the first that is found decides.
fn device_and_os(user_agent: &str) -> (Device, Os) {
    const RULES: &[(&str, Device, Os)] = &[
        ("iPad", Device::Tablet, Os::Ios),
        ("iPhone", Device::Mobile, Os::Ios),
        ("iPod", Device::Mobile, Os::Ios),
        ("Android", Device::Mobile, Os::Android),
        ("Windows Phone", Device::Mobile, Os::Other),
        ("BlackBerry", Device::Mobile, Os::Other),
        ("PlayStation", Device::Console, Os::Other),
        ("Windows", Device::Desktop, Os::Windows),
        ("Macintosh", Device::Desktop, Os::Macos),
        ("Linux", Device::Desktop, Os::Linux),
    ];
    let rule = RULES.iter().find(|(word, ..)| user_agent.contains(word));
    rule.map_or((Device::Other, Os::Other), |(_, device, os)| (*device, *os))
}
