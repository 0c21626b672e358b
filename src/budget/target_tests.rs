//! Targets that are allowed, and attempts to reach others.

use super::*;

/// What somebody may try who is allowed a few targets.
const ATTEMPTS: [&str; 61] = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254:9000/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://100.100.100.200/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://127.0.0.1/",
    "http://127.0.0.1:9001/",
    "http://127.0.0.1:90000/",
    "https://127.0.0.1/",
    "http://127.1:22/",
    "http://0.0.0.0:9000/",
    "http://0:9000/",
    "http://localhost:9000/",
    "http://LOCALHOST:9000/",
    "http://[::1]/",
    "http://[::1]:9000/",
    "http://[::]:9001/",
    "http://[::ffff:127.0.0.1]:9000/",
    "http://[::ffff:7f00:1]:9000/",
    "http://[::127.0.0.1]:9000/",
    "http://[64:ff9b::127.0.0.1]:9000/",
    "http://[2002:7f00:1::]:9000/",
    "http://[fe80::1%25eth0]:9000/",
    "http://127.0.0.1.nip.io:9000/",
    "http://hooks.example.com.evil.test/",
    "http://evil.test/hooks.example.com",
    "http://evil.test/?hooks.example.com",
    "http://evil.test#hooks.example.com",
    "https://hooks.example.com/#x",
    "http://evil.test\\@hooks.example.com/",
    "http://hooks.example.com@evil.test/",
    "http://user@hooks.example.com/",
    "http://user:password@hooks.example.com/",
    "http://:password@hooks.example.com/",
    "http://@hooks.example.com/",
    "http://127.0.0.1:9000@evil.test/",
    "https://hooks.example.com:8443/",
    "https://hooks.example.com:80/",
    "http://hooks.example.com:443/",
    "http://hooks.example.com:0/",
    "http://hooks.example.com./",
    "http://alerts/",
    "http://alerts:9093.evil.test/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:9000/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:/var/run/docker.sock",
    "//hooks.example.com/",
    "hooks.example.com",
    "",
    " https://hooks.example.com/",
    "https://hooks.example.com/\r\nHost: evil.test",
    "https://hooks.exa\tmple.com/",
    "https:///hooks.example.com.evil.test/",
    "http://ⓔvil.test/",
    "https://hooks。example。org/",
];

fn allowed(entries: &[&str]) -> AllowedTargets {
    AllowedTargets::new(entries.iter().map(|entry| entry.parse().unwrap()).collect())
}

fn is_sent(allowed: &AllowedTargets, url: &str) -> bool {
    Target::parse(url).is_ok_and(|target| allowed.check(&target).is_ok())
}

#[test]
fn a_target_is_named_with_its_port() {
    let named = allowed(&["hooks.slack.com", "10.0.0.7:9093", "[::1]:8080", "Hooks.Example:8443"]);
    for url in [
        "https://hooks.slack.com/services/T/B/x",
        "https://HOOKS.slack.com:443/x?y=1",
        "http://hooks.slack.com/x",
        "http://10.0.0.7:9093/api/v2/alerts",
        "http://0xa.0.0.7:9093/",
        "http://[::1]:8080/",
        "http://[0:0:0:0:0:0:0:1]:8080/",
        "https://hooks.example:8443",
    ] {
        assert!(is_sent(&named, url), "{url}");
    }
}

#[test]
fn forty_attempts_to_reach_something_else_are_refused() {
    let named = allowed(&["hooks.example.com", "127.0.0.1:9000", "[::1]:9001", "alerts:9093"]);
    assert!(ATTEMPTS.len() >= 40);
    for url in ATTEMPTS {
        assert!(!is_sent(&named, url), "{url}");
    }
    assert!(!is_sent(&AllowedTargets::default(), "https://hooks.example.com/"));
}

#[test]
fn only_a_host_with_a_port_can_be_allowed() {
    for text in ["a", "a.b:1", "127.0.0.1", "[::1]", "[::1]:1", "::1", "bücher.example"] {
        assert!(text.parse::<AllowedTarget>().is_ok(), "{text}");
    }
    for text in [
        "", ":1", "a:", "a:0", "a:65536", "a:+1", "http://a", "a/b", "u@a", "a?b", "*", "*.a",
        "a b", "[::1",
    ] {
        assert!(text.parse::<AllowedTarget>().is_err(), "{text}");
    }
    let written = "Hooks.Example:8443".parse::<AllowedTarget>().unwrap();
    assert_eq!(written.to_string(), "hooks.example:8443");
}

#[test]
fn a_name_reaches_what_it_may() {
    let target = Target::parse("https://hooks.example.com/x").unwrap();
    let reached = |found: &[&str]| {
        let found: Vec<IpAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
        let reached = target.reachable(&found);
        reached.map(|all| all.iter().map(|at| at.ip().to_string()).collect::<Vec<_>>()).ok()
    };
    assert_eq!(reached(&["1.1.1.1", "127.0.0.1"]).unwrap(), ["1.1.1.1"]);
    assert_eq!(reached(&["10.0.0.5"]).unwrap(), ["10.0.0.5"]);
    assert_eq!(reached(&["10.0.0.5", "169.254.169.254"]).unwrap(), ["10.0.0.5"]);
    for none in [&["169.254.169.254"][..], &["::ffff:169.254.169.254"], &["0.0.0.0"], &[]] {
        assert_eq!(reached(none), None, "{none:?}");
    }
}

#[test]
fn errors_and_debug_hide_what_is_as_good_as_a_password() {
    let url = "https://user:secret@hooks.example.com/services/secret";
    let error = Target::parse(url).unwrap_err().to_string();
    assert!(error.contains("hooks.example.com") && !error.contains("secret"), "{error}");
    let target = Target::parse("https://hooks.example.com/services/secret").unwrap();
    assert!(!format!("{target:?}").contains("secret"));
}

#[test]
fn only_pagerduty_may_have_a_user() {
    let (target, user) =
        Target::parse_with_user("https://KEY@events.pagerduty.com/v2/enqueue").unwrap();
    assert_eq!(
        (target.url().as_str(), user.as_deref()),
        ("https://events.pagerduty.com/v2/enqueue", Some("KEY"))
    );
}

#[test]
fn a_url_is_as_long_as_it_is_stored() {
    let of = |more: usize| format!("http://hooks.example.com/{}", "é".repeat(more));
    assert!(Target::parse(&of(900)).is_err());
    let fits = Target::parse(&of(330)).unwrap();
    assert_eq!(Target::parse(fits.url().as_str()), Ok(fits));
}
