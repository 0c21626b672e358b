//! Checkpoints of totals, and the partials that data files carry: what is read instead of rows, and
//! that nothing shown depends on it.

mod caches;
mod carried;
mod cleaning;
mod cold;
mod damage;
mod log;
mod many;
mod races;
