//! Rules of the protocol that the world around the ledger can break: what a wrong adapter, reader or role would do.

/// One broken rule, and with it the invariant that must be seen to fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breach {
    /// Keys are committed after the rest of a batch; the process dies in between.
    KeysApart,
    /// A copy's key is made of its own event id.
    KeyOfEvent,
    /// The position is committed before the batch; the process dies in between.
    OffsetFirst,
    /// A line item's ancestors are moved in a second transaction; the process dies in between.
    AncestorsApart,
    /// The budget day is taken from the event's time.
    DayOfEvent,
    /// Leases are closed by the clock, without reading the log.
    CloseByClock,
    /// A partition that is opened begins when its writer's clock says, not where the ledger is.
    BeginByClock,
}

impl Breach {
    pub const ALL: [Self; 7] = [
        Self::KeysApart,
        Self::KeyOfEvent,
        Self::OffsetFirst,
        Self::AncestorsApart,
        Self::DayOfEvent,
        Self::CloseByClock,
        Self::BeginByClock,
    ];

    /// As the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeysApart => "keys-apart",
            Self::KeyOfEvent => "key-of-event",
            Self::OffsetFirst => "offset-first",
            Self::AncestorsApart => "ancestors-apart",
            Self::DayOfEvent => "day-of-event",
            Self::CloseByClock => "close-by-clock",
            Self::BeginByClock => "begin-by-clock",
        }
    }
}
