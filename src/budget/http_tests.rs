//! What is sent over HTTP, and what is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::budget::crossing::tests::crossing;
use crate::budget::definition::{AskedBudget, DecimalText, Definition};
use crate::budget::stored::{Budget, BudgetRecord};
use crate::clock::ManualClock;

const NOW: Micros = 1_794_700_800 * SECOND;

/// A receiver that answers each request with `answer`; the requests that came, and how many connections.
async fn receiver(
    answer: &'static str,
) -> (u16, mpsc::UnboundedReceiver<String>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::unbounded_channel();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let sender = sender.clone();
            tokio::spawn(async move {
                let (mut text, mut part) = (String::new(), [0; 4096]);
                while let Ok(read @ 1..) = stream.read(&mut part).await {
                    text.push_str(&String::from_utf8_lossy(&part[..read]));
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.lines().find_map(|line| {
                        line.to_ascii_lowercase()
                            .strip_prefix("content-length: ")?
                            .parse::<usize>()
                            .ok()
                    });
                    if body.len() >= length.unwrap_or(0) {
                        break;
                    }
                }
                let _ = sender.send(text);
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (port, requests, connections)
}

fn budget(url: &str) -> BudgetRecord {
    let definition = Definition::read(&AskedBudget {
        amount: DecimalText("100".to_owned()),
        period: "month".to_owned(),
        thresholds: vec![80],
        webhook: url.to_owned(),
        ..AskedBudget::default()
    });
    let none = BudgetRecord::none("acme", &"all".parse().unwrap());
    none.set(&definition.unwrap(), NOW - 1).unwrap()
}

async fn sent(allowed: &[&str], budget: &Budget) -> TryOutcome {
    let allowed = allowed.iter().map(|entry| entry.parse().unwrap()).collect();
    let clock = Arc::new(ManualClock::at(NOW));
    let webhooks = HttpWebhooks::new(AllowedTargets::new(allowed), clock);
    webhooks.send(budget, &Message::of_crossing(&crossing(), &budget.definition)).await
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_message_is_signed_by_each_secret() {
    let (port, mut requests, _) = receiver(TAKEN).await;
    let place = format!("127.0.0.1:{port}");
    let record = budget(&format!("http://{place}/x?y=1")).rotated(NOW - 1).unwrap();
    let budget = record.budget.unwrap();
    assert_eq!(sent(&[&place], &budget).await, TryOutcome::Taken);
    let request = requests.recv().await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /x?y=1 HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_default().to_owned()
    };
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!((id.clone(), timestamp.as_str()), (crossing().webhook_id(), "1794700800"));
    let signatures =
        budget.secrets(NOW).map(|secret| secret.sign(&id, 1_794_700_800, body.as_bytes()));
    assert_eq!(header("webhook-signature"), signatures.collect::<Vec<_>>().join(" "));
    assert_eq!(header("webhook-signature").split(' ').count(), 2);
    assert_eq!(header("content-type"), "application/json");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (port, _requests, connections) = receiver(TAKEN).await;
    let answer = format!(
        "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{port}/\r\nConnection: close\r\n\r\n"
    );
    let (first, ..) = receiver(Box::leak(answer.into_boxed_str())).await;
    let places = [format!("127.0.0.1:{first}"), format!("127.0.0.1:{port}")];
    let budget = budget(&format!("http://{}/", places[0])).budget.unwrap();
    let outcome = sent(&[&places[0], &places[1]], &budget).await;
    assert!(
        matches!(outcome, TryOutcome::Failed { ref reason, .. } if reason.contains("307")),
        "{outcome:?}"
    );
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_not_named_is_not_connected_to() {
    let (port, _requests, connections) = receiver(TAKEN).await;
    let named = format!("hooks.example.com:{port}");
    for host in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"]
    {
        let budget = budget(&format!("http://{host}:{port}/")).budget.unwrap();
        let outcome = sent(&[&named, "127.0.0.1", "localhost"], &budget).await;
        assert!(
            matches!(outcome, TryOutcome::Failed { ref reason, .. } if reason.contains("not allowed")),
            "{host}: {outcome:?}"
        );
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    // A name of this machine that the operator allows is reached.
    let budget = budget(&format!("http://localhost:{port}/")).budget.unwrap();
    let outcome = sent(&[&format!("localhost:{port}")], &budget).await;
    assert_eq!((outcome, connections.load(Ordering::SeqCst)), (TryOutcome::Taken, 1));
}

#[tokio::test]
async fn gone_and_wait_are_heard() {
    for (answer, expected) in [
        ("HTTP/1.1 410 Gone\r\nConnection: close\r\n\r\n", TryOutcome::Gone),
        (
            "HTTP/1.1 429 Many\r\nRetry-After: 120\r\nConnection: close\r\n\r\n",
            TryOutcome::Failed {
                reason: "HTTP status 429".to_owned(),
                retry_after: Some(Duration::from_secs(120)),
            },
        ),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: Sun, 15 Nov 2026 00:01:00 GMT\r\nConnection: close\r\n\r\n",
            TryOutcome::Failed {
                reason: "HTTP status 503".to_owned(),
                retry_after: Some(Duration::from_secs(60)),
            },
        ),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: Sunday, 15-Nov-26 00:01:00 GMT\r\nConnection: close\r\n\r\n",
            TryOutcome::Failed {
                reason: "HTTP status 503".to_owned(),
                retry_after: Some(Duration::from_secs(60)),
            },
        ),
        (
            "HTTP/1.1 503 Busy\r\nRetry-After: Sun Nov 15 00:01:00 2026\r\nConnection: close\r\n\r\n",
            TryOutcome::Failed {
                reason: "HTTP status 503".to_owned(),
                retry_after: Some(Duration::from_secs(60)),
            },
        ),
    ] {
        let (port, ..) = receiver(answer).await;
        let place = format!("127.0.0.1:{port}");
        let budget = budget(&format!("http://{place}/")).budget.unwrap();
        assert_eq!(sent(&[&place], &budget).await, expected);
    }
}

#[tokio::test]
async fn errors_do_not_show_the_url() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let place = format!("127.0.0.1:{port}");
    let budget = budget(&format!("http://{place}/services/secret")).budget.unwrap();
    let TryOutcome::Failed { reason, .. } = sent(&[&place], &budget).await else { panic!() };
    assert!(reason.starts_with("no connection") && !reason.contains("secret"), "{reason}");
}
