//! What the connections of a door share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::cancel::Cancels;
use super::places::PgPlaces;
use crate::app::App;
use crate::tls::Tls;

/// Settings of this door.
#[derive(Debug, Clone)]
pub struct PgSettings {
    /// The certificate, which clients then have to use, but for those on this machine.
    pub tls: Option<Tls>,
    /// Whether clients may be elsewhere although there is no certificate.
    pub insecure: bool,
    /// How many connections there may be.
    pub connections_max: usize,
}

/// What connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub app: Arc<App>,
    pub settings: PgSettings,
    pub places: PgPlaces,
    pub cancels: Arc<Cancels>,
    pub stop: CancellationToken,
}
