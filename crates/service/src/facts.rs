//! Facts about patches, read once for as long as nothing in them changes. They are the same for the whole fleet, and adding up a patch's
//! attempts and targets costs more than everything else that a device asks.
//!
//! Builds with debug assertions (all tests, the simulation) read them again now and then and compare: a change that the stamp misses fails
//! there.

use crate::{error::Result, snapshot, store::rollouts};
use domain::PatchId;
use planner::PatchFacts;
use rollouts::Stamp;
use sqlx::SqliteConnection;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

/// With debug assertions, one look in so many is checked: a whole simulated month asks millions of times.
const CHECK_ONE_IN: u32 = 32;

/// What was read, with the stamp under which it holds.
#[derive(Debug, Default)]
pub(crate) struct Known {
    patches: Mutex<HashMap<PatchId, (Stamp, Arc<PatchFacts>)>>,
    looks: AtomicU32,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<PatchId, (Stamp, Arc<PatchFacts>)>> {
        self.patches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, patch: PatchId, stamp: Stamp) -> Option<Arc<PatchFacts>> {
        let known = self.lock();
        let (of, facts) = known.get(&patch)?;
        (*of == stamp && stamp.keeps).then(|| Arc::clone(facts))
    }

    /// The facts about these patches; unknown ones are left out. `conn` is inside a read transaction: what is remembered was committed.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn read(
        &self,
        conn: &mut SqliteConnection,
        patches: &[PatchId],
    ) -> Result<BTreeMap<PatchId, Arc<PatchFacts>>> {
        let mut all = BTreeMap::new();
        for (patch, stamp) in rollouts::stamps(conn, patches).await? {
            let facts = match self.get(patch, stamp) {
                Some(facts) => self.still(conn, facts).await?,
                None => {
                    let Some(facts) = snapshot::patch_facts(conn, patch).await? else {
                        continue;
                    };
                    let facts = Arc::new(facts);
                    self.lock().insert(patch, (stamp, Arc::clone(&facts)));
                    facts
                }
            };
            all.insert(patch, facts);
        }
        Ok(all)
    }

    /// The facts about one patch inside a write transaction: what it has not committed is seen and not remembered. A stamp that was only
    /// written here was never remembered by anybody else, because there is one writer.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn look(&self, conn: &mut SqliteConnection, patch: PatchId) -> Result<Option<Arc<PatchFacts>>> {
        let Some((_, stamp)) = rollouts::stamps(conn, &[patch]).await?.pop() else {
            return Ok(None);
        };
        match self.get(patch, stamp) {
            Some(facts) => self.still(conn, facts).await.map(Some),
            None => Ok(snapshot::patch_facts(conn, patch).await?.map(Arc::new)),
        }
    }

    /// The facts as remembered; where debug assertions are on, only if they still hold.
    async fn still(&self, conn: &mut SqliteConnection, facts: Arc<PatchFacts>) -> Result<Arc<PatchFacts>> {
        if cfg!(debug_assertions) && self.looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECK_ONE_IN) {
            let read = snapshot::patch_facts(conn, facts.id).await?;
            assert_eq!(read.as_ref(), Some(&*facts), "facts changed under their stamp");
        }
        Ok(facts)
    }
}
