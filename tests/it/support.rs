//! What tests share.

pub mod app;
pub mod foreign;
pub mod table;
