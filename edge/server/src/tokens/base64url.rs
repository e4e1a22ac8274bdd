//! Base64 for URLs (RFC 4648 §5) without padding, in its one canonical form: every text decodes to bytes that encode to it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The value of each byte as a digit; `NO_DIGIT` where it is none.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 64 {
        digits[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    digits
};
const NO_DIGIT: u8 = 0xff;

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    let (whole, rest) = bytes.as_chunks::<3>();
    for [a, b, c] in whole {
        text.extend(digits(*a, *b, *c));
    }
    match *rest {
        [a] => text.extend(&digits(a, 0, 0)[..2]),
        [a, b] => text.extend(&digits(a, b, 0)[..3]),
        _ => {}
    }
    text
}

/// 24 bits as four characters.
fn digits(a: u8, b: u8, c: u8) -> [char; 4] {
    let word = u32::from_be_bytes([0, a, b, c]);
    [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(word >> shift & 63) as usize]))
}

/// `None` where a character is not of the alphabet, the length is impossible, or unused bits are set.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (whole, rest) = text.as_bytes().as_chunks::<4>();
    for chunk in whole {
        bytes.extend(word(*chunk)?);
    }
    let (word, kept) = match *rest {
        [] => return Some(bytes),
        [a, b] => (word([a, b, b'A', b'A'])?, 1),
        [a, b, c] => (word([a, b, c, b'A'])?, 2),
        _ => return None,
    };
    let (last, unused) = word.split_at(kept);
    bytes.extend(last);
    unused.iter().all(|byte| *byte == 0).then_some(bytes)
}

/// Four characters as 24 bits.
fn word(characters: [u8; 4]) -> Option<[u8; 3]> {
    let values = characters.map(|character| DIGITS[usize::from(character)]);
    if values.contains(&NO_DIGIT) {
        return None;
    }
    let word = values.iter().fold(0, |word, value| word << 6 | u32::from(*value));
    let [_, bytes @ ..] = word.to_be_bytes();
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_the_rfc_hold_without_padding() {
        for (bytes, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn a_second_spelling_of_the_same_bytes_is_refused() {
        for text in ["Zh", "Zm9", "Z", "Zg==", "Zm+v", "Zm9v\n"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }

        #[test]
        fn what_decodes_encodes_to_the_same_text(text in "[A-Za-z0-9_=-]{0,12}") {
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
