//! People who let a device try again what it has tried in vain too often.

use crate::{Violation, people::settled, world::World};
use domain::{DeviceId, PatchId};
use service::Service;

impl World {
    /// Looks at the pages of devices until one has used up its tries at something, and gives them anew.
    pub(crate) async fn let_try_again(&mut self, service: &Service, devices: &[DeviceId]) -> Result<(), Violation> {
        for device in devices {
            let page = service.device(&self.people.officer, *device).await;
            let page = page.map_err(Violation::world)?;
            let used: Vec<(PatchId, view::Again)> = page
                .patches
                .iter()
                .filter_map(|line| Some((line.patch, line.again?)))
                .collect();
            let Some((patch, again)) = self.people.chance.pick(&used).copied() else {
                continue;
            };
            let shown = (again.what, again.latest);
            let reason = "somebody looked at it";
            let given = service
                .try_again(&self.people.officer, *device, patch, shown, reason)
                .await;
            if settled(given)?.is_some() {
                let what = again.what.word();
                self.trace.add(
                    self.now,
                    format_args!("people let device {device} try again: {what} of patch {patch}"),
                );
            }
            return Ok(());
        }
        Ok(())
    }
}
