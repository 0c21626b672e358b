//! Small fuzzing that any stable toolchain runs: inputs of a corpus, and mutations of them, go
//! through a decoder. The black-box tests take this file too.
//!
//! `tests/corpus/<target>/` holds the inputs. Each is tried as it is, and with a few mutations.
//! With `TOKENLAKE_FUZZ_SECONDS` a target runs for this many seconds, from a new seed each time. A
//! failing input is kept in a file, and should be added to the corpus.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How long each target goes on.
const SECONDS: &str = "TOKENLAKE_FUZZ_SECONDS";
/// Bytes of the largest mutation.
const BYTES_MAX: usize = 64 * 1024;
/// What a target may take beyond what it had at its start.
const MEMORY_KIB_MAX: u64 = 768 << 10;

/// Pieces that decoders of text stumble over.
const WORDS: [&[u8]; 28] = [
    b"null",
    b"true",
    b"{}",
    b"[]",
    b"\"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"\n",
    b"\r\n",
    b"\\u0000",
    b"\\ud800",
    b"1e400",
    b"-0",
    b"0.5e-400",
    b"12.0",
    b"\"12\"",
    b"99999999999999999999999999",
    b"-1",
    b"event_id",
    b"attributes",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\0",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A place in `0..bound`; 0 if there is none.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

/// Puts all inputs of a corpus, each with so many mutations, through `check`.
pub fn each(target: &str, mutations: usize, check: impl FnMut(&[u8])) {
    each_of(target, Vec::new(), mutations, check);
}

/// As [`each`], with more inputs than those in the repository.
pub fn each_of(
    target: &str,
    mut inputs: Vec<Vec<u8>>,
    mutations: usize,
    mut check: impl FnMut(&[u8]),
) {
    inputs.extend(corpus(target));
    assert!(!inputs.is_empty(), "there is no corpus of {target}");
    let memory_kib = resident_kib();
    for input in &inputs {
        tried(target, input, &mut check);
    }
    let seconds = std::env::var(SECONDS).ok().map(|value| value.parse::<u64>().expect(SECONDS));
    let (mut random, mut count) = (Random(if seconds.is_some() { seed() } else { 1 }), 0);
    let (start, long) = (Instant::now(), seconds.map(Duration::from_secs));
    let rounds = mutations * inputs.len();
    while long.map_or(count < rounds, |long| start.elapsed() < long) {
        tried(target, &mutated(&inputs, &mut random), &mut check);
        count += 1;
    }
    if long.is_some() {
        eprintln!("{target}: {count} mutations of {} inputs", inputs.len());
    }
    // Where other tests run in this process, it is not known whose the memory is.
    if std::env::var("NEXTEST").is_ok() {
        let grown = resident_kib().saturating_sub(memory_kib);
        assert!(grown < MEMORY_KIB_MAX, "{target} took {grown} KiB");
    }
}

fn seed() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let Ok(files) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn tried(target: &str, input: &[u8], check: &mut impl FnMut(&[u8])) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(input))) else { return };
    let kept = std::env::temp_dir().join(format!("tokenlake-fuzz-{target}-{}", seed()));
    std::fs::write(&kept, input).unwrap();
    eprintln!("{target} fails with {}: add it to tests/corpus/{target}", kept.display());
    resume_unwind(panic);
}

/// One of the inputs, changed in a few places.
fn mutated(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = inputs[random.below(inputs.len())].clone();
    for _ in 0..=random.below(4) {
        let (at, other) = (random.below(bytes.len()), &inputs[random.below(inputs.len())]);
        let until = at + random.below((bytes.len() - at).min(64) + 1);
        match random.below(9) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            2 => drop(bytes.drain(at..until)),
            3 => bytes.truncate(at),
            4 => {
                let piece = bytes[at..until].to_vec();
                bytes.splice(at..at, piece.repeat(1 + random.below(40)));
            }
            5 => {
                let from = random.below(other.len());
                bytes.splice(at..until, other[from..].iter().copied().take(256));
            }
            6 => drop(bytes.splice(at..at, [b"[", b"{", b"\""][random.below(3)].repeat(300))),
            7 => drop(bytes.splice(at..until, [0xff; 8])),
            _ => drop(bytes.splice(at..until, WORDS[random.below(WORDS.len())].iter().copied())),
        }
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

/// The most memory that this process has had; 0 where the system does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse().unwrap())
}
