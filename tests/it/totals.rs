//! Tests of totals snapshots, and of the partials that data files carry: they are read instead of
//! rows, and no result depends on them.

mod caches;
mod carried;
mod cleaning;
mod cold;
mod damage;
mod log;
mod many;
mod races;
mod swapped;
