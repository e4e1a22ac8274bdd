//! Which partitions of the log there are. An event partition holds the watermark back from when it is opened until it was read
//! to its seal: a partition whose writer is gone is fenced and sealed first.

use crate::gather;
use crate::rows::{Partition, PartitionKind, Refused, Rows};
use crate::store::{Operation, Source, StateUse};

/// Opens a partition or seals it; doing so again changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Membership {
    Open {
        partition: u16,
        kind: PartitionKind,
    },
    /// `end` is the first offset that will never be written.
    Seal {
        partition: u16,
        end: u64,
    },
}

impl Operation for &[Membership] {
    type Receipt = ();

    fn read<S: Source + ?Sized>(&self, source: &mut S) -> Result<Rows, S::Error> {
        gather::begin(source, self.iter().map(|change| change.partition()), StateUse::Reads)
    }

    fn plan(&self, rows: &mut Rows) -> Result<(), Refused> {
        self.iter().try_for_each(|change| change.apply(rows))
    }
}

impl Membership {
    const fn partition(self) -> u16 {
        match self {
            Self::Open { partition, .. } | Self::Seal { partition, .. } => partition,
        }
    }

    fn apply(self, rows: &mut Rows) -> Result<(), Refused> {
        match self {
            Self::Open { partition, kind } => match rows.partitions.known(&partition) {
                Some(known) if known.kind != kind => Err(Refused::Partition(partition)),
                Some(_) => Ok(()),
                None => {
                    rows.partitions.put(partition, Partition::new(kind));
                    Ok(())
                }
            },
            Self::Seal { partition, end } => {
                let row = rows.partitions.slot(&partition).map_err(|_| Refused::Partition(partition))?;
                let row = row.as_mut().ok_or(Refused::Partition(partition))?;
                row.sealed = row.sealed.or(Some(end));
                Ok(())
            }
        }
    }
}
