//! tokenlake

pub mod archive;
pub mod clock;
pub mod cli;
pub mod error;
pub mod event;
pub mod exposition;
pub mod rollup;
pub mod sql;
pub mod telemetry;
