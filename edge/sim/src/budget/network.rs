//! Messages between processes and the database: they may be lost, copied, delayed, and so overtake each other.

use litfass_ledger::{Batch, Commands, GrantAnswer, GrantRequest, Return, Standing, Target, Timeline};

use super::agenda::{Agenda, Due, Instant};
use super::setting::{PROCESSES, Setting, Stream, Weather, draws, span};
use crate::draw::Draw;

/// A few messages take so many times longer than usual.
const SLOW: f64 = 100.0;

#[derive(Clone, Debug)]
pub(super) enum Letter {
    /// From a process, of its present life, to the database.
    Call { from: usize, life: u32, call: Call },
    /// The database's answer to that life.
    Answer { to: usize, life: u32, answer: Answer },
}

#[derive(Clone, Debug)]
pub(super) enum Call {
    Grant(Vec<GrantRequest>),
    GiveBack(Vec<Return>),
    Bill(Batch),
    Apply(Commands),
    Sweep,
    /// Opens what is not open yet and asks where the ledger stands.
    Stands,
    /// Says how far the log went when that timeline was seen.
    Promote(Timeline, Vec<Target>),
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Granted(Vec<GrantAnswer>),
    /// Where each partition goes on, and what the ledger waits for.
    Stands(Vec<(u16, u64)>, Standing),
}

#[derive(Debug)]
pub(super) struct Network {
    weather: Weather,
    draw: Draw,
    letters: Vec<Option<Letter>>,
    free: Vec<usize>,
    cut_until: [Instant; PROCESSES],
}

impl Network {
    pub(super) fn new(setting: &Setting) -> Self {
        Self {
            weather: setting.weather,
            draw: draws(setting.seed, Stream::Network),
            letters: Vec::new(),
            free: Vec::new(),
            cut_until: [0; PROCESSES],
        }
    }

    pub(super) fn cut(&mut self, process: usize, until: Instant) {
        self.cut_until[process] = self.cut_until[process].max(until);
    }

    /// From now on everything arrives.
    pub(super) fn calm(&mut self) {
        self.weather = Weather { loss: 0.0, copies: 0.0, delay: 1.0 };
        self.cut_until = [0; PROCESSES];
    }

    pub(super) fn send(&mut self, agenda: &mut Agenda, now: Instant, letter: Letter) {
        let (Letter::Call { from: process, .. } | Letter::Answer { to: process, .. }) = &letter;
        if now < self.cut_until[*process] || self.draw.chance(self.weather.loss) {
            return;
        }
        if self.draw.chance(self.weather.copies) {
            let after = span(&mut self.draw, 0.0, self.weather.delay * SLOW + 1.0);
            self.post(agenda, now + after, letter.clone());
        }
        let after = self.delay();
        self.post(agenda, now + after, letter);
    }

    fn delay(&mut self) -> Instant {
        let slow = if self.draw.chance(0.01) { SLOW } else { 2.0 };
        span(&mut self.draw, 0.0, self.weather.delay * slow + 1.0)
    }

    fn post(&mut self, agenda: &mut Agenda, at: Instant, letter: Letter) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.letters.push(None);
            self.letters.len() - 1
        });
        self.letters[slot] = Some(letter);
        agenda.note(at, Due::Letter { slot });
    }

    pub(super) fn take(&mut self, slot: usize) -> Option<Letter> {
        let letter = self.letters.get_mut(slot)?.take();
        self.free.push(slot);
        letter
    }
}
