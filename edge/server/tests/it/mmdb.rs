//! Writes a small database in MaxMind's format (MMDB 2.0): IPv4, 24-bit records, one place per network.

use std::net::Ipv4Addr;

/// A network and where it is: country, region, city.
pub(crate) type Row = (Ipv4Addr, u32, [&'static str; 3]);

#[derive(Clone, Copy)]
enum Branch {
    Nothing,
    Node(usize),
    Place(usize),
}

/// The bytes of a database of these networks, none inside another.
pub(crate) fn database(rows: &[Row]) -> Vec<u8> {
    let mut nodes = vec![[Branch::Nothing; 2]];
    let (mut places, mut offsets) = (Vec::new(), Vec::new());
    for (i, (network, length, place)) in rows.iter().enumerate() {
        insert(&mut nodes, u32::from(*network), *length, i);
        offsets.push(places.len());
        places.extend(located(*place));
    }
    let count = nodes.len();
    let record = |branch: Branch| match branch {
        Branch::Nothing => count,
        Branch::Node(node) => node,
        Branch::Place(row) => count + 16 + offsets[row],
    };
    let branches = nodes.into_iter().flatten();
    let tree = branches.flat_map(|branch| u32::try_from(record(branch)).unwrap().to_be_bytes()[1..].to_vec());
    let mut bytes: Vec<u8> = tree.collect();
    bytes.extend([0; 16]);
    bytes.extend(places);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    bytes.extend(metadata(count));
    bytes
}

fn insert(nodes: &mut Vec<[Branch; 2]>, network: u32, length: u32, row: usize) {
    let mut at = 0;
    for depth in 0..length {
        let side = usize::from(network >> (31 - depth) & 1 == 1);
        if depth + 1 == length {
            nodes[at][side] = Branch::Place(row);
            return;
        }
        let Branch::Node(next) = nodes[at][side] else {
            nodes.push([Branch::Nothing; 2]);
            nodes[at][side] = Branch::Node(nodes.len() - 1);
            at = nodes.len() - 1;
            continue;
        };
        at = next;
    }
}

fn located([country, region, city]: [&str; 3]) -> Vec<u8> {
    let coded = |code: &str| map(&[("iso_code", text(code))]);
    map(&[
        ("country", coded(country)),
        ("subdivisions", array(&[coded(region)])),
        ("city", map(&[("names", map(&[("en", text(city))]))])),
    ])
}

fn metadata(nodes: usize) -> Vec<u8> {
    map(&[
        ("node_count", number(6, u32::try_from(nodes).unwrap())),
        ("record_size", number(5, 24)),
        ("ip_version", number(5, 4)),
        ("database_type", text("Test-City")),
        ("languages", array(&[text("en")])),
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", vec![0x01, 0x02, 0x01]),
        ("description", map(&[("en", text("a test"))])),
    ])
}

/// Sizes here are below 29, so that one byte says kind and size.
fn control(kind: u8, size: usize) -> u8 {
    kind << 5 | u8::try_from(size).unwrap()
}

fn text(text: &str) -> Vec<u8> {
    [vec![control(2, text.len())], text.as_bytes().to_vec()].concat()
}

fn number(kind: u8, value: u32) -> Vec<u8> {
    let bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    [vec![control(kind, bytes.len())], bytes].concat()
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let inside = pairs.iter().flat_map(|(key, value)| [text(key), value.clone()].concat());
    [vec![control(7, pairs.len())], inside.collect()].concat()
}

fn array(values: &[Vec<u8>]) -> Vec<u8> {
    [vec![control(0, values.len()), 4], values.concat()].concat()
}
