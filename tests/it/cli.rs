//! Tests of the command line as a user sees it.

mod damage;
mod demo;
mod flags;
mod generate;
mod healthcheck;
mod keys;
mod outputs;
mod readers;
mod signals;
mod stop;
mod upkeep;
