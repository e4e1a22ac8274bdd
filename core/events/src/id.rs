//! Event ids: what happened, hashed, so that a beacon fired twice or a batch sent again carries the same id.
//!
//! An id is the first 16 bytes of BLAKE3 over a domain byte and the fields in fixed order, big endian, texts last. Two
//! different happenings share one with probability 2⁻¹²⁸, also where somebody chooses order ids to that end.

use litfass_types::{DecisionId, EventId, TenantId, Timestamp, UserHash};

use crate::event::{Conversion, EventKind, ItemView};

struct Naming(blake3::Hasher);

impl Naming {
    fn of(domain: u8) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"litfass event v1");
        hasher.update(&[domain]);
        Self(hasher)
    }

    fn with(mut self, bytes: &[u8]) -> Self {
        self.0.update(bytes);
        self
    }

    fn user(self, user: Option<UserHash>) -> Self {
        match user {
            None => self.with(&[0]),
            Some(user) => self.with(&[1, user.key_version]).with(&user.hash.to_be_bytes()),
        }
    }

    fn finish(self) -> EventId {
        let hash = self.0.finalize();
        let (head, _) = hash.as_bytes().as_chunks::<16>();
        EventId(head.first().map_or(0, |bytes| u128::from_be_bytes(*bytes)))
    }
}

/// An impression, viewable or click of one slot: each happens once.
#[must_use]
pub fn delivery_id(decision: DecisionId, slot: u8, kind: EventKind) -> EventId {
    Naming::of(1).with(&decision.0.to_be_bytes()).with(&[slot, kind.number()]).finish()
}

/// With a click's token: (decision, slot, order id); else (tenant, user, order id).
#[must_use]
pub fn conversion_id(conversion: &Conversion) -> EventId {
    let order = conversion.order_id.as_bytes();
    match &conversion.click {
        Some(token) => Naming::of(2).with(&token.decision.0.to_be_bytes()).with(&[token.slot]).with(order).finish(),
        None => tenant(Naming::of(3), conversion.tenant).user(conversion.user).with(order).finish(),
    }
}

/// A view is named by its time too: looking twice at an item is two views, the same one sent again is not.
#[must_use]
pub fn view_id(view: &ItemView, event_time: Timestamp) -> EventId {
    let naming = tenant(Naming::of(4), view.tenant).user(Some(view.user));
    naming.with(&view.item.to_be_bytes()).with(&event_time.0.to_be_bytes()).finish()
}

/// A heartbeat is named by its partition and offset, so ids stay unique.
#[must_use]
pub fn heartbeat_id(partition: u16, offset: u64) -> EventId {
    Naming::of(5).with(&partition.to_be_bytes()).with(&offset.to_be_bytes()).finish()
}

/// For entries with a name of their own: a command by its id, a pacing table by its number.
#[must_use]
pub fn named_id(kind: &str, name: &[u8]) -> EventId {
    let length = u64::try_from(kind.len()).unwrap_or(u64::MAX);
    Naming::of(6).with(&length.to_be_bytes()).with(kind.as_bytes()).with(name).finish()
}

fn tenant(naming: Naming, tenant: TenantId) -> Naming {
    naming.with(&tenant.0.to_be_bytes())
}
