//! Decimal text of numbers in units of a power of ten: in full, without exponent, trailing zeros or
//! floats.

use std::fmt::{self, Display};

/// Writes `value` · 10^-`places`; `places` is at most 38. Every `i128` has a text.
pub fn format_scaled(value: i128, places: u8) -> impl Display {
    Scaled { value, places }
}

struct Scaled {
    value: i128,
    places: u8,
}

impl Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_u128.pow(self.places.into());
        let (whole, mut fraction) =
            (self.value.unsigned_abs() / scale, self.value.unsigned_abs() % scale);
        let sign = if self.value < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}")?;
        if fraction == 0 {
            return Ok(());
        }
        let mut width = usize::from(self.places);
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        write!(f, ".{fraction:0width$}")
    }
}
