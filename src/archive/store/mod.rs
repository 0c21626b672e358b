//! Access to object storage: the archive's address, the clients of stores, durable files on a local
//! disk, and the small sealed records next to the table.

pub(super) mod cloud;
pub(super) mod cloud_client;
pub(super) mod disk;
pub(super) mod durable;
pub(super) mod location;
pub(super) mod location_error;
pub(super) mod one_turn;
pub(super) mod org_claim;
pub(super) mod probe;
pub(super) mod records;
pub(super) mod sealed;
pub(super) mod store_check;
pub(super) mod upload;
