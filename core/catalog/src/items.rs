//! Ads by the item that they advertise.

use crate::orders::accumulate;

/// Local numbers of ads by their item's hash, those of one item in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct ItemOrder {
    ads: Vec<u32>,
    /// Where the ads with each value of their hash's upper bits begin, and where the last ones end. Hashes are spread evenly,
    /// so that leaves a handful.
    starts: Vec<u32>,
}

/// So many ads to a start at least, less than twice as many on average.
const ADS_PER_START: usize = 4;
/// A handful of rows is counted through, because they are fetched at the same time; where so many ads share an item that it
/// is more, halving finds them.
const HANDFUL: usize = 16;

impl ItemOrder {
    /// Of ads in ascending order of their hash, as `hash_of` tells it.
    pub(crate) fn new(ads: Vec<u32>, hash_of: impl Fn(u32) -> u64) -> Self {
        let buckets = 1_usize << (ads.len() / ADS_PER_START).max(2).ilog2();
        let mut starts = vec![0; buckets + 1];
        ads.iter().for_each(|ad| starts[place(hash_of(*ad), buckets) + 1] += 1);
        accumulate(&mut starts);
        Self { ads, starts }
    }

    /// The ads with that item, where `hash_of` tells an ad's.
    pub(crate) fn of(&self, hash: u64, hash_of: impl Fn(u32) -> u64) -> &[u32] {
        let Some(buckets) = self.starts.len().checked_sub(1) else { return &[] };
        let bucket = place(hash, buckets);
        let here = &self.ads[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
        let (mut first, mut end) = (0, 0);
        if here.len() > HANDFUL {
            first = here.partition_point(|ad| hash_of(*ad) < hash);
            end = here.partition_point(|ad| hash_of(*ad) <= hash);
        } else {
            for other in here.iter().map(|ad| hash_of(*ad)) {
                first += usize::from(other < hash);
                end += usize::from(other <= hash);
            }
        }
        &here[first..end]
    }
}

/// Which of `buckets`, a power of two above 1, a hash belongs to: its upper bits.
fn place(hash: u64, buckets: usize) -> usize {
    usize::try_from(hash >> (64 - buckets.ilog2())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Spread over everything, or over the least or the greatest few, where one bucket holds them all.
    fn hash() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), 0..9_u64, u64::MAX - 9..=u64::MAX]
    }

    proptest! {
        #[test]
        fn an_item_is_found_with_all_its_ads_in_their_order(hashes in proptest::collection::vec(hash(), 0..99), other in hash()) {
            let mut pairs: Vec<(u64, u32)> = hashes.into_iter().zip(0..).collect();
            pairs.sort_unstable();
            let hash_of = |ad| pairs.iter().find(|(_, other)| *other == ad).map_or(0, |(hash, _)| *hash);
            let order = ItemOrder::new(pairs.iter().map(|(_, ad)| *ad).collect(), hash_of);
            for wanted in pairs.iter().map(|(hash, _)| *hash).chain([other]) {
                let ads: Vec<u32> = pairs.iter().filter(|(hash, _)| *hash == wanted).map(|(_, ad)| *ad).collect();
                prop_assert_eq!(order.of(wanted, hash_of), ads);
            }
        }
    }

    #[test]
    fn nothing_is_found_where_there_is_nothing() {
        assert_eq!(ItemOrder::default().of(7, |_| 7), &[0_u32; 0]);
    }
}
