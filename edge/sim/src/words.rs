//! The shop's words: departments with what is sold in them, and whole sentences that are put together from parts.

/// A department: its category name, what its goods are and are like, and what they cost.
#[derive(Debug)]
pub(crate) struct Department {
    pub category: &'static str,
    pub goods: &'static [&'static str],
    pub kinds: &'static [&'static str],
    /// Cheapest and dearest, in whole units of the currency.
    pub prices: (u32, u32),
}

macro_rules! departments {
    ($($category:literal $low:literal..$high:literal [$($good:literal),*] [$($kind:literal),*];)*) => {
        pub(crate) const DEPARTMENTS: &[Department] = &[$(
            Department { category: $category, goods: &[$($good),*], kinds: &[$($kind),*], prices: ($low, $high) }
        ),*];
    };
}

departments! {
    "shoes" 29..190 ["running shoes", "hiking boots", "sneakers", "sandals", "loafers", "rain boots"] ["waterproof", "lightweight", "vegan", "wide-fit", "cushioned", "trail"];
    "kitchen" 8..240 ["cast-iron pan", "chef's knife", "kettle", "mixing bowl", "baking tray", "pepper mill", "stockpot"] ["enamelled", "copper", "nonstick", "stackable", "oven-safe", "family-size"];
    "toys" 6..90 ["building blocks", "wooden train", "puzzle", "plush bear", "board game", "kite", "marble run"] ["colourful", "educational", "giant", "glow-in-the-dark", "classic", "magnetic"];
    "garden" 5..320 ["watering can", "seed set", "hedge trimmer", "planter", "bird feeder", "garden chair"] ["galvanised", "self-watering", "cordless", "terracotta", "frost-proof", "folding"];
    "audio" 19..650 ["headphones", "bookshelf speaker", "turntable", "earbuds", "radio", "soundbar"] ["wireless", "noise-cancelling", "walnut", "portable", "retro", "studio"];
    "books" 7..60 ["cookbook", "travel guide", "crime novel", "atlas", "picture book", "poetry collection"] ["illustrated", "pocket", "signed", "bilingual", "annotated", "bestselling"];
    "cycling" 9..1400 ["city bike", "bike helmet", "pannier", "bike light", "floor pump", "saddle"] ["urban", "reflective", "aerodynamic", "carbon", "rechargeable", "gravel"];
    "beauty" 4..95 ["face cream", "shampoo bar", "perfume", "lip balm", "hand soap", "sunscreen"] ["unscented", "lavender", "organic", "refillable", "sensitive-skin", "rose"];
    "grocery" 2..40 ["olive oil", "coffee beans", "dark chocolate", "green tea", "honey", "pasta", "granola"] ["fair-trade", "stone-ground", "single-origin", "unsweetened", "wildflower", "roasted"];
    "pets" 4..130 ["dog bed", "cat tree", "bird seed", "leash", "chew toy", "aquarium plant"] ["orthopaedic", "grain-free", "washable", "retractable", "squeaky", "natural"];
    "office" 2..480 ["desk lamp", "notebook", "fountain pen", "standing desk", "office chair", "pin board"] ["dimmable", "dotted", "height-adjustable", "ergonomic", "recycled", "cork"];
    "outdoor" 12..420 ["tent", "sleeping bag", "camping stove", "headlamp", "backpack", "hammock"] ["two-person", "ultralight", "four-season", "waterproof", "compact", "insulated"];
    "home" 9..560 ["table lamp", "wool blanket", "wall clock", "candle set", "curtain", "area rug"] ["hand-woven", "linen", "scented", "blackout", "minimalist", "striped"];
    "fashion" 12..260 ["raincoat", "merino sweater", "scarf", "denim jacket", "leather belt", "summer dress"] ["oversized", "windproof", "organic-cotton", "vintage", "cropped", "hooded"];
}

/// Sellers' names, put together from two parts.
pub(crate) const SELLER_FIRST: &[&str] = &[
    "Nord", "Linden", "Alster", "Falken", "Marien", "Stern", "Wald", "Hafen", "Kupfer", "Birken", "Morgen", "Silber",
    "Anker", "Rosen",
];
pub(crate) const SELLER_LAST: &[&str] = &[
    "hof & Co.",
    "werk",
    "haus",
    "garten",
    "markt",
    "manufaktur",
    "kontor",
    " Brothers",
    "feld",
    " Supply",
    "stein",
    "laden",
];

/// What campaigns are for.
pub(crate) const OCCASIONS: &[&str] = &[
    "spring launch",
    "always on",
    "clearance",
    "new arrivals",
    "weekend push",
    "brand awareness",
    "bestsellers",
    "search defence",
    "loyalty",
    "retargeting",
    "summer sale",
    "gift guide",
];

/// How a product's text begins and ends; the middle names the product.
pub(crate) const TEXT_OPENINGS: &[&str] = &[
    "Made to last:",
    "New this season:",
    "Back in stock:",
    "A customer favourite:",
    "From our own workshop:",
    "Small price, big use:",
];
pub(crate) const TEXT_ENDINGS: &[&str] = &[
    "Ships tomorrow.",
    "Free returns for 60 days.",
    "Five-year guarantee.",
    "Rated 4.6 by buyers.",
    "Repair service included.",
    "Only this week at this price.",
    "Packed without plastic.",
];

/// Where shoppers live: country, region, city, share of the shop's visitors.
pub(crate) const HOMES: &[(&str, &str, &str, f64)] = &[
    ("DE", "BE", "Berlin", 18.0),
    ("DE", "BY", "Munich", 12.0),
    ("DE", "HH", "Hamburg", 8.0),
    ("FR", "IDF", "Paris", 12.0),
    ("FR", "ARA", "Lyon", 5.0),
    ("GB", "ENG", "London", 12.0),
    ("GB", "SCT", "Glasgow", 4.0),
    ("PL", "MZ", "Warsaw", 8.0),
    ("US", "CA", "Fresno", 9.0),
    ("US", "NY", "Buffalo", 7.0),
    ("US", "TX", "Austin", 5.0),
];
