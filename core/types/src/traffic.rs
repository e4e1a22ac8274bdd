//! Who or what is on the other side of a request or an event.

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Classes of traffic. Only people cost an advertiser anything, are profiled and are learned from; the others are counted
        /// apart.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub enum Traffic { #[default] $($(#[$doc])* $name),* }
        impl Traffic {
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
            /// In records, events and tokens; it never changes.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self { $(Self::$name => $number),* }
            }
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

classes! {
    Human = 0, "human";
    /// Says so itself, by its user agent.
    Crawler = 1, "crawler";
    /// From an address where machines live.
    DataCentre = 2, "data_centre";
    /// From an address of the operator's own people.
    Staff = 3, "staff";
    /// Asked for as a test.
    Test = 4, "test";
}

impl Traffic {
    /// Whether it counts in net figures: bills, feeds profiles, caps and signals, and is learned from.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::Human)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_name_one_class_each_and_only_people_count() {
        for class in Traffic::ALL {
            assert_eq!(Traffic::from_number(class.number()), Some(*class));
            assert_eq!(class.counts(), *class == Traffic::Human, "{class:?}");
        }
        assert_eq!(Traffic::from_number(200), None);
        assert_eq!(Traffic::default(), Traffic::Human, "records that name none are of people");
    }
}
