//! `--prices`, which several commands take.

use clap::{Args as ClapArgs, ValueEnum};

use crate::price_book::PriceTables;

/// Which tables prices come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PriceChoice {
    /// Imported tables, and the built-in one under them.
    Builtin,
    /// No table: calls without a cost stay without.
    None,
    /// Imported tables alone.
    Archive,
}

/// The flag of commands that price calls.
#[derive(Debug, ClapArgs)]
pub struct PriceArgs {
    /// Which tables price the calls that come without a cost: those that were imported, with the
    /// built-in list prices under them; none; or imported ones alone.
    #[arg(long, env = "TOKENLAKE_PRICES", value_name = "TABLES", default_value = "builtin")]
    pub prices: PriceChoice,
}

impl From<PriceChoice> for PriceTables {
    fn from(choice: PriceChoice) -> Self {
        match choice {
            PriceChoice::Builtin => Self::Builtin,
            PriceChoice::None => Self::None,
            PriceChoice::Archive => Self::Archive,
        }
    }
}

impl From<&PriceArgs> for PriceTables {
    fn from(args: &PriceArgs) -> Self {
        args.prices.into()
    }
}
