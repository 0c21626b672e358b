//! `numeric` in binary: groups of four decimal digits. No float is involved.

/// Digits in a group.
const GROUP: usize = 4;
/// Bits of the sign of a number below 0.
const NEGATIVE: u16 = 0x4000;

/// Writes the decimal text of a number (`-12.5`) as `numeric`: how many groups there are, the power
/// of 10,000 of the first, the sign, the digits after the point, and the groups.
pub(super) fn write_numeric(out: &mut Vec<u8>, text: &str) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (NEGATIVE, digits),
        None => (0, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let mut padded = "0".repeat((GROUP - whole.len() % GROUP) % GROUP);
    padded.push_str(whole);
    let before = padded.len() / GROUP;
    padded.push_str(fraction);
    padded.push_str(&"0".repeat((GROUP - fraction.len() % GROUP) % GROUP));
    let groups = padded.as_bytes().chunks(GROUP);
    let groups: Vec<u16> = groups
        .map(|group| group.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
        .collect();
    let first = groups.iter().take_while(|group| **group == 0).count();
    let last = groups.iter().rposition(|group| *group != 0).map_or(first, |last| last + 1);
    let groups = groups.get(first..last).unwrap_or_default();
    let weight = short(before) - 1 - short(first);
    out.extend(short(groups.len()).to_be_bytes());
    out.extend(if groups.is_empty() { 0 } else { weight }.to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(short(fraction.len()).to_be_bytes());
    out.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
}

fn short(count: usize) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

/// The decimal text of a `numeric` in binary; `None` for what is none, and for NaN and infinity.
pub fn read_numeric(bytes: &[u8]) -> Option<String> {
    let mut shorts = bytes.chunks_exact(2).map(|pair| match pair {
        [high, low] => i16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    let (count, weight, sign, places) =
        (shorts.next()?, shorts.next()?, shorts.next()?, shorts.next()?);
    let groups: Vec<i16> = shorts.collect();
    let places = usize::try_from(places).ok()?;
    let fits = usize::try_from(count).ok()? == groups.len() && bytes.len().is_multiple_of(2);
    let is_decimal = groups.iter().all(|group| (0..10_000).contains(group));
    if !fits
        || !is_decimal
        || ![0, 0x4000].contains(&sign)
        || places > 1_000
        || weight.abs() > 1_000
    {
        return None;
    }
    let group = |power: i32| {
        let at = usize::try_from(i32::from(weight) - power).ok();
        at.and_then(|at| groups.get(at)).copied().unwrap_or(0)
    };
    let mut text = String::new();
    for power in (0..=i32::from(weight.max(0))).rev() {
        text.push_str(&format!("{:04}", group(power)));
    }
    let whole = text.trim_start_matches('0');
    let mut text = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    if places > 0 {
        let powers = (1..=i32::try_from(places.div_ceil(GROUP)).ok()?).map(|power| group(-power));
        let digits: String = powers.map(|group| format!("{group:04}")).collect();
        text.push('.');
        text.push_str(digits.get(..places)?);
    }
    if sign != 0 {
        text.insert(0, '-');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Vec<i16> {
        let mut out = Vec::new();
        write_numeric(&mut out, text);
        out.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn numbers_have_the_groups_that_postgresql_gives_them() {
        for (text, expected) in [
            ("0", &[0, 0, 0, 0][..]),
            ("1", &[1, 0, 0, 0, 1]),
            ("10000", &[1, 1, 0, 0, 1]),
            ("12345.678", &[3, 1, 0, 3, 1, 2345, 6780]),
            ("-0.000000000001", &[1, -3, 0x4000, 12, 1]),
            ("0.1", &[1, -1, 0, 1, 1000]),
            ("-100000000", &[1, 2, 0x4000, 0, 1]),
            ("43.210987654321", &[4, 0, 0, 12, 43, 2109, 8765, 4321]),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for text in
            ["0", "1", "-1", "0.5", "-12.000000000001", "99999999999999999999999999.999", "10000"]
        {
            let mut out = Vec::new();
            write_numeric(&mut out, text);
            assert_eq!(read_numeric(&out).as_deref(), Some(text));
            for length in 0..out.len() {
                assert_ne!(read_numeric(&out[..length]).as_deref(), Some(text));
            }
        }
        assert_eq!(read_numeric(&[0, 0, 0, 0, 0xC0, 0, 0, 0]), None, "NaN");
        assert_eq!(read_numeric(&[0, 1, 0x7F, 0xFF, 0, 0, 0, 0, 0, 1]), None, "out of all measure");
    }
}
