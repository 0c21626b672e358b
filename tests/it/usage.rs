//! `GET /v1/usage` and `tokenlake usage`: usage by time and group is what plain SQL over the rows says.

mod calendar;
mod command;
mod endpoint;
mod law;
mod rows;
