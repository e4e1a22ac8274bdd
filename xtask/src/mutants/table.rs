//! Which rule each mutant breaks, where, in which small worlds it is looked for, and what must be named.

pub(super) struct Mutant {
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    pub(super) worlds: &'static [&'static str],
    pub(super) invariant: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Of the ledger: its source is changed.
    Ledger(&'static [Change]),
    /// Of the world around it: a breach that the explorer knows by that name.
    World(&'static str),
}

/// One text of one file, replaced by another.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) file: &'static str,
    pub(super) old: &'static str,
    pub(super) new: &'static str,
}

const ONE_OUTCOME: &str = "every billable event has one outcome";
const AT_ONCE: &str = "a CPM event within its hold is billed at once";
const FIRST_CEILING: &str = "after a failover nothing is billed beyond the ceiling that a limit had when first applied";

const REFUSAL: Change = Change {
    file: "core/ledger/src/moves.rs",
    old: "if self.control(id)?.available() < amount {",
    new: "if amount.is_zero() && self.control(id)?.available() < amount {",
};

pub(super) const MUTANTS: [Mutant; 21] = [
    Mutant {
        name: "refusal dropped",
        rule: Rule::Ledger(&[REFUSAL]),
        worlds: &["clicks"],
        invariant: "spent + leased ≤ ceiling + restored",
    },
    Mutant {
        name: "refusal and CHECK dropped",
        rule: Rule::Ledger(&[
            REFUSAL,
            Change {
                file: "core/ledger/src/control.rs",
                old: "used <= self.ceiling.nanos() + self.restored.nanos() && ",
                new: "used >= 0 && ",
            },
        ]),
        worlds: &["clicks"],
        invariant: "spent and leased within the highest limit",
    },
    Mutant {
        name: "key outside the transaction",
        rule: Rule::World("keys-apart"),
        worlds: &["copies"],
        invariant: ONE_OUTCOME,
    },
    Mutant {
        name: "key taken from the client's event id",
        rule: Rule::World("key-of-event"),
        worlds: &["copies"],
        invariant: ONE_OUTCOME,
    },
    Mutant {
        name: "offset committed first",
        rule: Rule::World("offset-first"),
        worlds: &["shared"],
        invariant: "nothing is consumed without an outcome",
    },
    Mutant {
        name: "position not compared",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/rows.rs",
            old: "if row.next != from || next < from {",
            new: "if next < from {",
        }]),
        worlds: &["copies"],
        invariant: ONE_OUTCOME,
    },
    Mutant {
        name: "ancestors in a second transaction",
        rule: Rule::World("ancestors-apart"),
        worlds: &["shared"],
        invariant: "levels agree",
    },
    Mutant {
        name: "day from event time",
        rule: Rule::World("day-of-event"),
        worlds: &["skew"],
        invariant: "postings are the fold of the log's outcomes",
    },
    Mutant {
        name: "a dropped day's key table made again",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/gather.rs",
            old: "rows.keys_dropped = rows.state.keys_dropped;",
            new: "rows.keys_dropped = rows.state.keys_dropped.filter(|_| false);",
        }]),
        worlds: &["behind"],
        invariant: ONE_OUTCOME,
    },
    Mutant {
        name: "keys dropped early",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/sweep.rs",
            old: "let dead = watermark - self.terms.key_life;",
            new: "let dead = watermark;",
        }]),
        worlds: &["seal"],
        invariant: "expired only past token life",
    },
    Mutant {
        name: "command without id",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/apply.rs",
            old: "if rows.commands.get(&id)?.is_some() {",
            new: "if rows.commands.get(&id)?.is_some_and(|_| false) {",
        }]),
        worlds: &["money"],
        invariant: "a command takes effect at most once",
    },
    Mutant {
        name: "grants before the admin partition",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/grant.rs",
            old: "rows.passed(CatchUp::Events)?;",
            new: "rows.passed(CatchUp::Promotion)?;",
        }]),
        worlds: &["failover"],
        invariant: FIRST_CEILING,
    },
    Mutant {
        name: "events before the admin partition",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/bill.rs",
            old: "rows.passed(CatchUp::Commands)?;",
            new: "rows.passed(CatchUp::Promotion)?;",
        }]),
        worlds: &["failover"],
        invariant: FIRST_CEILING,
    },
    Mutant {
        name: "a promotion leaves leases open",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/timeline.rs",
            old: "closed.iter().try_for_each(",
            new: "closed.iter().take(0).try_for_each(",
        }]),
        worlds: &["failover"],
        invariant: FIRST_CEILING,
    },
    Mutant {
        name: "what waits is paid while commands are applied again",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/apply.rs",
            old: "if outcome == CommandOutcome::Applied && time == Time::First {",
            new: "if outcome == CommandOutcome::Applied {",
        }]),
        worlds: &["again"],
        invariant: FIRST_CEILING,
    },
    Mutant {
        name: "a new partition begins by its own clock",
        rule: Rule::World("begin-by-clock"),
        worlds: &["open"],
        invariant: AT_ONCE,
    },
    Mutant {
        name: "close without reading the log",
        rule: Rule::World("close-by-clock"),
        worlds: &["shared"],
        invariant: AT_ONCE,
    },
    Mutant {
        name: "close when one partition was read",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/rows.rs",
            old: ".map(|(_, p)| p.appended).min().flatten()",
            new: ".map(|(_, p)| p.appended).max().flatten()",
        }]),
        worlds: &["shared"],
        invariant: AT_ONCE,
    },
    Mutant {
        name: "holds past lease_ttl",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/holds.rs",
            old: "let fits = |open: &Open| now < open.first_sent + lease_ms && open.free() >= price;",
            new: "let fits = |open: &Open| open.free() >= price;",
        }]),
        worlds: &["limits"],
        invariant: AT_ONCE,
    },
    Mutant {
        name: "early reuse of holds",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/holds.rs",
            old: "self.granted.less(self.held)",
            new: "self.granted",
        }]),
        worlds: &["shared"],
        invariant: AT_ONCE,
    },
    Mutant {
        name: "a close keeps what is left leased",
        rule: Rule::Ledger(&[Change {
            file: "core/ledger/src/moves.rs",
            old: "let (chain, rest) = (lease.chain, lease.close()?);\n        self.release(chain, rest)",
            new: "lease.close()?;\n        Ok(())",
        }]),
        worlds: &["shared"],
        invariant: "Σ open leases = leased",
    },
];
