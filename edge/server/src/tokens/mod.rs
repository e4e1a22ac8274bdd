//! Tracking tokens: a shown slot's facts, sealed so that nobody else can make, read or alter one.
//!
//! `base64url(format ‖ key id (2 bytes) ‖ nonce (24) ‖ XChaCha20-Poly1305(token) ‖ tag (16))`, the nonce random. Format, key id
//! and the kind of event are associated data: an impression's token does not open as a click's. The redirect works for ever, so
//! opening does not look at the time; `Opened::may_bill` does.

mod base64url;
mod layout;
mod ring;

use std::fmt;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use litfass_events::{EventKind, Token};
use litfass_types::Timestamp;

use crate::secrets::{SecretError, fill, random};
pub use ring::{KeyRing, KeyState};

/// No token is longer, in characters.
pub const TOKEN_CHARS_MAX: usize = 400;

const PREFIX: usize = 3;
const NONCE: usize = 24;
const TAG: usize = 16;

/// Not one of our tokens: forged, altered, cut, of another kind of event, or sealed with a key that is not in the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this tracking token was not issued here, or not for this kind of event")]
pub struct UnknownToken;

/// A token that was opened, and what its key still allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    pub token: Token,
    pub kind: EventKind,
    key: KeyState,
}

impl Opened {
    /// Whether an event appended at `now` may cost the advertiser anything; it redirects all the same.
    #[must_use]
    pub fn may_bill(&self, now: Timestamp) -> bool {
        self.key != KeyState::RedirectOnly && !self.token.is_expired(now)
    }
}

/// Seals with the ring's issuing key and opens with all of them.
pub struct Tokens {
    keys: Vec<OpenKey>,
}

struct OpenKey {
    id: u16,
    state: KeyState,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (key.id, key.state))).finish()
    }
}

impl Tokens {
    #[must_use]
    pub fn new(ring: &KeyRing) -> Self {
        let open = |key: &ring::RingKey| OpenKey {
            id: key.id,
            state: key.state,
            cipher: XChaCha20Poly1305::new(&key.key.0.into()),
        };
        // The issuing key first: nearly every token is opened with it.
        Self { keys: ring.keys().iter().rev().map(open).collect() }
    }

    /// # Errors
    /// When the operating system gives no randomness for the nonce.
    pub fn seal(&self, token: &Token, kind: EventKind) -> Result<String, SecretError> {
        Ok(self.sealed(token, kind, random()?))
    }

    /// Of every token, one for each of the kinds; asks for randomness once.
    ///
    /// # Errors
    /// When the operating system gives no randomness for the nonces.
    pub fn seal_page<const KINDS: usize>(
        &self,
        tokens: &[Token],
        kinds: [EventKind; KINDS],
    ) -> Result<Vec<[String; KINDS]>, SecretError> {
        let mut nonces = vec![[[0; NONCE]; KINDS]; tokens.len()];
        fill(nonces.as_flattened_mut().as_flattened_mut())?;
        let sealed = |kind, nonces: &[[u8; NONCE]; KINDS], token| self.sealed(token, kinds[kind], nonces[kind]);
        let page = tokens.iter().zip(&nonces).map(|(token, n)| std::array::from_fn(|kind| sealed(kind, n, token)));
        Ok(page.collect())
    }

    fn sealed(&self, token: &Token, kind: EventKind, nonce: [u8; NONCE]) -> String {
        let key = &self.keys[0];
        let prefix = prefix(key.id);
        let mut bytes = Vec::with_capacity(PREFIX + NONCE + 192 + TAG);
        bytes.extend(prefix);
        bytes.extend(nonce);
        layout::write(token, &mut bytes);
        let sealed = (&mut bytes[PREFIX + NONCE..]).into();
        // Sealing fails beyond 256 GiB only; a zero tag would then open nowhere.
        let tag =
            key.cipher.encrypt_inout_detached(&nonce.into(), &associated(prefix, kind), sealed).unwrap_or_default();
        bytes.extend(tag);
        base64url::encode(&bytes)
    }

    /// # Errors
    /// `UnknownToken`, whatever is wrong with it: a caller that probes learns nothing more.
    pub fn open(&self, text: &str, kind: EventKind) -> Result<Opened, UnknownToken> {
        self.opened(text, kind).ok_or(UnknownToken)
    }

    fn opened(&self, text: &str, kind: EventKind) -> Option<Opened> {
        if text.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let mut bytes = base64url::decode(text)?;
        let (prefix, rest) = bytes.split_first_chunk_mut::<PREFIX>()?;
        let (nonce, rest) = rest.split_first_chunk_mut::<NONCE>()?;
        let (sealed, tag) = rest.split_last_chunk_mut::<TAG>()?;
        let key = self.keys.iter().find(|key| prefix_of(*prefix) == Some(key.id))?;
        let (nonce, tag) = (XNonce::from(*nonce), Tag::from(*tag));
        key.cipher.decrypt_inout_detached(&nonce, &associated(*prefix, kind), (&mut *sealed).into(), &tag).ok()?;
        Some(Opened { token: layout::read(sealed)?, kind, key: key.state })
    }
}

const fn prefix(key: u16) -> [u8; PREFIX] {
    let [high, low] = key.to_be_bytes();
    [layout::FORMAT, high, low]
}

/// The key's id, where the format is ours.
fn prefix_of([format, high, low]: [u8; PREFIX]) -> Option<u16> {
    (format == layout::FORMAT).then_some(u16::from_be_bytes([high, low]))
}

const fn associated([format, high, low]: [u8; PREFIX], kind: EventKind) -> [u8; PREFIX + 1] {
    [format, high, low, kind.number()]
}

#[cfg(test)]
mod tests;
