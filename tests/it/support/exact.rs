//! Exact decimals with integers: units of 10^-12.

const PLACES: usize = 12;
const ONE: i128 = 1_000_000_000_000;

/// Reads a decimal text.
pub fn parse(text: &str) -> i128 {
    if let Some(text) = text.strip_prefix('-') {
        return -parse(text);
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= PLACES, "{text}");
    let whole: i128 = whole.parse().unwrap();
    let fraction: i128 = format!("{fraction:0<PLACES$}").parse().unwrap();
    whole * ONE + fraction
}

/// Writes it in full, without needless zeros.
pub fn format(value: i128) -> String {
    let (sign, size) = (if value < 0 { "-" } else { "" }, value.abs());
    let text = format!("{sign}{}.{:012}", size / ONE, size % ONE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[test]
fn decimals_are_read_and_written_in_full() {
    for text in ["0", "7", "0.1", "10.000000000001", "999999.999999999999", "1200", "-0.5"] {
        assert_eq!(format(parse(text)), text);
    }
    assert_eq!(parse("0.1") + parse("0.2"), parse("0.300"));
}
