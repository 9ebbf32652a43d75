//! Locations: a name, a time zone, and a bandwidth that its devices share (GRP-1, BWL-1).

use crate::{
    Actor, Error, Result, Service,
    audit::{Action, Record},
    events::Topic,
    forms,
    store::{
        audit, devices, places,
        rings::{self, Versioned},
    },
};
use domain::{DeviceId, DeviceState, LocationId, Permission};
use planner::Location;
use serde_json::json;
use view::{Field, LocationForm, Problem, RingsSaved, Why};

impl Service {
    /// Saves a location; with `seen`, in the place of the one of that number and version. Its devices' download rate changes with it.
    ///
    /// # Errors
    /// Not allowed, a field that does not fit, not found, changed since.
    pub async fn save_location(
        &self,
        actor: &Actor,
        seen: Option<(LocationId, u64)>,
        form: &LocationForm,
    ) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let new = forms::rings::location(form, seen.map_or(LocationId(0), |(id, _)| id))?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let all = rings::locations(&mut tx).await?;
        let was = match seen {
            Some((id, version)) => {
                let row = all.iter().find(|l| l.rule.id == id).ok_or(Error::NotFound)?;
                if row.version != version {
                    return Err(Error::Changed);
                }
                Some(row)
            }
            None => None,
        };
        if all.iter().any(|l| l.name == new.name && l.rule.id != new.rule.id) {
            return Err(Error::invalid(Field::Label, Problem::Taken));
        }
        let version = Self::next_version(&mut tx).await?;
        let id = places::put_location(&mut tx, &new.name, &new.rule, version).await?;
        let json = |l: &Versioned<Location>| json!({ "name": l.name, "location": l.rule }).to_string();
        let record = Record {
            actor: actor.audit_name(),
            action: was.map_or(Action::LocationCreated, |_| Action::LocationChanged),
            object: format!("location:{id}"),
            before: was.map(json),
            after: Some(json(&new)),
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(RingsSaved {
            id: id.0,
            version: u64::try_from(version).unwrap_or(0),
            warnings: Vec::new(),
        })
    }

    /// Removes a location that was seen at a version. Its devices are in none afterwards: nothing limits their line any more.
    ///
    /// # Errors
    /// Not allowed, not found, changed since.
    pub async fn remove_location(&self, actor: &Actor, id: LocationId, version: u64) -> Result<RingsSaved> {
        actor.require(Permission::ManageDevices)?;
        let (now, mut tx) = (self.now(), self.store().write().await?);
        let all = rings::locations(&mut tx).await?;
        let was = all.iter().find(|l| l.rule.id == id).ok_or(Error::NotFound)?;
        if was.version != version {
            return Err(Error::Changed);
        }
        let version = Self::next_version(&mut tx).await?;
        let devices = places::remove(&mut tx, id).await?;
        let record = Record {
            actor: actor.audit_name(),
            action: Action::LocationRemoved,
            object: format!("location:{id}"),
            before: Some(json!({ "name": was.name, "location": was.rule, "devices": devices }).to_string()),
            after: None,
            reason: String::new(),
        };
        audit::append(&mut tx, now, &record).await?;
        tx.commit().await?;
        self.rings_changed();
        Ok(RingsSaved {
            id: id.0,
            version: u64::try_from(version).unwrap_or(0),
            warnings: Vec::new(),
        })
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
        Self::next_version(&mut tx).await?;
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
