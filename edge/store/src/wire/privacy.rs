//! What a user wants done with what is known of them.

use litfass_events::{Privacy, Wish};
use litfass_types::TenantId;

use super::field::{WireError, Within, required, unknown, user, user_to_proto};
use super::proto;

pub(super) fn to_proto(privacy: &Privacy) -> proto::Privacy {
    let wish = match privacy.wish {
        Wish::Erase => proto::PrivacyWish::Erase,
        Wish::OptOut => proto::PrivacyWish::OptOut,
        Wish::OptIn => proto::PrivacyWish::OptIn,
    };
    proto::Privacy { tenant: privacy.tenant.0, user: Some(user_to_proto(privacy.user)), wish: wish as i32 }
}

pub(super) fn from_proto(message: &proto::Privacy) -> Result<Privacy, WireError> {
    let tenant = TenantId(message.tenant);
    let user = user(required(message.user.as_ref(), "user")?).within("user")?;
    Ok(Privacy { tenant, user, wish: wish(message.wish).within("wish")? })
}

fn wish(number: i32) -> Result<Wish, WireError> {
    match proto::PrivacyWish::try_from(number) {
        Ok(proto::PrivacyWish::Erase) => Ok(Wish::Erase),
        Ok(proto::PrivacyWish::OptOut) => Ok(Wish::OptOut),
        Ok(proto::PrivacyWish::OptIn) => Ok(Wish::OptIn),
        Ok(proto::PrivacyWish::Unspecified) | Err(_) => Err(unknown(number)),
    }
}
