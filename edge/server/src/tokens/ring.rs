//! The keys that seal tokens: exactly one issues, those before it still bill until their last token has died, and after that
//! only redirect, for ever.
//!
//! Kept as `secrets/tokens`, one line per key: `<id> <state> <stopped issuing, ms since 1970, or -> <64 hex digits>`.

use litfass_types::{Duration, Timestamp};

use crate::secrets::{Key, SecretError, Secrets};

const FILE: &str = "tokens";

/// What a key may still do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum KeyState {
    Issuing,
    /// Its tokens bill and redirect.
    Billing,
    /// Its tokens redirect.
    RedirectOnly,
}

impl KeyState {
    const ALL: [Self; 3] = [Self::Issuing, Self::Billing, Self::RedirectOnly];

    const fn name(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Billing => "billing",
            Self::RedirectOnly => "redirect-only",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RingKey {
    pub(super) id: u16,
    pub(super) state: KeyState,
    pub(super) stopped: Option<Timestamp>,
    pub(super) key: Key,
}

/// All keys that were ever used, the issuing one last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRing {
    keys: Vec<RingKey>,
}

impl KeyRing {
    /// Reads the ring, making one with a first key where there is none.
    ///
    /// # Errors
    /// IO, too wide permissions, or a damaged file; it is never replaced, because old tokens need it.
    pub fn open(secrets: &Secrets) -> Result<Self, SecretError> {
        let text = secrets.read_or_create(FILE, || Ok(Self::first()?.text()))?;
        Self::parse(&text).map_err(|message| SecretError::Malformed { path: secrets.path(FILE), message })
    }

    /// A ring with a new issuing key; the old one goes on billing.
    ///
    /// # Errors
    /// IO, no randomness, or 65,536 keys used up.
    pub fn rotated(&self, secrets: &Secrets, now: Timestamp) -> Result<Self, SecretError> {
        let mut next = self.clone();
        let used_up =
            || SecretError::Malformed { path: secrets.path(FILE), message: "all key ids are used".to_owned() };
        let id = self.issuing().id.checked_add(1).ok_or_else(used_up)?;
        for key in next.keys.iter_mut().filter(|key| key.state == KeyState::Issuing) {
            (key.state, key.stopped) = (KeyState::Billing, Some(now));
        }
        next.keys.push(RingKey { id, state: KeyState::Issuing, stopped: None, key: Key::random()? });
        secrets.replace(FILE, &next.text())?;
        Ok(next)
    }

    /// A ring in which keys that stopped issuing longer than `token_life` ago only redirect; the longest of token and
    /// attribution time is meant.
    ///
    /// # Errors
    /// IO.
    pub fn retired(&self, secrets: &Secrets, now: Timestamp, token_life: Duration) -> Result<Self, SecretError> {
        let mut next = self.clone();
        for key in next.keys.iter_mut().filter(|key| key.state == KeyState::Billing) {
            if key.stopped.is_some_and(|stopped| now - stopped > token_life) {
                key.state = KeyState::RedirectOnly;
            }
        }
        if next != *self {
            secrets.replace(FILE, &next.text())?;
        }
        Ok(next)
    }

    pub(super) fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// A ring always ends with its issuing key: `parse` and the transitions see to it.
    pub(super) fn issuing(&self) -> &RingKey {
        &self.keys[self.keys.len() - 1]
    }

    fn first() -> Result<Self, SecretError> {
        Ok(Self { keys: vec![RingKey { id: 1, state: KeyState::Issuing, stopped: None, key: Key::random()? }] })
    }

    fn text(&self) -> String {
        self.keys.iter().map(RingKey::line).collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let keys = text.lines().zip(1..).map(|(line, number)| RingKey::parse(line).ok_or(number));
        let keys: Vec<_> = keys.collect::<Result<_, i32>>().map_err(|number| format!("line {number} is not a key"))?;
        let issuing = keys.iter().filter(|key| key.state == KeyState::Issuing).count();
        let last_issues = keys.last().is_some_and(|key| key.state == KeyState::Issuing);
        if issuing != 1 || !last_issues || !keys.is_sorted_by(|a, b| a.id < b.id) {
            return Err("must list keys by ascending id, the last and only the last of them issuing".to_owned());
        }
        Ok(Self { keys })
    }
}

impl RingKey {
    fn line(&self) -> String {
        let stopped = self.stopped.map_or_else(|| "-".to_owned(), |at| at.0.to_string());
        format!("{} {} {stopped} {}\n", self.id, self.state.name(), self.key.to_hex())
    }

    fn parse(line: &str) -> Option<Self> {
        let [id, state, stopped, key] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            id: id.parse().ok()?,
            state: KeyState::ALL.into_iter().find(|known| known.name() == state)?,
            stopped: if stopped == "-" { None } else { Some(Timestamp(stopped.parse().ok()?)) },
            key: Key::from_hex(key)?,
        })
    }
}
