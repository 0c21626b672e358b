//! Fuzz tests of decoders: no input makes one panic or take memory without bound, and good parts of
//! an input are kept.

mod bodies;
mod files;
mod foreign;
mod stored;
