//! Tests with programs that people meter: coding agents, instrumentations, gateways and a collector, as
//! their makers publish them, with the settings that `docs/producers.md` shows and no others. They ask
//! providers that answer from this machine, and each of their requests reaches the server twice.

mod agents;
mod collector;
mod javascript;
mod litellm;
mod outage;
mod page;
mod place;
mod python;
