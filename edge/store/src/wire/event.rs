//! Deliveries, orders and views.

use litfass_events::{Conversion, Delivery, EventKind, ItemView, MAX_CONVERSION_ITEMS, MAX_ORDER_ID_BYTES, Purchased};
use litfass_types::TenantId;

use super::field::{WireError, Within, at_most, optional_user, required, short, unknown, user, user_to_proto};
use super::{proto, token};

pub(super) fn delivery_to_proto(delivery: &Delivery) -> proto::Delivery {
    let kind = match delivery.kind {
        EventKind::Impression => proto::DeliveryKind::Impression,
        EventKind::Viewable => proto::DeliveryKind::Viewable,
        EventKind::Click => proto::DeliveryKind::Click,
        EventKind::Conversion | EventKind::View => proto::DeliveryKind::Unspecified,
    };
    proto::Delivery { kind: kind as i32, token: Some(token::to_proto(&delivery.token)) }
}

pub(super) fn delivery_from_proto(delivery: proto::Delivery) -> Result<Delivery, WireError> {
    let token = required(delivery.token, "token")?;
    Ok(Delivery { kind: kind(delivery.kind).within("kind")?, token: token::from_proto(token).within("token")? })
}

fn kind(number: i32) -> Result<EventKind, WireError> {
    match proto::DeliveryKind::try_from(number) {
        Ok(proto::DeliveryKind::Impression) => Ok(EventKind::Impression),
        Ok(proto::DeliveryKind::Viewable) => Ok(EventKind::Viewable),
        Ok(proto::DeliveryKind::Click) => Ok(EventKind::Click),
        Ok(proto::DeliveryKind::Unspecified) | Err(_) => Err(unknown(number)),
    }
}

pub(super) fn conversion_to_proto(conversion: &Conversion) -> proto::Conversion {
    let items = conversion.items.iter();
    proto::Conversion {
        tenant: conversion.tenant.0,
        user: conversion.user.map(user_to_proto),
        click: conversion.click.as_ref().map(token::to_proto),
        order_id: conversion.order_id.clone(),
        value_micros: conversion.value_micros,
        items: items.map(|p| proto::Purchased { item: p.item, category: p.category, quantity: p.quantity }).collect(),
    }
}

pub(super) fn conversion_from_proto(conversion: proto::Conversion) -> Result<Conversion, WireError> {
    at_most(&conversion.items, MAX_CONVERSION_ITEMS, "items")?;
    let items = conversion.items.iter();
    Ok(Conversion {
        tenant: TenantId(conversion.tenant),
        user: optional_user(conversion.user.as_ref(), "user")?,
        click: conversion.click.map(token::from_proto).transpose().within("click")?,
        order_id: short(conversion.order_id, MAX_ORDER_ID_BYTES, "order_id")?,
        value_micros: conversion.value_micros,
        items: items.map(|p| Purchased { item: p.item, category: p.category, quantity: p.quantity }).collect(),
    })
}

pub(super) fn view_to_proto(view: &ItemView) -> proto::ItemView {
    let user = Some(user_to_proto(view.user));
    proto::ItemView { tenant: view.tenant.0, user, item: view.item, category: view.category }
}

pub(super) fn view_from_proto(view: proto::ItemView) -> Result<ItemView, WireError> {
    let who = required(view.user, "user")?;
    let user = user(&who).within("user")?;
    Ok(ItemView { tenant: TenantId(view.tenant), user, item: view.item, category: view.category })
}
