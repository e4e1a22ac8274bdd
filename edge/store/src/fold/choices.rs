//! What users chose: who opted out, and who was erased when.
//!
//! It is the one thing kept of such a user: an opt-out until it is taken back, and the time of the last erasure, so that what
//! was shown before it and comes in later does not bring back what was erased.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use litfass_events::{Privacy, Wish};
use litfass_types::{DecisionId, Timestamp, UserHash};

use super::codec::{BadState, Reader, Writer};
use super::{Fact, Fold};
use crate::wire::Body;

#[derive(Debug, Default)]
pub struct Choices {
    users: RwLock<BTreeMap<UserHash, Choice>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Choice {
    opted_out: bool,
    /// What was shown before belongs to nobody any more.
    erased: Timestamp,
}

impl Choices {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn has_opted_out(&self, user: UserHash) -> bool {
        self.read().get(&user).is_some_and(|choice| choice.opted_out)
    }

    /// Whether what the decision led to may not be kept under this user.
    #[must_use]
    pub fn is_forgotten(&self, user: UserHash, decision: DecisionId) -> bool {
        self.read().get(&user).is_some_and(|choice| choice.opted_out || decision.time() <= choice.erased)
    }

    /// As the log will say: whoever has appended the wish need not wait for it to come round.
    pub fn obey(&self, privacy: &Privacy, at: Timestamp) {
        let mut users = self.write();
        let erased = if privacy.wish.forgets() { at } else { Timestamp(i64::MIN) };
        let opted_out = match privacy.wish {
            Wish::OptOut => true,
            Wish::OptIn => false,
            Wish::Erase => users.get(&privacy.user).is_some_and(|choice| choice.opted_out),
        };
        let choice = users.entry(privacy.user).or_insert(Choice { opted_out, erased });
        *choice = Choice { opted_out, erased: choice.erased.max(erased) };
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<UserHash, Choice>> {
        self.users.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<UserHash, Choice>> {
        self.users.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fold for Choices {
    fn name(&self) -> &'static str {
        "choices"
    }

    fn version(&self) -> u32 {
        1
    }

    fn apply(&self, fact: &Fact<'_>) {
        if let Body::Privacy(privacy) = &fact.logged.body {
            self.obey(privacy, fact.logged.envelope.event_time);
        }
    }

    fn snapshot(&self) -> Vec<u8> {
        let (mut out, users) = (Writer::default(), self.read());
        out.length(users.len());
        for (user, choice) in users.iter() {
            out.user(*user);
            out.number(choice.opted_out.into());
            out.time(choice.erased);
        }
        out.finish()
    }

    fn restore(&self, bytes: &[u8]) -> Result<(), BadState> {
        let mut rest = Reader::new(bytes);
        let users = rest.list(|rest| {
            let user = rest.user()?;
            let opted_out = match rest.number()? {
                0 => false,
                1 => true,
                _ => return Err(BadState::OutOfRange("a flag")),
            };
            Ok((user, Choice { opted_out, erased: rest.time()? }))
        })?;
        rest.finish()?;
        *self.write() = users.into_iter().collect();
        Ok(())
    }

    fn clear(&self) {
        self.write().clear();
    }

    fn must_be_whole(&self) -> bool {
        true
    }
}
