//! What is asked of any object store, wherever it is: its address, its client, durable files of a
//! directory, and the small records beside the table.

pub(super) mod cloud;
pub(super) mod cloud_client;
pub(super) mod disk;
pub(super) mod durable;
pub(super) mod location;
pub(super) mod location_error;
pub(super) mod org_claim;
pub(super) mod probe;
pub(super) mod records;
pub(super) mod sealed;
pub(super) mod store_check;
pub(super) mod upload;
