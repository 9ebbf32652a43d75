//! Devices.

use crate::AppError;
use crate::error::Read;
use domain::DeviceId;
use leptos::prelude::*;
use view::{DeviceFilter, DeviceList, DevicePage, DevicePatches};

/// The device list.
#[server(prefix = "/api", endpoint = "devices/list", protocol = Read)]
pub async fn devices(filter: DeviceFilter) -> Result<DeviceList, AppError> {
    use crate::ctx;
    Ok(ctx::service().devices(&ctx::actor()?, &filter).await?)
}

/// One device, with the patches asked for: open ones with their gate ladders, or settled ones.
#[server(prefix = "/api", endpoint = "devices/one", protocol = Read)]
pub async fn device(id: DeviceId, shown: DevicePatches) -> Result<DevicePage, AppError> {
    use crate::ctx;
    Ok(ctx::service().device_with(&ctx::actor()?, id, shown).await?)
}

/// Accepts a waiting device, or lets a quarantined one back.
#[server(prefix = "/api", endpoint = "devices/accept")]
pub async fn accept_device(
    device: String,
    #[server(default)] reason: String,
    #[server(default)] back: String,
) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service()
        .accept_device(&actor, answer::parse(&device)?, &reason)
        .await?;
    answer::finish(&back, Notice::Accepted);
    Ok(())
}

/// Revokes a device for ever.
#[server(prefix = "/api", endpoint = "devices/revoke")]
pub async fn revoke_device(device: String, reason: String, #[server(default)] back: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service()
        .revoke_device(&actor, answer::parse(&device)?, &reason)
        .await?;
    answer::finish(&back, Notice::Revoked);
    Ok(())
}

/// Moves a device to a group, or to none.
#[server(prefix = "/api", endpoint = "devices/move")]
pub async fn move_device(device: String, #[server(default)] group: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let group = if group.is_empty() {
        None
    } else {
        Some(answer::parse_field(&group, view::Field::Group)?)
    };
    ctx::service()
        .move_device(&actor, answer::parse(&device)?, group)
        .await?;
    answer::finish(&format!("/devices/{device}"), Notice::Moved);
    Ok(())
}

/// Puts a device into a location, or into none.
#[server(prefix = "/api", endpoint = "devices/place")]
pub async fn place_device(device: String, #[server(default)] location: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    let location = if location.is_empty() {
        None
    } else {
        Some(answer::parse(&location)?)
    };
    ctx::service()
        .place_device(&actor, answer::parse(&device)?, location)
        .await?;
    answer::finish(&format!("/devices/{device}"), Notice::Placed);
    Ok(())
}

/// Asks for a scan at the next contact.
#[server(prefix = "/api", endpoint = "devices/scan")]
pub async fn ask_scan(device: String) -> Result<(), AppError> {
    use crate::{answer, ctx, notice::Notice};
    let actor = ctx::actor()?;
    ctx::service().ask_scan(&actor, answer::parse(&device)?).await?;
    answer::finish(&format!("/devices/{device}"), Notice::ScanAsked);
    Ok(())
}
