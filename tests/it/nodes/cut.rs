//! Connections to a node that end or stall after any number of bytes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::questions::OF_ROWS;
use super::{Cluster, ask, ask_alone, error, filled, filled_bucket, rows};

/// How long a slow node lets its peer wait for each piece.
const PAUSE: Duration = Duration::from_millis(40);

/// A node has answered the coordinator's first question once it has sent more than its settings.
const HELLO_BYTES: u64 = 100;

/// What a line does to the answers of a node.
#[derive(Clone, Copy)]
enum Fault {
    /// It ends after so many bytes.
    Ends(u64),
    /// It passes all on, slowly.
    IsSlow,
    /// Its first connection passes on no more requests for a while, once it has passed on an answer.
    IsLate(Duration),
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
        let mut late = match fault {
            Fault::IsLate(by) => Some(by),
            _ => None,
        };
        for coordinator in listener.incoming().map_while(Result::ok) {
            let Ok(node) = TcpStream::connect(&node) else { continue };
            let (from, to) = (coordinator.try_clone().unwrap(), node.try_clone().unwrap());
            let (late, answered) = (late.take(), counted.clone());
            std::thread::spawn(move || pass_requests(from, to, late, &answered));
            let counted = counted.clone();
            std::thread::spawn(move || pass(node, coordinator, fault, &counted));
        }
    });
    Line { url, passed }
}

/// Passes requests on, late if told so.
fn pass_requests(
    mut from: TcpStream,
    mut to: TcpStream,
    mut late: Option<Duration>,
    answered: &AtomicU64,
) {
    let mut buffer = [0; 1_024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if answered.load(Ordering::SeqCst) > HELLO_BYTES
            && let Some(late) = late.take()
        {
            std::thread::sleep(late);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    close([from, to]);
}

/// Passes answers on until one side ends or the fault comes.
fn pass(mut from: TcpStream, mut to: TcpStream, fault: Fault, passed: &AtomicU64) {
    let mut buffer = [0; 1_024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let before = passed.fetch_add(count as u64, Ordering::SeqCst);
        let left = match fault {
            Fault::Ends(after) => usize::try_from(after.saturating_sub(before)).unwrap(),
            Fault::IsSlow => {
                std::thread::sleep(PAUSE);
                count
            }
            Fault::IsLate(_) => count,
        };
        let kept = count.min(left);
        if to.write_all(&buffer[..kept]).is_err() || kept < count {
            break;
        }
    }
    close([from, to]);
}

fn close(streams: [TcpStream; 2]) {
    for stream in streams {
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
fn a_slow_node_is_waited_for_on_s3() {
    let (archive, _folder) = filled_bucket();
    let cluster = Cluster::start(&archive, 3);
    let slow = line(cluster.nodes[0].address(), Fault::IsSlow);
    let nodes = format!("{},{},{}", slow.url, cluster.nodes[1].url(""), cluster.nodes[2].url(""));
    for question in OF_ROWS {
        let done = ask(&archive, question, &nodes, &cluster.secret, &[]);
        assert_eq!(done.status, 0, "{done:?}");
        assert_eq!(rows(&done), rows(&ask_alone(&archive, question)), "{question}");
    }
}

#[test]
fn a_plan_that_comes_too_late_is_an_error_that_says_so() {
    let folder = filled();
    let cluster = Cluster::start(folder.path(), 2);
    // Its other node asks it for rows before it has the plan.
    let late = line(cluster.nodes[0].address(), Fault::IsLate(Duration::from_secs(16)));
    let nodes = format!("{},{}", late.url, cluster.nodes[1].url(""));
    let done = ask(folder.path(), OF_ROWS[2], &nodes, &cluster.secret, &[]);
    assert_eq!((done.status, done.stdout.as_str()), (1, ""), "{done:?}");
    assert!(error(&done).contains("waited 10 seconds for its share"), "{done:?}");
}
