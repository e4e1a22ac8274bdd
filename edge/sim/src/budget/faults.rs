//! Faults as they strike.

use litfass_ledger::check::Violation;

use super::agenda::{Due, Instant};
use super::log::off;
use super::serve::no_plan;
use super::setting::{DECIDERS, Fault, PROCESSES, span};
use super::world::World;

impl World {
    pub(super) fn fault(&mut self, number: usize) -> Result<(), Violation> {
        let Some((_, fault)) = self.setting.faults.get(number).copied() else { return Ok(()) };
        let now = self.now;
        match fault {
            Fault::Crash { process, down } => return self.crash(process, down),
            Fault::Cut { process, lasts } => {
                self.network.cut(process, now + lasts);
                self.seen.cuts += 1;
            }
            Fault::Stall { partition, lasts } => {
                self.log.partitions[usize::from(partition)].stalled_until = now + lasts;
            }
            Fault::DatabaseDown { lasts } => self.database.down_until = now + lasts,
            Fault::ReplicaLags { commits } => return self.lag(commits),
            Fault::Seal { partition } => return self.seal(partition),
        }
        Ok(())
    }

    fn crash(&mut self, process: usize, down: Instant) -> Result<(), Violation> {
        if process < DECIDERS {
            self.deciders[process].crash();
        } else {
            self.billers[process - DECIDERS].crash();
        }
        self.seen.crashes += 1;
        let life = self.life(process);
        self.agenda.note(self.now + down, Due::Restart { process, life });
        self.database.reconnect(process)
    }

    /// The writer is fenced, another partition opened, then this one sealed. Not while the database cannot take it.
    fn seal(&mut self, partition: u16) -> Result<(), Violation> {
        if self.database.is_down(self.now) || self.log.partitions[usize::from(partition)].sealed {
            return Ok(());
        }
        self.log.partitions[usize::from(partition)].sealed = true;
        let opened = self.log.open(&mut self.clocks);
        let known = self.known();
        self.database.run(0, self.now, &known.as_slice())?.map_err(|refused| no_plan(&refused))?;
        self.agenda.note(self.now, Due::Heartbeat { partition: opened });
        self.seen.seals += 1;
        Ok(())
    }

    pub(super) fn fail_over(&mut self) -> Result<(), Violation> {
        let ahead = off(&mut self.clocks, self.setting.skew);
        self.seen.failovers += 1;
        self.part_from_readers();
        self.database.fail_over(ahead)
    }

    /// Limits are lowered meanwhile: the replica will not know of it.
    fn lag(&mut self, commits: u64) -> Result<(), Violation> {
        for _ in 0..=self.clocks.below(5) {
            let soon = span(&mut self.clocks, 0.0, 30_000.0);
            self.agenda.note(self.now + soon, Due::Lower);
        }
        self.database.lag(commits)
    }

    /// Now and then the new primary is reached by those who want budget long before those who read the log.
    fn part_from_readers(&mut self) {
        let lasts = span(&mut self.clocks, 10_000.0, 150_000.0);
        if self.flying && self.clocks.chance(0.6) {
            (DECIDERS..PROCESSES).for_each(|process| self.network.cut(process, self.now + lasts));
        }
    }
}
