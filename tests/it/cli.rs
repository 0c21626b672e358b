//! The command line as a user meets it.

mod damage;
mod demo;
mod flags;
mod generate;
mod healthcheck;
mod keys;
mod outputs;
mod signals;
mod stop;
mod upkeep;
