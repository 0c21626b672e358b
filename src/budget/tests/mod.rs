//! A simulation: three replicas that crash in the midst of a request, stores that fail, clocks that jump,
//! events that come late, corrections, receivers that fail, answer late or twice. Each threshold arrives
//! once a period, after repeats are dropped by their ids, and none is missing.
//!
//! `TOKENLAKE_TEST_DAYS` is how many days are simulated, and `TOKENLAKE_TEST_SEED` from which seed.

mod book;
mod bucket;
mod changes;
mod delivery;
mod world;

use futures::FutureExt as _;

use self::world::World;

const DAYS: i64 = 30;
const SEEDS: u64 = 2;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn each_threshold_arrives_once_a_period() {
    let days = variable("TOKENLAKE_TEST_DAYS").and_then(|days| days.try_into().ok());
    let days = days.unwrap_or(DAYS);
    let first = variable("TOKENLAKE_TEST_SEED");
    let seeds = first.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let mut world = World::new(seed);
        world.run(days);
        world.heal();
        let told = world.check();
        #[allow(clippy::print_stderr, reason = "it says what was tried")]
        {
            eprintln!("seed {seed}, {days} days: {told}");
        }
    }
}

#[test]
fn a_receiver_that_is_gone_gets_nothing_more_until_the_budget_is_set_again() {
    let mut world = World::new(7);
    world.receiver.lock().is_gone = true;
    world.spend(0, 90);
    world.settle();
    assert!(world.receiver.lock().taken.is_empty());
    world.receiver.lock().is_gone = false;
    world.spend(0, 20);
    world.settle();
    assert!(world.receiver.lock().taken.is_empty(), "the budget is off");
    world.set_again();
    world.next_day();
    world.spend(0, 4_000);
    world.settle();
    let receiver = world.receiver.lock();
    assert!(receiver.taken.values().any(|body| body.contains("\"budget\":\"daily\"")));
}

#[test]
fn a_removed_budget_sends_nothing_and_a_new_one_of_its_name_fires_anew() {
    let mut world = World::new(8);
    world.spend(0, 4_000);
    world.settle();
    let first = world.receiver.lock().taken.len();
    assert!(first > 0);
    world.remove_all();
    world.settle();
    world.set_again();
    world.settle();
    assert_eq!(world.receiver.lock().taken.len(), 2 * first);
}

#[test]
fn what_comes_late_fires_late_and_says_which_period() {
    let mut world = World::new(9);
    let day = world.today();
    world.next_day();
    world.next_day();
    world.settle();
    assert!(world.receiver.lock().taken.is_empty());
    world.spend(-2, 90);
    world.settle();
    let receiver = world.receiver.lock();
    assert!(
        receiver.taken.values().any(|body| body.contains(&format!("\"start\":\"{day}"))),
        "{day}"
    );
    drop(receiver);
    // A period before the budget was set fires nothing.
    let before = world.receiver.lock().taken.len();
    world.spend(-400, 1_000_000);
    world.settle();
    assert_eq!(world.receiver.lock().taken.len(), before);
}

#[test]
fn a_threshold_that_is_added_fires_in_the_current_period_alone() {
    let mut world = World::new(12);
    world.spend(0, 45);
    world.settle();
    let first = world.receiver.lock().taken.len();
    world.next_day();
    world.spend(0, 45);
    world.settle();
    assert_eq!(world.receiver.lock().taken.len(), first, "45 of 100 are below each threshold");
    world.set_thresholds("daily", &[40, 50, 80, 100]);
    world.settle();
    world.restart_all();
    world.settle();
    assert_eq!(world.receiver.lock().taken.len(), first + 1);
}

#[test]
fn a_threshold_that_a_new_declaration_crosses_fires_although_nothing_comes() {
    let mut world = World::new(14);
    world.spend(0, 45);
    world.settle();
    assert!(world.receiver.lock().taken.is_empty());
    world.redeclare();
    world.settle();
    assert_eq!(world.receiver.lock().taken.len(), 2, "90 of the daily 100: at 50 and 80 %");
}

#[test]
fn a_correction_takes_nothing_back_and_fires_nothing_again() {
    let mut world = World::new(10);
    world.spend(0, 4_000);
    world.settle();
    let first = world.receiver.lock().taken.len();
    world.spend(0, -4_000);
    world.settle();
    world.spend(0, 4_000);
    world.settle();
    let receiver = world.receiver.lock();
    assert_eq!((receiver.taken.len(), receiver.repeats), (first, 0));
}

#[test]
fn who_stops_between_any_two_steps_leaves_nothing_undone() {
    for steps in 1..40 {
        let mut world = World::new(11);
        world.settle();
        world.spend(0, 90);
        world.crash_after(0, steps);
        let _ = world.look(0).now_or_never();
        world.settle();
        world.check();
    }
}

#[test]
fn what_was_open_of_a_removed_budget_is_not_sent_to_the_next_of_its_name() {
    let mut world = World::new(13);
    world.receiver.lock().is_down = true;
    world.spend(0, 4_000);
    let _ = world.look(0).now_or_never();
    world.remove_all();
    world.set_again();
    world.receiver.lock().is_down = false;
    world.settle();
    world.check();
}

#[test]
fn an_alert_whose_note_is_lost_is_delivered_after_a_start() {
    let mut world = World::new(14);
    world.receiver.lock().is_down = true;
    world.spend(0, 90);
    let _ = world.look(0).now_or_never();
    assert!(world.spoil(".json", None) > 0);
    world.restart_all();
    world.receiver.lock().is_down = false;
    world.settle();
    world.check();
}

#[test]
fn an_alert_whose_note_is_lost_meanwhile_is_delivered() {
    let mut world = World::new(15);
    world.receiver.lock().is_down = true;
    world.spend(0, 90);
    let _ = world.look(0).now_or_never();
    world.next_day();
    assert!(world.spoil(".json", None) > 0);
    world.receiver.lock().is_down = false;
    world.settle();
    world.check();
}

#[test]
fn an_alert_whose_tries_are_damaged_is_delivered() {
    let mut world = World::new(16);
    world.receiver.lock().is_down = true;
    world.spend(0, 90);
    let _ = world.look(0).now_or_never();
    assert!(world.spoil(".tries.json", Some("{}")) > 0);
    world.restart_all();
    world.receiver.lock().is_down = false;
    world.settle();
    world.check();
}
