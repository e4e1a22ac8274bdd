//! How often a key may call: a token bucket kept as one number, the time at which it would be full again (GCRA, ITU-T I.371).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a key may send: `per_second` on and on, and `burst` worth of it at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    pub per_second: u32,
    pub burst: Duration,
}

const SECOND_NS: u64 = 1_000_000_000;

/// One key's bucket. It starts full.
#[derive(Debug, Default)]
pub struct Bucket {
    full_at_ns: AtomicU64,
}

impl Bucket {
    /// Takes one request at `now_ns` of a clock that never goes back.
    ///
    /// # Errors
    /// How long until there is room for one.
    pub fn take(&self, now_ns: u64, allowance: Allowance) -> Result<(), Duration> {
        let mut full_at = self.full_at_ns.load(Ordering::Relaxed);
        loop {
            let next = after_one(full_at, now_ns, allowance)?;
            match self.full_at_ns.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => full_at = other,
            }
        }
    }
}

/// When the bucket is full again if one is taken now.
fn after_one(full_at: u64, now_ns: u64, allowance: Allowance) -> Result<u64, Duration> {
    let one = SECOND_NS / u64::from(allowance.per_second.max(1));
    // At least one request always fits into a full bucket.
    let holds = u64::try_from(allowance.burst.as_nanos()).unwrap_or(u64::MAX).max(one);
    let next = full_at.max(now_ns).saturating_add(one);
    let room_at = next.saturating_sub(holds);
    if room_at <= now_ns { Ok(next) } else { Err(Duration::from_nanos(room_at - now_ns)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALLOWANCE: Allowance = Allowance { per_second: 10, burst: Duration::from_secs(2) };

    #[test]
    fn a_burst_fits_and_then_one_in_each_interval() {
        let bucket = Bucket::default();
        let admitted = (0..100).filter(|_| bucket.take(7, ALLOWANCE).is_ok()).count();
        assert_eq!(admitted, 20);
        let wait = bucket.take(7, ALLOWANCE).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(bucket.take(7 + 99_999_999, ALLOWANCE).is_err());
        assert!(bucket.take(7 + 100_000_000, ALLOWANCE).is_ok());
        assert!(bucket.take(7 + 100_000_001, ALLOWANCE).is_err());
    }

    /// The bucket as it is drawn: a level that leaks.
    struct Drawn {
        level: f64,
        at_ns: u64,
    }

    impl Drawn {
        #[expect(clippy::cast_precision_loss, reason = "a drawing")]
        fn take(&mut self, now_ns: u64) -> bool {
            let leaked = (now_ns - self.at_ns) as f64 / 1e9 * 10.0;
            (self.level, self.at_ns) = ((self.level - leaked).max(0.0), now_ns);
            let fits = self.level + 1.0 <= 20.0 + 1e-6;
            self.level += f64::from(u8::from(fits));
            fits
        }
    }

    proptest! {
        #[test]
        fn it_admits_what_a_leaking_bucket_admits(gaps in prop::collection::vec(0_u64..400, 1..200)) {
            let (bucket, mut drawn, mut now) = (Bucket::default(), Drawn { level: 0.0, at_ns: 0 }, 0);
            for gap in gaps {
                now += gap * 1_000_000;
                prop_assert_eq!(bucket.take(now, ALLOWANCE).is_ok(), drawn.take(now));
            }
        }
    }
}
