//! Ads by the item that they advertise.

use crate::orders::accumulate;

/// Ads by their item's hash, those of one item in the order in which they were given.
#[derive(Debug, Default)]
pub(crate) struct ItemOrder {
    places: Vec<Place>,
    /// Where the ads with each value of their hash's upper bits begin, and where the last ones end. Hashes are spread evenly,
    /// so that leaves a handful.
    starts: Vec<u32>,
}

/// An ad's local number, and the 32 bits of its hash behind the upper ones: nobody else's row has to be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    tag: u32,
    pub(crate) ad: u32,
}

/// So many ads to a start at least, less than twice as many on average.
const ADS_PER_START: usize = 4;
/// A handful is counted through, which needs no guess; where so many ads share an item that it is more, halving finds them.
const HANDFUL: usize = 16;

impl ItemOrder {
    /// Of ads in ascending order of their hash, as `hash_of` tells it.
    pub(crate) fn new(ads: &[u32], hash_of: impl Fn(u32) -> u64) -> Self {
        let buckets = 1_usize << (ads.len() / ADS_PER_START).max(2).ilog2();
        let mut starts = vec![0; buckets + 1];
        ads.iter().for_each(|ad| starts[bucket(hash_of(*ad), buckets) + 1] += 1);
        accumulate(&mut starts);
        let places = ads.iter().map(|ad| Place { tag: tag(hash_of(*ad), buckets), ad: *ad });
        Self { places: places.collect(), starts }
    }

    /// Where the ads with that item stand, and perhaps others whose hash begins with the same 32 bits and more.
    pub(crate) fn of(&self, hash: u64) -> &[Place] {
        let Some(buckets) = self.starts.len().checked_sub(1) else { return &[] };
        let (bucket, tag) = (bucket(hash, buckets), tag(hash, buckets));
        let here = &self.places[self.starts[bucket] as usize..self.starts[bucket + 1] as usize];
        let (mut first, mut end) = (0, 0);
        if here.len() > HANDFUL {
            first = here.partition_point(|place| place.tag < tag);
            end = here.partition_point(|place| place.tag <= tag);
        } else {
            for place in here {
                first += usize::from(place.tag < tag);
                end += usize::from(place.tag <= tag);
            }
        }
        &here[first..end]
    }
}

/// Which of `buckets`, a power of two above 1, a hash belongs to: its upper bits.
fn bucket(hash: u64, buckets: usize) -> usize {
    usize::try_from(hash >> (64 - buckets.ilog2())).unwrap_or(0)
}

/// The 32 bits behind them.
fn tag(hash: u64, buckets: usize) -> u32 {
    u32::try_from(hash << buckets.ilog2() >> 32).unwrap_or(0)
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
            let numbers: Vec<u32> = pairs.iter().map(|(_, ad)| *ad).collect();
            let order = ItemOrder::new(&numbers, hash_of);
            for wanted in pairs.iter().map(|(hash, _)| *hash).chain([other]) {
                let ads: Vec<u32> = pairs.iter().filter(|(hash, _)| *hash == wanted).map(|(_, ad)| *ad).collect();
                let found = order.of(wanted).iter().map(|place| place.ad);
                let found: Vec<u32> = found.filter(|ad| hash_of(*ad) == wanted).collect();
                prop_assert_eq!(found, ads);
            }
        }
    }

    #[test]
    fn nothing_is_found_where_there_is_nothing() {
        assert!(ItemOrder::default().of(7).is_empty());
    }
}
