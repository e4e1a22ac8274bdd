//! What is known about who asks and from where, in the closed sets and open terms that targeting reads.

use crate::hash::{FEATURE_HASH_SEED, xxh64};

macro_rules! closed_set {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name { $($variant),* }
        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.name() == text)
            }
        }
    )*};
}

closed_set! {
    Device { Desktop = "desktop", Mobile = "mobile", Tablet = "tablet", Tv = "tv", Console = "console", Other = "other" }
    Os { Android = "android", Ios = "ios", Windows = "windows", Macos = "macos", Linux = "linux", Other = "other" }
    /// What a targeting predicate looks at. Geo terms are given at every level that is known: `US`, `US-CA`, `US-CA/Fresno`.
    TermKind {
        Geo = "geo",
        Device = "device",
        Os = "os",
        Placement = "placement",
        Category = "category",
        Segment = "segment",
        Keyword = "keyword",
        KeyValue = "key_value",
        Daypart = "daypart",
    }
}

/// One value of one kind as 64 bits: the feature hash of `kind=value`. A key-value's value is `key=value`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Term(pub u64);

impl Term {
    #[must_use]
    pub fn new(kind: TermKind, value: &str) -> Self {
        let mut text = String::with_capacity(kind.name().len() + 1 + value.len());
        text.push_str(kind.name());
        text.push('=');
        text.push_str(value);
        Self(xxh64(text.as_bytes(), FEATURE_HASH_SEED))
    }
}
