//! The command line as a user meets it.

mod damage;
mod demo;
mod flags;
mod keys;
mod stop;
