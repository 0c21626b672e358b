//! The questions of queries/library.
