//! At rest: what became of every entry of the log, told from the log alone.

use std::collections::{BTreeMap, BTreeSet};

use litfass_ledger::check::Violation;
use litfass_ledger::{Amount, Billable, Book, Chain, Claim, CommandOutcome, Effect, Funding, Limit, Outcome};
use litfass_types::{AdvertiserId, CampaignId, Position, Timestamp};

use super::seen::{Campaign, Seen};
use super::watch::broken;
use super::world::World;

const ONE_OUTCOME: &str = "every billable event of the log has exactly one outcome";
const FOLD: &str = "postings are the fold of the log's outcomes";
const ENDED: &str = "every lease ends closed and nothing waits past its token's life";
const PROMPT: &str = "delivered unbilled of a CPM campaign with prompt events is at most 1 % or two prices";
const HARD: &str = "a world is hard enough";
const COMMANDS: &str = "a command of the log takes effect once";

/// A campaign that still asks for budget in the last minutes of the flight and gets none has spent what it could.
const LANDING: i64 = 120_000;

/// A claim over all its copies.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    token: usize,
    billed: u32,
    unbilled: u32,
    repeated: u32,
    expired: u32,
    late: bool,
}

type Fates = BTreeMap<(u128, u8, Billable), Fate>;

impl World {
    pub(super) fn at_rest(&mut self) -> Result<(), Violation> {
        self.watch.audit(&self.database.book)?;
        self.database.compare()?;
        everything_ended(&self.database.book)?;
        self.everything_read()?;
        let fates = self.fates()?;
        let mut claims = fates.values();
        claims.try_for_each(|fate| one_outcome(fate, &self.tokens[fate.token].claim()))?;
        self.postings_are_their_fold(&fates)?;
        self.commands_took_effect_once()?;
        if self.seen.failovers == 0 {
            self.watch.nothing_was_stuck(&self.setting.terms, self.setting.skew)?;
        }
        self.tell(&fates);
        self.prompt_impressions_are_billed()?;
        self.hard_enough()
    }

    /// Where no database failed over and every event of the campaign came within its hold.
    fn prompt_impressions_are_billed(&self) -> Result<(), Violation> {
        let bound = |campaign: &&Campaign| {
            let most = ((campaign.billed + campaign.unbilled) / 100).max(2 * campaign.price);
            !campaign.per_click && !campaign.late && campaign.unbilled > most
        };
        let calm = self.seen.failovers == 0;
        let beyond = self.seen.delivered.iter().find(bound).filter(|_| calm);
        beyond.map_or(Ok(()), |campaign| Err(broken(PROMPT, || format!("{campaign:?}"))))
    }

    /// A world in which nothing goes wrong shows nothing.
    fn hard_enough(&self) -> Result<(), Violation> {
        let Seen { decisions, crashes, cuts, edits, day_changes, campaigns, exhausted, .. } = &self.seen;
        let least = [*crashes, *cuts, *edits, *day_changes].into_iter().min();
        // Who is paced spends what it has over the flight: fewer ask in vain at its end.
        let scarce = self.setting.paced || exhausted * 2 >= *campaigns;
        let hard = *decisions >= 20_000 && least > Some(0) && scarce;
        if hard {
            Ok(())
        } else {
            Err(broken(HARD, || format!("{:?}", Seen { delivered: Vec::new(), ..self.seen.clone() })))
        }
    }

    /// Ranges of batches cover every partition without a gap and without an overlap.
    fn everything_read(&self) -> Result<(), Violation> {
        let mut ranges: BTreeMap<u16, BTreeSet<(u64, u64)>> = BTreeMap::new();
        let consumed = self.database.book.batches.iter().flat_map(|batch| &batch.consumed);
        for c in consumed {
            ranges.entry(c.partition).or_default().insert((c.from, c.next));
        }
        for partition in &self.log.partitions {
            let mut next = 0;
            for (from, end) in ranges.get(&partition.number).into_iter().flatten() {
                if *from != next {
                    return Err(broken(ONE_OUTCOME, || {
                        format!("partition {} from {next} to {from}", partition.number)
                    }));
                }
                next = *end;
            }
            if next != partition.end() {
                return Err(broken(ONE_OUTCOME, || format!("partition {} ends at {next}", partition.number)));
            }
        }
        Ok(())
    }

    fn fates(&self) -> Result<Fates, Violation> {
        let mut fates = Fates::new();
        for partition in &self.log.partitions {
            for (offset, entry) in (0..).zip(&partition.entries) {
                let Some(number) = entry.token() else { continue };
                let token = &self.tokens[number];
                let position = Position { partition: partition.number, offset };
                let outcome = self.database.book.outcomes.get(&position).copied().unwrap_or(Outcome::Billed);
                let fate = fates.entry((token.decision.0, token.slot, token.kind)).or_default();
                fate.token = number;
                fate.count(outcome, entry.appended > token.hold_expires)?;
            }
        }
        Ok(fates)
    }

    fn postings_are_their_fold(&self, fates: &Fates) -> Result<(), Violation> {
        let mut sums: BTreeMap<Chain, (u64, Amount)> = BTreeMap::new();
        for fate in fates.values().filter(|fate| fate.billed > 0) {
            let token = &self.tokens[fate.token];
            let sum = sums.entry(token.chain).or_default();
            *sum = (sum.0 + 1, sum.1.plus(Amount::of(token.price)).unwrap_or(Amount::MAX));
        }
        let billed = self.database.book.tallies.iter().filter(|(_, tally)| tally.billed.events > 0);
        let posted: BTreeMap<Chain, (u64, Amount)> =
            billed.map(|(chain, tally)| (*chain, (tally.billed.events, tally.billed.amount))).collect();
        let differs = sums.iter().find(|(chain, sum)| posted.get(chain) != Some(sum));
        if let Some((chain, sum)) = differs {
            return Err(broken(FOLD, || format!("{chain:?}: {sum:?} by the log, posted {:?}", posted.get(chain))));
        }
        let more = posted.keys().find(|chain| !sums.contains_key(chain));
        more.map_or(Ok(()), |chain| Err(broken(FOLD, || format!("{chain:?} is posted, the log has nothing of it"))))
    }

    /// Funds and limits told again from the admin partition: each id counts where it stands first.
    fn commands_took_effect_once(&self) -> Result<(), Violation> {
        let book = &self.database.book;
        let mut funding: BTreeMap<AdvertiserId, Funding> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for entry in &self.log.admin {
            let command = &entry.command;
            if !seen.insert(command.id) {
                continue;
            }
            let outcome = book.commands.get(&command.id).map(|record| record.outcome);
            match outcome {
                None => return Err(broken(COMMANDS, || format!("{} has no outcome", command.id))),
                Some(CommandOutcome::Applied) => fund(&mut funding, &command.effect),
                Some(CommandOutcome::Waiting) => {
                    return Err(broken(ENDED, || format!("refund {} still waits", command.id)));
                }
                Some(CommandOutcome::Repeated | CommandOutcome::Refused(_)) => {}
            }
        }
        let differs = funding.iter().find(|(account, funding)| book.funding.get(account) != Some(funding));
        differs.map_or(Ok(()), |(account, by_log)| {
            Err(broken(COMMANDS, || format!("{account}: {by_log:?} by the log, {:?}", book.funding.get(account))))
        })
    }

    /// What this world adds to the figures.
    fn tell(&mut self, fates: &Fates) {
        let mut campaigns: BTreeMap<(CampaignId, Billable), Campaign> = BTreeMap::new();
        for fate in fates.values() {
            let token = &self.tokens[fate.token];
            let campaign = campaigns.entry((token.chain.campaign, token.kind)).or_default();
            campaign.count(token, fate.billed > 0, fate.unbilled > 0, fate.late);
        }
        let ends = self.market.starts + self.setting.flight;
        let late = ends - self.setting.flight / 4;
        let book = &self.database.book;
        let refused = |id: &CampaignId| self.watch.refused.get(id).is_some_and(|at| *at >= late);
        self.seen.campaigns = self.market.campaigns.len() as u64;
        let exhausted = self.market.campaigns.iter().map(|(id, _)| *id).filter(refused);
        let exhausted: BTreeSet<CampaignId> = exhausted.collect();
        self.seen.exhausted = exhausted.len() as u64;
        let edited = self.edited_lately();
        let at_the_end = |id: &CampaignId| self.watch.refused.get(id).is_some_and(|at| *at >= ends - LANDING);
        for ((id, _), campaign) in &mut campaigns {
            campaign.under_delivered =
                (at_the_end(id) && !edited.contains(id)).then(|| under_delivered(book, *id)).flatten();
        }
        self.seen.delivered = campaigns.into_values().collect();
        let [first, last] = [self.market.starts, ends].map(Timestamp);
        let changes = self.market.accounts.iter().filter(|account| account.day(first) != account.day(last));
        self.seen.day_changes = changes.count() as u64;
        self.seen.stuck = self.watch.stuck;
        self.seen.trace = self.watch.trace;
        self.seen.commits = self.database.commits;
        self.seen.sql = self.setting.sql;
        self.seen.paced = self.setting.paced;
        self.seen.taken_over = self.pacer.taken_over;
        self.seen.sql_cuts = self.database.sql_cuts();
    }
}

impl World {
    /// Campaigns whose account somebody changed in the second half of the flight: what they could spend is another matter.
    fn edited_lately(&self) -> BTreeSet<CampaignId> {
        let half = Timestamp(self.market.starts + self.setting.flight / 2 - self.setting.skew);
        let lately = self.log.admin.iter().filter(|entry| entry.appended >= half);
        let accounts: BTreeSet<AdvertiserId> = lately.map(|entry| entry.command.effect.account()).collect();
        let theirs = |at: &usize| accounts.contains(&self.market.accounts[*at].id);
        self.market.campaigns.iter().filter(|(_, at)| theirs(at)).map(|(id, _)| *id).collect()
    }
}

/// The share of its binding budget that a campaign did not spend.
fn under_delivered(book: &Book, campaign: CampaignId) -> Option<f64> {
    let chains = book.tallies.keys().filter(|chain| chain.campaign == campaign);
    let last = chains.clone().map(|chain| chain.day).max()?;
    let left = |chain: &Chain| {
        let levels = chain.controls().into_iter().filter_map(|id| book.controls.get(&id));
        levels.map(|control| share(control.available(), control.total())).fold(1.0, f64::min)
    };
    chains
        .filter(|chain| chain.day == last)
        .map(left)
        .fold(None, |worst: Option<f64>, left| Some(worst.map_or(left, |w| w.max(left))))
}

#[expect(clippy::cast_precision_loss, reason = "a figure to print")]
fn share(part: Amount, whole: Amount) -> f64 {
    part.nanos() as f64 / whole.nanos().max(1) as f64
}

impl Fate {
    fn count(&mut self, outcome: Outcome, late: bool) -> Result<(), Violation> {
        match outcome {
            Outcome::Billed => self.billed += 1,
            Outcome::Repeated => self.repeated += 1,
            Outcome::Expired => self.expired += 1,
            Outcome::Unbilled(_) => self.unbilled += 1,
            Outcome::Pending(_) => return Err(broken(ENDED, || format!("token {} is pending", self.token))),
        }
        self.late |= late && matches!(outcome, Outcome::Billed | Outcome::Unbilled(_));
        Ok(())
    }
}

fn one_outcome(fate: &Fate, claim: &Claim) -> Result<(), Violation> {
    let ended = fate.billed + fate.unbilled;
    let right = ended == 1 || (ended == 0 && fate.repeated == 0 && fate.expired > 0);
    if right { Ok(()) } else { Err(broken(ONE_OUTCOME, || format!("{}: {fate:?}", claim.id))) }
}

fn everything_ended(book: &Book) -> Result<(), Violation> {
    if let Some((id, lease)) = book.leases.iter().find(|(_, lease)| !lease.closed) {
        return Err(broken(ENDED, || format!("lease {id}: {lease:?}")));
    }
    if let Some((id, pending)) = book.pending.iter().next() {
        return Err(broken(ENDED, || format!("{id}: {pending:?}")));
    }
    let leased = book.controls.iter().find(|(_, control)| !control.leased.is_zero());
    leased.map_or(Ok(()), |(id, control)| Err(broken(ENDED, || format!("{id:?}: {control:?}"))))
}

fn fund(funding: &mut BTreeMap<AdvertiserId, Funding>, effect: &Effect) {
    let plus = |a: Amount, b: Amount| a.plus(b).unwrap_or(Amount::MAX);
    match effect {
        Effect::Deposit { account, amount } => {
            let funds = funding.entry(*account).or_default();
            funds.added = plus(funds.added, *amount);
        }
        Effect::Adjust { account, nanos } => {
            let funds = funding.entry(*account).or_default();
            let amount = Amount::new(nanos.abs()).unwrap_or(Amount::MAX);
            let side = if *nanos < 0 { &mut funds.removed } else { &mut funds.added };
            *side = plus(*side, amount);
        }
        Effect::SetLimit(Limit::Credit { account, limit }) => funding.entry(*account).or_default().credit = *limit,
        Effect::SetLimit(_) | Effect::Refund { .. } => {}
    }
}
