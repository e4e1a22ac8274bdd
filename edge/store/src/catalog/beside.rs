//! What stands beside an object in its payload: known to the admin API only, and no fact that a decision reads.
//!
//! The bytes follow the object's message as one message more; each reader skips the other's fields, as Protobuf has it. A
//! catalog file says nothing of them, so loading one keeps them.

use prost::Message;

use super::payload::BadPayload;

#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Beside {
    /// The caller's own name for the object, unique within its tenant and kind.
    #[prost(string, optional, tag = "100")]
    pub(super) external_id: Option<String>,
    /// Why a creative was rejected.
    #[prost(string, optional, tag = "101")]
    pub(super) review_reason: Option<String>,
}

impl Beside {
    pub(super) fn of(payload: &[u8]) -> Result<Self, BadPayload> {
        Ok(Self::decode(payload)?)
    }

    pub(super) fn after(&self, mut payload: Vec<u8>) -> Vec<u8> {
        payload.extend(self.encode_to_vec());
        payload
    }
}
