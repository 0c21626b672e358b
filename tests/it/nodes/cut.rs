//! Connections to a node that end or stall after any number of bytes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::questions::OF_ROWS;
use super::{Cluster, ask, ask_alone, error, filled, rows};

/// How long a slow node lets its peer wait for each piece.
const PAUSE: Duration = Duration::from_millis(40);

/// What a line does to the answers of a node.
#[derive(Clone, Copy)]
enum Fault {
    /// It ends after so many bytes.
    Ends(u64),
    /// It passes all on, slowly.
    IsSlow,
}

/// A line to a node, and the bytes of answers that went over it.
struct Line {
    url: String,
    passed: Arc<AtomicU64>,
}

fn line(node: &str, fault: Fault) -> Line {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let passed = Arc::new(AtomicU64::new(0));
    let (counted, node) = (passed.clone(), node.to_owned());
    std::thread::spawn(move || {
        for coordinator in listener.incoming().map_while(Result::ok) {
            let Ok(node) = TcpStream::connect(&node) else { continue };
            let (from, to) = (coordinator.try_clone().unwrap(), node.try_clone().unwrap());
            std::thread::spawn(move || pass(from, to, None, &AtomicU64::new(0)));
            let counted = counted.clone();
            std::thread::spawn(move || pass(node, coordinator, Some(fault), &counted));
        }
    });
    Line { url, passed }
}

/// Passes bytes on until one side ends or the fault comes.
fn pass(mut from: TcpStream, mut to: TcpStream, fault: Option<Fault>, passed: &AtomicU64) {
    let mut buffer = [0; 1_024];
    while let Ok(count) = from.read(&mut buffer) {
        let before = passed.fetch_add(count as u64, Ordering::SeqCst);
        let left = match fault {
            Some(Fault::Ends(after)) => usize::try_from(after.saturating_sub(before)).unwrap(),
            Some(Fault::IsSlow) => {
                std::thread::sleep(PAUSE);
                count
            }
            None => count,
        };
        let kept = count.min(left);
        if count == 0 || to.write_all(&buffer[..kept]).is_err() || kept < count {
            break;
        }
    }
    for stream in [from, to] {
        // The other thread may have closed it.
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}

#[test]
fn an_answer_that_is_cut_anywhere_is_an_error_or_the_right_answer() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 2);
    let other = cluster.nodes[1].url("");
    for question in [OF_ROWS[1], OF_ROWS[2], OF_ROWS[8]] {
        let alone = ask_alone(folder.path(), question);
        let whole = line(cluster.nodes[0].address(), Fault::Ends(u64::MAX));
        let nodes = format!("{},{other}", whole.url);
        let done = ask(folder.path(), question, &nodes, &cluster.secret, &[]);
        assert_eq!((done.status, rows(&done)), (0, rows(&alone)), "{done:?}");
        let all = whole.passed.load(Ordering::SeqCst);
        assert!(all > 300, "{all} bytes");
        let mut failed = 0;
        for part in 0..12 {
            let cut = line(cluster.nodes[0].address(), Fault::Ends(all * part / 12));
            let nodes = format!("{},{other}", cut.url);
            let done = ask(folder.path(), question, &nodes, &cluster.secret, &[]);
            if done.status == 0 {
                assert_eq!(rows(&done), rows(&alone), "{question}, cut in part {part}");
                continue;
            }
            failed += 1;
            assert!(error(&done).contains(&cut.url), "it does not name the node: {done:?}");
        }
        assert!(failed > 6, "{failed} of 12 cuts were noticed");
    }
}

#[test]
fn a_slow_node_is_waited_for() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 2);
    let slow = line(cluster.nodes[0].address(), Fault::IsSlow);
    let nodes = format!("{},{}", slow.url, cluster.nodes[1].url(""));
    for question in [OF_ROWS[0], OF_ROWS[2], OF_ROWS[9]] {
        let done = ask(folder.path(), question, &nodes, &cluster.secret, &[]);
        assert_eq!(done.status, 0, "{done:?}");
        assert_eq!(rows(&done), rows(&ask_alone(folder.path(), question)), "{question}");
    }
}
