//! The page for people: its files, what it asks for, and how it behaves in a real browser.

mod browser;
mod files;
mod me;
