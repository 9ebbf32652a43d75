//! The demonstration's people, named by their roles: what they decide day by day.

use super::devices::PLACES;
use anyhow::{Context as _, Result};
use domain::{Category, DeviceId, GroupId, LocationId, Moment, RingId, Role, Span, Urgency};
use service::{
    Actor, Service,
    commands::{
        decide::{Selection, Verb},
        tokens::TokenRequest,
    },
};
use view::{ApprovalFilter, CountBucket, LocationForm, PatchFilter, PatchSort, PlanForm};

/// The ring that goes first, and the one after it, as the first migration makes them.
const PILOT: RingId = RingId(1);
const PRODUCTION: RingId = RingId(2);
/// The last days stay undecided, so that there is something to do on the page.
const OPEN_DAYS: i64 = 9;

/// Patches about which nothing is decided for a ring.
fn undecided(ring: RingId, bucket: CountBucket) -> PatchFilter {
    PatchFilter {
        approval: Some(ApprovalFilter::None),
        ring: Some(ring),
        state: Some(bucket),
        sort: PatchSort::Released,
        ..PatchFilter::default()
    }
}

pub(super) struct People {
    officer: Actor,
    tokens: [String; 2],
    places: Vec<LocationId>,
}

impl People {
    /// Makes the accounts, places and enrolment tokens.
    pub(super) async fn arrive(service: &Service, devices: u32) -> Result<Self> {
        let host = Actor::host();
        service
            .create_account(&host, "admin", Role::Administrator, None)
            .await?;
        let officer = service
            .create_account(&host, "security-officer", Role::SecurityOfficer, None)
            .await?;
        service
            .create_account(&host, "pilot-user", Role::PilotUser, None)
            .await?;
        service.create_account(&host, "auditor", Role::Auditor, None).await?;
        let mut places = Vec::new();
        for (name, zone, rate, _, _) in PLACES {
            let form = LocationForm {
                name: name.to_owned(),
                zone: zone.to_owned(),
                rate_kib: rate,
                max_in_flight: None,
            };
            places.push(LocationId(service.save_location(&host, None, &form).await?.id));
        }
        let token = async |label: &str, group| {
            let request = TokenRequest {
                label: label.to_owned(),
                group: Some(group),
                accept: true,
                scan_only: false,
                max_uses: devices,
                hours: 24,
            };
            service.create_token(&host, request).await.map(|t| t.token)
        };
        let tokens = [
            token("Production devices", GroupId(2)).await?,
            token("Pilot devices", GroupId(1)).await?,
        ];
        let officer = Actor {
            account: Some(officer),
            name: "security-officer".to_owned(),
            role: Role::SecurityOfficer,
            session: None,
        };
        Ok(Self {
            officer,
            tokens,
            places,
        })
    }

    pub(super) fn token(&self, pilot: bool) -> &str {
        &self.tokens[usize::from(pilot)]
    }

    pub(super) async fn place(&self, service: &Service, device: DeviceId, place: usize) -> Result<()> {
        let location = self.places.get(place).copied().context("no such place")?;
        Ok(service.place_device(&Actor::host(), device, Some(location)).await?)
    }

    /// One day's work: approve for the pilots what is new, for production what the pilots have, and look at holds once a week.
    pub(super) async fn work(&mut self, service: &Service, now: Moment, day: i64, end: Moment) -> Result<()> {
        if end.since(now) < Span::days(OPEN_DAYS) {
            return Ok(());
        }
        if day % 2 == 0 {
            self.approve(service, PILOT, CountBucket::Missing, "New, missing on devices")
                .await?;
        }
        if day % 7 == 3 {
            self.plan_the_way_back(service).await?;
            self.approve(service, PRODUCTION, CountBucket::Installed, "Installed on the pilots")
                .await?;
            self.resume(service).await?;
        }
        Ok(())
    }

    /// Production asks for a rollback plan before it is approved.
    async fn plan_the_way_back(&self, service: &Service) -> Result<()> {
        let (_, rows) = service
            .all_patches(&self.officer, &undecided(PRODUCTION, CountBucket::Installed))
            .await?;
        for row in rows {
            let form = if row.category == Category::Security {
                PlanForm::Plan {
                    owner: None,
                    how: "Roll the ring back from this page; every device keeps the packages that it had".to_owned(),
                    use_when: "A service does not come up again, or two devices of one location report problems"
                        .to_owned(),
                }
            } else {
                PlanForm::Waive {
                    reason: "No service depends on it".to_owned(),
                }
            };
            // Planned last week already: kept as it is.
            match service.save_rollback_plan(&self.officer, row.id, 0, &form).await {
                Ok(_) | Err(service::Error::Changed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn approve(&self, service: &Service, ring: RingId, bucket: CountBucket, reason: &str) -> Result<()> {
        let filter = undecided(ring, bucket);
        let (_, shown) = service.patches_to_decide(&self.officer, &filter).await?;
        if shown.count > 0 {
            let verb = Verb::Approve {
                urgent: Urgency::Normal,
            };
            service
                .decide(
                    &self.officer,
                    Selection::Matching(filter, shown),
                    ring,
                    verb,
                    reason,
                    false,
                )
                .await?;
        }
        Ok(())
    }

    async fn resume(&self, service: &Service) -> Result<()> {
        let filter = PatchFilter {
            approval: Some(ApprovalFilter::Held),
            ..PatchFilter::default()
        };
        for row in service.patches(&self.officer, &filter).await?.rows {
            let page = service
                .patch(&self.officer, row.id, &view::PatchDevices::default())
                .await?;
            for hold in page.holds.iter().filter(|h| h.resolved.is_none()) {
                service
                    .resume(
                        &self.officer,
                        hold.id,
                        None,
                        "Looked at the device; the fault was its own full disk",
                    )
                    .await?;
            }
        }
        Ok(())
    }
}
