//! Approve, deny, withdraw.

use crate::{Actor, Result, Service};
use domain::{PatchId, RingId};
use view::PatchFilter;

/// Which patches a decision is for.
#[derive(Clone, Debug)]
pub enum Selection {
    /// Exactly these, with the revision that was shown ("approve what you saw"); `None` = not checked (command line).
    These(Vec<(PatchId, Option<i64>)>),
    /// All that match, as long as they are so many; otherwise `Changed`.
    Matching(PatchFilter, u32),
}

/// What to do with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Approve; urgent skips the soak.
    Approve {
        /// Skips the soak, visibly.
        urgent: bool,
    },
    /// Deny: outranks approval, also a later bulk one.
    Deny,
    /// Take the decision in force back.
    Withdraw,
}

/// What happened to a bulk order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Decided.
    pub decided: Vec<PatchId>,
    /// Left out because superseded, denied, or nothing to withdraw.
    pub left_out: Vec<(PatchId, view::Why)>,
    /// For a withdrawal: devices that have installed it already.
    pub too_late: u32,
}

impl Service {
    /// Decides for one ring; one transaction, one audit record a patch. Superseded patches are left out unless `with_superseded`.
    ///
    /// # Errors
    /// Not allowed, nothing selected, changed since shown, reason missing (deny, withdraw, urgent, superseded) or too long.
    pub async fn decide(
        &self,
        actor: &Actor,
        selection: Selection,
        ring: RingId,
        verb: Verb,
        reason: &str,
        with_superseded: bool,
    ) -> Result<Done> {
        let _ = (actor, selection, ring, verb, reason, with_superseded);
        todo!()
    }
}
