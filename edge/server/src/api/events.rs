//! `POST /v1/events` on the wire: a batch of what happened, and a result for each.

use litfass_events::EventKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::Problem;

use super::invalid::{Invalid, bounded, fit};

pub const BATCH_MAX: usize = 1_000;
pub const TOKEN_MAX: usize = 1_024;
pub const ITEMS_MAX: usize = 500;
pub const TEXT_MAX: usize = 128;
pub const ORDER_MAX: usize = 64;

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct EventBatch {
    /// Each is read by itself, so that a malformed one spoils none of the others.
    pub events: Vec<Value>,
}

/// What each `type` asks for.
#[derive(Debug)]
pub enum EventAsk {
    Impression(TokenAsk),
    Viewable(TokenAsk),
    Click(TokenAsk),
    Conversion(ConversionAsk),
    View(ViewAsk),
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct TokenAsk {
    pub token: String,
    /// UTC milliseconds; the time of arrival where absent.
    pub time: Option<i64>,
}

/// An order. Without a click's token it is attributed to the user's last click.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct ConversionAsk {
    pub token: Option<String>,
    pub tenant: Option<u64>,
    pub user_id: Option<String>,
    pub order_id: String,
    #[serde(default)]
    pub value_micros: i64,
    #[serde(default)]
    pub items: Vec<ItemAsk>,
    pub time: Option<i64>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct ItemAsk {
    pub item: String,
    pub category: Option<String>,
    #[serde(default = "one")]
    pub quantity: u32,
}

const fn one() -> u32 {
    1
}

/// A user looked at an item of the shop, advertised or not.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct ViewAsk {
    pub tenant: u64,
    pub user_id: String,
    pub item: String,
    pub category: Option<String>,
    pub time: Option<i64>,
}

#[derive(Serialize, Debug)]
pub struct EventResults {
    pub results: Vec<EventResult>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum EventResult {
    /// On disk.
    Accepted {
        event_id: String,
    },
    /// On disk already; counts nothing and bills nothing.
    Repeated {
        event_id: String,
    },
    /// Genuine, but too late to bill or count.
    Expired {
        event_id: String,
    },
    Rejected {
        problem: Problem,
    },
}

impl EventBatch {
    /// # Errors
    /// When the batch is empty or too long.
    pub fn check(&self) -> Result<(), Invalid> {
        let fits = (1..=BATCH_MAX).contains(&self.events.len());
        if fits { Ok(()) } else { Err(Invalid::new("events", format!("give 1 to {BATCH_MAX} events"))) }
    }
}

impl EventAsk {
    /// The event's `type` says which fields the rest may have.
    ///
    /// # Errors
    /// Names the first field that is missing, unknown or of the wrong type.
    pub fn read(event: Value) -> Result<Self, Invalid> {
        let Value::Object(mut fields) = event else { return Err(Invalid::new("", "must be an object")) };
        let Some(Value::String(kind)) = fields.remove("type") else {
            return Err(Invalid::new("type", "must be given, as a text"));
        };
        let rest = Value::Object(fields);
        match EventKind::parse(&kind) {
            Some(EventKind::Impression) => fit(rest).map(Self::Impression),
            Some(EventKind::Viewable) => fit(rest).map(Self::Viewable),
            Some(EventKind::Click) => fit(rest).map(Self::Click),
            Some(EventKind::Conversion) => fit(rest).map(Self::Conversion),
            Some(EventKind::View) => fit(rest).map(Self::View),
            None => {
                Err(Invalid::new("type", format!("must be one of {}", EventKind::ALL.map(EventKind::name).join(", "))))
            }
        }
    }
}

impl TokenAsk {
    /// # Errors
    /// When the token cannot be one by its length.
    pub fn check(&self) -> Result<(), Invalid> {
        bounded("token", Some(&self.token), TOKEN_MAX)
    }
}

impl ConversionAsk {
    /// # Errors
    /// Names the first field outside its limits, or missing where there is no token.
    pub fn check(&self) -> Result<(), Invalid> {
        bounded("token", self.token.as_deref(), TOKEN_MAX)?;
        bounded("user_id", self.user_id.as_deref(), TEXT_MAX)?;
        bounded("order_id", Some(&self.order_id), ORDER_MAX)?;
        if self.value_micros < 0 {
            return Err(Invalid::new("value_micros", "must not be negative: a refund is an event of its own"));
        }
        if self.token.is_none() && (self.user_id.is_none() || self.tenant.is_none()) {
            return Err(Invalid::new("token", "give the click's token, or user_id and tenant"));
        }
        if self.items.len() > ITEMS_MAX {
            return Err(Invalid::new("items", format!("holds more than {ITEMS_MAX} items")));
        }
        self.items
            .iter()
            .enumerate()
            .try_for_each(|(i, item)| item.check().map_err(|e| e.below(&format!("items[{i}]"))))
    }
}

impl ItemAsk {
    fn check(&self) -> Result<(), Invalid> {
        bounded("item", Some(&self.item), TEXT_MAX)?;
        bounded("category", self.category.as_deref(), TEXT_MAX)
    }
}

impl ViewAsk {
    /// # Errors
    /// Names the first field outside its limits.
    pub fn check(&self) -> Result<(), Invalid> {
        bounded("user_id", Some(&self.user_id), TEXT_MAX)?;
        bounded("item", Some(&self.item), TEXT_MAX)?;
        bounded("category", self.category.as_deref(), TEXT_MAX)
    }
}
