//! Mutated messages between a server and a worker.

use super::Question;
use super::frame::{self, FrameKind};
use crate::mutation_tests::{each, each_of};

#[test]
fn frames_are_read_or_refused() {
    let mut whole = Vec::new();
    frame::write(&mut whole, FrameKind::Question, b"{}").unwrap();
    frame::write(&mut whole, FrameKind::Rows, &[b'x'; 500]).unwrap();
    frame::write(&mut whole, FrameKind::End, &[]).unwrap();
    let huge = b"q\xff\xff\xff\xffx".to_vec();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    each_of("frames", vec![whole, huge], 1_000, |bytes| {
        let mut rest = bytes;
        while let Ok((_, body)) = frame::read(&mut rest) {
            assert!(body.len() <= bytes.len());
        }
        let mut rest = bytes;
        while let Ok((_, body)) = runtime.block_on(frame::receive(&mut rest)) {
            assert!(body.len() <= bytes.len());
        }
    });
}

#[test]
fn questions_are_read_or_refused() {
    each("question", 1_000, |bytes| {
        if let Ok(question) = serde_json::from_slice::<Question>(bytes) {
            let _ = question.files();
        }
    });
}
