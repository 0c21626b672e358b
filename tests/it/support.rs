//! What tests share.

pub mod app;
pub mod foreign;
