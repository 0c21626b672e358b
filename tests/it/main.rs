//! Black-box and store-level tests, in one binary so that Arrow and Parquet link once.

mod stores;
