//! Decoders under fire: whatever comes in, none panics or takes memory without bound, and what is
//! good beside it is kept.

mod bodies;
mod files;
mod foreign;
mod stored;
