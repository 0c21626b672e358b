//! The life of an access key: it works everywhere at once, and no longer after it is revoked.

use std::time::Duration;

use tokenlake::access::{NewKey, Scopes};
use tokenlake::app::AppError;
use tokenlake::clock::{Micros, SECOND};
use tokenlake::error::Kind;
use tokenlake::event::OrgId;

use super::book::ORGS;
use super::history::Scene;
use super::host::{Process, Silence};
use crate::support::random::Random;

/// How long a revoked key may still be taken.
const REVOKED_WITHIN: Micros = 5 * SECOND;

/// Makes a key, tries it for a while, revokes it, and tries it again; `None` where no server
/// answered.
pub async fn one_key(scene: &Scene, actor: u64, random: &mut Random) -> Option<()> {
    let org = ORGS[usize::try_from(random.below(ORGS.len() as u64)).unwrap()];
    let new = NewKey {
        org_id: OrgId::parse(org).unwrap(),
        scopes: Scopes::or_usual(Vec::new()),
        name: None,
        expires_at_us: None,
        bound: None,
    };
    let process = scene.server(random).running()?;
    let began = scene.world.elapsed();
    let made = process.ask(async { Ok(process.app.keys().create(new).await?) }).await;
    let key = settled(made)?;
    scene.is_there(began, "making a key");
    if scene.bucket.was_alike_since(began) {
        return None;
    }
    for _ in 0..random.below(6) {
        scene.world.wait(actor, Duration::from_millis(random.below(2_000))).await;
        if let Some(process) = scene.server(random).running() {
            let taken = taken(&process, key.reveal()).await;
            assert_ne!(taken, Some(false), "a key is refused that was made");
        }
    }
    let id = key.hash().to_hex();
    loop {
        if let Some(process) = scene.server(random).running() {
            let began = scene.world.elapsed();
            let revoked = process.ask(async { Ok(process.app.keys().revoke(&id).await?) }).await;
            if settled(revoked).is_some() {
                scene.is_there(began, "revoking a key");
                if !scene.bucket.was_alike_since(began) {
                    break;
                }
            }
        }
        scene.world.wait(actor, Duration::from_millis(300)).await;
    }
    let in_force = scene.world.elapsed() + REVOKED_WITHIN;
    for _ in 0..1 + random.below(6) {
        scene.world.wait(actor, Duration::from_millis(random.below(3_000))).await;
        let asked_at = scene.world.elapsed();
        if let Some(process) = scene.server(random).running() {
            let taken = taken(&process, key.reveal()).await;
            assert!(asked_at < in_force || taken != Some(true), "a revoked key is taken");
        }
    }
    Some(())
}

fn settled<T>(answer: Result<T, Silence>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(Silence::Unavailable) => None,
        Err(Silence::Error(_, error)) => panic!("an access key: {error}"),
    }
}

/// Whether a key is taken; `None` where that cannot be told now.
async fn taken(process: &Process, key: &str) -> Option<bool> {
    let answer = process.ask(async {
        match process.app.authenticate(key).await {
            Ok(_) => Ok(true),
            Err(error @ AppError::Access(_)) if error.kind() == Kind::Unauthenticated => Ok(false),
            Err(error) => Err(error),
        }
    });
    settled(answer.await)
}
