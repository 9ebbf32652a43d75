//! Locations: a name, a time zone, and a bandwidth that its devices share (GRP-1, BWL-1).

use super::checks;
use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    store::{self, audit, devices, places},
};
use domain::{DeviceId, DeviceState, LocationId, Permission};
use planner::calendar::Zone;
use serde_json::json;
use view::{Field, Problem, Why};

impl Service {
    /// Makes a location in an IANA time zone, with KiB per second for patch data if it is limited.
    ///
    /// # Errors
    /// Not allowed, unknown zone, name missing or taken.
    pub async fn create_location(
        &self,
        actor: &Actor,
        name: &str,
        zone: &str,
        rate_kib: Option<u32>,
    ) -> Result<LocationId> {
        actor.require(Permission::ManageDevices)?;
        let name = checks::name(Field::Label, name)?;
        if zone.parse::<Zone>().is_err() {
            return Err(Error::invalid(Field::Zone, Problem::Unknown));
        }
        if rate_kib == Some(0) {
            return Err(Error::invalid(
                Field::Rate,
                Problem::OutOfRange { min: 1, max: u32::MAX },
            ));
        }
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let id = places::insert(&mut tx, &name, zone, rate_kib)
            .await?
            .ok_or(Error::invalid(Field::Label, Problem::Taken))?;
        let made = Record {
            actor: actor.audit_name(),
            action: Action::LocationCreated,
            object: format!("location:{id}"),
            before: None,
            after: Some(json!({ "name": name, "zone": zone, "rate_kib": rate_kib }).to_string()),
            reason: String::new(),
        };
        audit::append(&mut tx, now, &made).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Puts a device into a location (or none). Its download rate changes with it, so devices get a new policy version.
    ///
    /// # Errors
    /// Not allowed, not found, revoked.
    pub async fn place_device(&self, actor: &Actor, device: DeviceId, location: Option<LocationId>) -> Result<()> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let before = devices::by_id(&mut tx, device).await?.ok_or(Error::NotFound)?;
        if before.state == DeviceState::Revoked {
            return Err(Error::Refused(Why::Revoked));
        }
        if let Some(location) = location
            && !places::exists(&mut tx, location).await?
        {
            return Err(Error::NotFound);
        }
        if before.location == location {
            return Ok(());
        }
        places::put(&mut tx, device, location).await?;
        let version = store::meta(&mut tx, "policy_version").await?;
        store::set_meta(&mut tx, "policy_version", version + 1).await?;
        let moved = Record {
            actor: actor.audit_name(),
            action: Action::DevicePlaced,
            object: format!("device:{device}"),
            before: Some(json!({ "location": before.location }).to_string()),
            after: Some(json!({ "location": location }).to_string()),
            reason: String::new(),
        };
        audit::append(&mut tx, now, &moved).await?;
        tx.commit().await?;
        self.events().send(Topic::Devices);
        Ok(())
    }
}
