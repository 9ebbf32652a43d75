//! The report: one scan to its final state in one transaction.

use super::{
    Answer, Refused, WireReply,
    authenticate::{Caller, revoked},
    catalog::Release,
    derive::Scan,
    ok,
};
use crate::{
    Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{
        attempts::{self, Attempt, Stage},
        audit, contacts,
        devices::{self, Device, Reported},
        inventory as stored,
        rollouts::{self, RollbackOrder},
        states::{self, json},
    },
};
use domain::Moment;
use protocol::{
    sign,
    v1::{ActionKind, Digest, Inventory, InventoryDelta, RefusalCode, Report, ReportContent, ReportReply},
};
use sqlx::SqliteConnection;

/// An inventory that fits its digest, with the JSON that was hashed.
struct Checked {
    inventory: Inventory,
    json: Vec<u8>,
}

/// A whole inventory, checked before the write lock is taken, or what changed.
enum Content {
    Full(Checked),
    Delta(Digest, InventoryDelta),
}

impl Service {
    /// Takes a scan. Whatever does not fit is refused whole.
    pub(super) async fn report(&self, caller: &Caller, message: Report) -> Answer<WireReply> {
        let Report { digest, content, .. } = message;
        let content = match content {
            ReportContent::Full { inventory } => Content::Full(check(*inventory, &digest)?),
            ReportContent::Delta { base, changes } => Content::Delta(base, *changes),
        };
        let mut tx = self.store().write().await?;
        let checked = match content {
            Content::Full(checked) => checked,
            Content::Delta(base, changes) => {
                let device = caller.row(&mut tx).await?;
                apply(&mut tx, device, &digest, &base, changes).await?
            }
        };
        let mut catalog = self.inner.agents.catalog.lock().await;
        let id = catalog.os_release(&mut tx, &checked.inventory.host).await?;
        let mut release = catalog.take(&mut tx, id).await?;
        release.learn(&mut tx, &checked.inventory, caller.now).await?;
        let changed = take(&mut tx, caller, &release, &checked.inventory).await?;
        stored::save(&mut tx, caller.device.id, &checked.json).await?;
        let said = reported(&checked.inventory, id, &digest)?;
        if !devices::write_report(&mut tx, caller.device.id, caller.now, &said).await? {
            return Err(revoked());
        }
        contacts::write(&mut tx, &[caller.contact()]).await?;
        tx.commit().await?;
        catalog.put(id, release, &checked.inventory.host);
        drop(catalog);
        self.events().send(Topic::Devices);
        if changed {
            self.events().send(Topic::Patches);
        }
        let reply = ok(&ReportReply { digest })?;
        self.inner.agents.answered(caller.device.id, caller.seq, &reply);
        Ok(reply)
    }
}

fn mismatch(detail: &str) -> Refused {
    Refused::new(RefusalCode::DigestMismatch, detail)
}

fn check(mut inventory: Inventory, digest: &Digest) -> Answer<Checked> {
    inventory.normalize();
    inventory
        .check()
        .map_err(|e| Refused::new(RefusalCode::Malformed, format!("{e}.")))?;
    let json = json(&inventory)?.into_bytes();
    if hex::encode(sign::sha256(&json)) != digest.0 {
        return Err(mismatch("The digest does not fit the inventory. Send a full report."));
    }
    Ok(Checked { inventory, json })
}

/// The stored inventory with the changes. A repeat of a delta that was taken already (its reply was lost, the server restarted) fits, too.
async fn apply(
    conn: &mut SqliteConnection,
    device: Device,
    digest: &Digest,
    base: &Digest,
    changes: InventoryDelta,
) -> Answer<Checked> {
    let inventory = stored::load(conn, device.id).await?;
    let (Some(held), Some(inventory)) = (device.digest, inventory) else {
        return Err(mismatch(
            "The server holds no inventory of this device. Send a full report.",
        ));
    };
    if held == digest.0 {
        return check(inventory, digest);
    }
    if held != base.0 {
        return Err(mismatch(
            "The changes do not start from what the server holds. Send a full report.",
        ));
    }
    check(changes.apply(inventory), digest)
}

/// Brings states, proofs and orders to what the scan shows; says whether anything changed.
async fn take(conn: &mut SqliteConnection, caller: &Caller, release: &Release, inventory: &Inventory) -> Result<bool> {
    let (device, now) = (caller.device.id, caller.now);
    let before = states::of_device(conn, device).await?;
    let mut attempts = attempts::of_device(conn, device).await?;
    let orders = rollouts::orders(conn, device).await?;
    let scan = Scan::of(inventory, release);
    let proofs = prove(conn, caller, release, &scan, &orders, &mut attempts).await?
        + done(conn, release, &scan, &orders, now).await?;
    let histories = attempts::histories(&attempts, orders.iter().map(|o| o.patch));
    let changes = scan.changes(&before, &histories, now);
    states::apply(conn, device, &changes).await?;
    Ok(proofs > 0 || !changes.is_empty())
}

/// Attempts that the scan proves (DESIGN principle 9). One that had vanished is corrected by it (I-30).
async fn prove(
    conn: &mut SqliteConnection,
    caller: &Caller,
    release: &Release,
    scan: &Scan<'_>,
    orders: &[RollbackOrder],
    attempts: &mut [Attempt],
) -> Result<usize> {
    let mut proofs = 0;
    for attempt in attempts
        .iter_mut()
        .filter(|a| a.proven_at.is_none() && matches!(a.stage, Stage::Succeeded | Stage::Vanished))
    {
        let Some(known) = release.by_id(attempt.patch) else {
            continue;
        };
        let shown = match attempt.kind {
            ActionKind::Install => scan.proves(known) || scan.shows(known, &attempt.asked),
            ActionKind::RollBack => {
                let order = orders.iter().find(|o| o.patch == attempt.patch);
                scan.disproves(known) || order.is_some_and(|o| scan.has(&o.packages))
            }
        };
        if !shown {
            continue;
        }
        attempts::prove(conn, attempt.id, caller.now).await?;
        if attempt.stage == Stage::Vanished {
            let record = Record {
                actor: caller.name(),
                action: Action::AttemptEnded,
                object: format!(
                    "attempt:{} device:{} patch:{}",
                    attempt.id, caller.device.id, attempt.patch
                ),
                before: Some(serde_json::json!({ "outcome": "vanished" }).to_string()),
                after: Some(serde_json::json!({ "outcome": "succeeded" }).to_string()),
                reason: "A later scan shows the versions asked for.".to_owned(),
            };
            audit::append(conn, caller.now, &record).await?;
            attempt.stage = Stage::Succeeded;
        }
        attempt.proven_at = Some(caller.now);
        proofs += 1;
    }
    Ok(proofs)
}

/// Rollback orders that the scan shows carried out: the patch is gone, or exactly what was ordered is there. The block stays until a person lifts it (I-33).
async fn done(
    conn: &mut SqliteConnection,
    release: &Release,
    scan: &Scan<'_>,
    orders: &[RollbackOrder],
    now: Moment,
) -> Result<usize> {
    let mut proofs = 0;
    for order in orders.iter().filter(|o| !o.done) {
        if scan.has(&order.packages) || release.by_id(order.patch).is_some_and(|known| scan.disproves(known)) {
            rollouts::order_done(conn, order.id, now).await?;
            proofs += 1;
        }
    }
    Ok(proofs)
}

fn reported<'a>(inventory: &'a Inventory, os_release: domain::OsReleaseId, digest: &'a Digest) -> Result<Reported<'a>> {
    Ok(Reported {
        host: &inventory.host,
        os_release,
        digest: &digest.0,
        reboot: json(&inventory.reboot)?,
        services: json(&inventory.services)?,
        sources: json(&inventory.sources)?,
        manager_error: inventory.manager_error.as_ref().map(protocol::ShortText::as_str),
        disk_free_mib: inventory.disk_free_mib,
        on_battery: inventory.on_battery,
        processes_unread: inventory.processes_unread,
    })
}
