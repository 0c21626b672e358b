//! The prepared statements and the portals of a session, within a bound on their bytes.

use std::collections::HashMap;

use super::answer::{Described, PgRows};
use super::error::PgError;
use crate::sql::{WireParameter, WireQuestion};

/// What all statements and bound values of a session may take.
const BYTES_MAX: usize = 1 << 20;
/// What one takes besides its texts.
const EACH_BYTES: usize = 512;

/// A prepared statement.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub text: String,
    /// The types of parameters that the client declares; 0 for those that it leaves open.
    pub declared: Vec<u32>,
    /// What a worker told of it.
    pub described: Option<Described>,
}

/// A statement with values.
pub(super) struct Portal {
    pub text: String,
    pub question: WireQuestion,
    /// What runs, once it runs.
    pub rows: Option<PgRows>,
    /// All of its rows were sent.
    pub is_done: bool,
    /// What was told of its rows when they began.
    pub told: Described,
    /// It outlives its transaction.
    pub holds: bool,
}

impl Portal {
    /// One that has not begun.
    pub(super) fn new(text: String, question: WireQuestion) -> Self {
        let told = Described::default();
        Self { text, question, rows: None, is_done: false, told, holds: false }
    }

    /// Has its rows sent in the formats of a question, if they have not begun.
    pub(super) fn take_formats(&mut self, question: &WireQuestion) {
        if self.rows.is_none() && !self.is_done {
            self.question.binary.clone_from(&question.binary);
        }
    }

    /// Gives up what runs: there are no more rows.
    pub(super) fn end(&mut self) {
        self.rows = None;
        self.is_done = true;
    }
}

/// The statements and portals of a session. The empty name is that of the one without a name.
#[derive(Default)]
pub(super) struct PgStatements {
    prepared: HashMap<String, Prepared>,
    portals: HashMap<String, Portal>,
}

impl PgStatements {
    /// Keeps a statement.
    ///
    /// # Errors
    /// The name is taken, or there are too many.
    pub(super) fn prepare(&mut self, name: String, prepared: Prepared) -> Result<(), PgError> {
        if !name.is_empty() && self.prepared.contains_key(&name) {
            let taken = format!("there is a prepared statement {name:?} already; DEALLOCATE it");
            return Err(PgError::new("42P05", &taken));
        }
        self.prepared.remove(&name);
        self.fits(name.len() + prepared.bytes())?;
        self.prepared.insert(name, prepared);
        Ok(())
    }

    /// Keeps a portal.
    ///
    /// # Errors
    /// The name is taken, or there are too many.
    pub(super) fn bind(&mut self, name: String, portal: Portal) -> Result<(), PgError> {
        if !name.is_empty() && self.portals.contains_key(&name) {
            return Err(PgError::new(
                "42P03",
                &format!("there is a portal {name:?} already; close it"),
            ));
        }
        self.portals.remove(&name);
        self.fits(name.len() + portal.bytes())?;
        self.portals.insert(name, portal);
        Ok(())
    }

    /// The statement of a name.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn prepared(&mut self, name: &str) -> Result<&mut Prepared, PgError> {
        self.prepared.get_mut(name).ok_or_else(|| {
            PgError::new("26000", &format!("there is no prepared statement {name:?}; prepare it"))
        })
    }

    /// The text of a statement that `EXECUTE` names, and the values that are written there.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn executed(
        &mut self,
        name: &str,
        values: Vec<Option<String>>,
    ) -> Result<(String, Vec<WireParameter>), PgError> {
        let text = self.prepared(name)?.text.clone();
        let values = values.into_iter().map(|text| WireParameter { oid: 0, text });
        Ok((text, values.collect()))
    }

    /// The portal of a name, which has to be put back.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn take_portal(&mut self, name: &str) -> Result<Portal, PgError> {
        self.portals
            .remove(name)
            .ok_or_else(|| PgError::new("34000", &format!("there is no portal {name:?}; bind it")))
    }

    /// Puts a portal back.
    pub(super) fn put_portal(&mut self, name: String, portal: Portal) {
        self.portals.insert(name, portal);
    }

    /// Forgets a statement; without a name, all of them.
    pub(super) fn deallocate(&mut self, name: Option<&str>) -> bool {
        match name {
            Some(name) => self.prepared.remove(name).is_some(),
            None => {
                self.prepared.clear();
                true
            }
        }
    }

    /// Forgets a portal; without a name, those that end with their transaction.
    pub(super) fn close_portals(&mut self, name: Option<&str>) {
        match name {
            Some(name) => drop(self.portals.remove(name)),
            None => self.portals.retain(|_, portal| portal.holds),
        }
    }

    /// Forgets all portals.
    pub(super) fn close_all_portals(&mut self) {
        self.portals.clear();
    }

    fn fits(&self, more: usize) -> Result<(), PgError> {
        let prepared = self.prepared.iter().map(|(name, of)| name.len() + of.bytes());
        let portals = self.portals.iter().map(|(name, of)| name.len() + of.bytes());
        let held: usize = prepared.chain(portals).sum();
        if held + more > BYTES_MAX {
            let full =
                "the prepared statements of the session take too much memory; DEALLOCATE some";
            return Err(PgError::new("53200", full));
        }
        Ok(())
    }
}

impl Prepared {
    fn bytes(&self) -> usize {
        let described = self.described.as_ref().map_or(0, Described::bytes);
        EACH_BYTES + self.text.len() + 4 * self.declared.len() + described
    }
}

impl Portal {
    fn bytes(&self) -> usize {
        let values = self.question.parameters.iter();
        let values = values.map(|value| 32 + value.text.as_ref().map_or(0, String::len));
        let told = self.told.bytes();
        EACH_BYTES + self.text.len() + values.sum::<usize>() + self.question.binary.len() + told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(bytes: usize) -> Prepared {
        Prepared { text: "x".repeat(bytes), declared: Vec::new(), described: None }
    }

    #[test]
    fn statements_are_bounded_in_bytes() {
        let mut statements = PgStatements::default();
        let kept = (0..100).take_while(|number| {
            statements.prepare(format!("s{number}"), prepared(100_000)).is_ok()
        });
        assert_eq!(kept.count(), 10);
        assert_eq!(
            statements.prepare("more".into(), prepared(100_000)).unwrap_err().state,
            "53200"
        );
        assert!(statements.deallocate(Some("s0")));
        statements.prepare("more".into(), prepared(100_000)).unwrap();
        assert_eq!(statements.prepare("more".into(), prepared(1)).unwrap_err().state, "42P05");
        for _ in 0..3 {
            statements.deallocate(Some("s1"));
            statements.prepare(String::new(), prepared(1)).unwrap();
        }
        assert_eq!(statements.prepared("nothing").unwrap_err().state, "26000");
    }
}
