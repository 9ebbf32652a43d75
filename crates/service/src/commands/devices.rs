//! Accepting, moving, revoking devices.

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{self, attempts, audit, devices, fleet, lists},
};
use domain::{DeviceId, DeviceState, GroupId, Permission};
use serde_json::json;
use view::{Field, Problem, Why};

fn record(actor: &Actor, action: Action, device: DeviceId) -> Record {
    Record {
        actor: actor.audit_name(),
        action,
        object: format!("device:{device}"),
        before: None,
        after: None,
        reason: String::new(),
    }
}

impl Service {
    /// Accepts a pending device, or lets a quarantined one back.
    ///
    /// # Errors
    /// Not allowed, not found, revoked.
    pub async fn accept_device(&self, actor: &Actor, device: DeviceId, reason: &str) -> Result<()> {
        actor.require(Permission::ManageDevices)?;
        let reason = checks::reason(reason, false)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let before = devices::by_id(&mut tx, device).await?.ok_or(Error::NotFound)?.state;
        match before {
            DeviceState::Pending | DeviceState::Quarantined => {}
            DeviceState::Active => return Err(Error::Refused(Why::AlreadyDone)),
            DeviceState::Revoked => return Err(Error::Refused(Why::Revoked)),
        }
        devices::set_state(&mut tx, device, DeviceState::Active, "").await?;
        let change = Record {
            before: Some(json!({ "state": before }).to_string()),
            after: Some(json!({ "state": DeviceState::Active }).to_string()),
            reason,
            ..record(actor, Action::DeviceState, device)
        };
        audit::append(&mut tx, now, &change).await?;
        tx.commit().await?;
        self.events().send(Topic::Devices);
        Ok(())
    }

    /// Revokes a device for ever; closes its attempts in the same transaction.
    ///
    /// # Errors
    /// Not allowed, not found, already revoked.
    pub async fn revoke_device(&self, actor: &Actor, device: DeviceId, reason: &str) -> Result<()> {
        actor.require(Permission::ManageDevices)?;
        let reason = checks::reason(reason, false)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let before = devices::by_id(&mut tx, device).await?.ok_or(Error::NotFound)?.state;
        if before == DeviceState::Revoked {
            return Err(Error::Refused(Why::Revoked));
        }
        let open = attempts::open_of(&mut tx, device).await?;
        devices::set_state(&mut tx, device, DeviceState::Revoked, &reason).await?;
        attempts::close_all(&mut tx, device, now).await?;
        // A device that is gone misses nothing: its patches leave every count.
        fleet::drop_states(&mut tx, device, now).await?;
        let change = Record {
            before: Some(json!({ "state": before }).to_string()),
            after: Some(
                json!({ "state": DeviceState::Revoked, "closed_attempt": open.as_ref().map(|a| a.id) }).to_string(),
            ),
            reason,
            ..record(actor, Action::DeviceState, device)
        };
        audit::append(&mut tx, now, &change).await?;
        tx.commit().await?;
        self.events().send(Topic::Devices);
        self.events().send(Topic::Patches);
        Ok(())
    }

    /// Moves a device to a group (or none).
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn move_device(&self, actor: &Actor, device: DeviceId, group: Option<GroupId>) -> Result<()> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let before = devices::by_id(&mut tx, device).await?.ok_or(Error::NotFound)?;
        if before.state == DeviceState::Revoked {
            return Err(Error::Refused(Why::Revoked));
        }
        let groups = lists::groups(&mut tx).await?;
        let ring = match group {
            Some(id) => {
                groups
                    .iter()
                    .find(|g| g.id == id)
                    .ok_or(Error::invalid(Field::Group, Problem::Unknown))?
                    .ring
            }
            None => None,
        };
        if before.group == group {
            return Ok(());
        }
        fleet::set_group(&mut tx, device, group, now).await?;
        // The group brings its own reboot policy, which the device must follow.
        let version = store::meta(&mut tx, "policy_version").await?;
        store::set_meta(&mut tx, "policy_version", version + 1).await?;
        let change = Record {
            before: Some(json!({ "group": before.group, "ring": before.ring }).to_string()),
            after: Some(json!({ "group": group, "ring": ring }).to_string()),
            ..record(actor, Action::DeviceGroup, device)
        };
        audit::append(&mut tx, now, &change).await?;
        tx.commit().await?;
        self.events().send(Topic::Devices);
        Ok(())
    }

    /// Asks for a scan at the next contact.
    ///
    /// # Errors
    /// Not allowed, not found.
    pub async fn ask_scan(&self, actor: &Actor, device: DeviceId) -> Result<()> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let before = devices::by_id(&mut tx, device).await?.ok_or(Error::NotFound)?;
        if before.state == DeviceState::Revoked {
            return Err(Error::Refused(Why::Revoked));
        }
        if before.scan_asked.is_some() {
            return Ok(());
        }
        fleet::ask_scan(&mut tx, device, now).await?;
        audit::append(&mut tx, now, &record(actor, Action::ScanAsked, device)).await?;
        tx.commit().await?;
        self.events().send(Topic::Devices);
        Ok(())
    }
}
