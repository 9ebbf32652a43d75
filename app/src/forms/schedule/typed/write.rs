//! Writes forms as fields.

use super::UNITS;
use crate::api::forms::Fields;
use view::{
    CoverageForm, ExceptionAbout, ExceptionCovers, ExceptionForm, FrameForm, ProfileForm, ScheduleForm, ScheduleKind,
    WindowForm, WindowWhen, ZoneChoice,
};

/// Writes fields.
pub(super) struct Writer(pub Fields);

impl Writer {
    fn put(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    fn tick(&mut self, prefix: &str, ids: impl IntoIterator<Item = i64>) {
        for id in ids {
            self.put(format!("{prefix}{id}"), "1");
        }
    }

    fn zone(&mut self, zone: &ZoneChoice) {
        match zone {
            ZoneChoice::Utc => self.put("zone", "utc"),
            ZoneChoice::Device => self.put("zone", "device"),
            ZoneChoice::Named(name) => {
                self.put("zone", "named");
                self.put("zone_name", name);
            }
        }
    }

    pub fn every(&mut self, name: &str, minutes: u32) {
        // A day reads better as 24 hours: "every 24 h" is what the recommendation says.
        let reads_well = |of: u32| minutes > of || (minutes == of && of < 1_440);
        let unit = UNITS
            .iter()
            .find(|(_, of)| minutes.is_multiple_of(*of) && reads_well(*of));
        let (word, of) = unit.copied().unwrap_or(("minutes", 1));
        self.put(name, (minutes / of).to_string());
        self.put(format!("{name}_unit"), word);
    }
}

/// The fields of a form.
pub fn fields(form: &ScheduleForm) -> Fields {
    let mut writer = Writer(Fields::new());
    match form {
        ScheduleForm::Window(form) => write_window(&mut writer, form),
        ScheduleForm::Profile(form) => write_profile(&mut writer, form),
        ScheduleForm::Freeze(form) => {
            writer.put("name", &form.name);
            writer.put("from", &form.from);
            writer.put("to", &form.to);
            writer.zone(&form.zone);
            writer.tick("group", form.groups.iter().map(|id| id.0));
        }
        ScheduleForm::Exception(form) => write_exception(&mut writer, form),
    }
    writer.0
}

fn write_window(writer: &mut Writer, form: &WindowForm) {
    writer.put("name", &form.name);
    // The other ways start from something sensible, for who changes the way.
    for (name, value) in [("nth", "2"), ("weekday", "1"), ("plus", "0")] {
        writer.put(name, value);
    }
    match &form.when {
        WindowWhen::Weekly { days } => {
            writer.put("when", "weekly");
            writer.tick("day", days.iter().map(|day| i64::from(*day)));
        }
        WindowWhen::Monthly {
            nth,
            weekday,
            plus_days,
        } => {
            writer.put("when", "monthly");
            writer.put("nth", nth.to_string());
            writer.put("weekday", weekday.to_string());
            writer.put("plus", plus_days.to_string());
        }
        WindowWhen::Once { date } => {
            writer.put("when", "once");
            writer.put("once_date", date);
        }
        WindowWhen::Rule { date, rule } => {
            writer.put("when", "rule");
            writer.put("rule_date", date);
            writer.put("rule", rule);
        }
    }
    writer.put("at", &form.at);
    writer.put("hours", (form.minutes / 60).to_string());
    writer.put("minutes", (form.minutes % 60).to_string());
    writer.zone(&form.zone);
    writer.tick("group", form.groups.iter().map(|id| id.0));
}

fn write_profile(writer: &mut Writer, form: &ProfileForm) {
    writer.put("name", &form.name);
    writer.put("position", form.position.to_string());
    writer.every("scan", form.scan_minutes);
    writer.every("install", form.install_minutes);
    let all_night = FrameForm {
        zone: ZoneChoice::Device,
        days: (0..7).collect(),
        from: "20:00".to_owned(),
        to: "06:00".to_owned(),
    };
    writer.put("hours", if form.frame.is_some() { "some" } else { "any" });
    let frame = form.frame.as_ref().unwrap_or(&all_night);
    writer.zone(&frame.zone);
    writer.tick("day", frame.days.iter().map(|day| i64::from(*day)));
    writer.put("from", &frame.from);
    writer.put("to", &frame.to);
    writer.put("scope", if form.everything { "all" } else { "some" });
    writer.tick("group", form.groups.iter().map(|id| id.0));
    writer.tick("device", form.devices.iter().map(|id| id.0));
    writer.tick("notgroup", form.not_groups.iter().map(|id| id.0));
    writer.tick("notdevice", form.not_devices.iter().map(|id| id.0));
    writer.put("updates", if form.coverage.security_only { "security" } else { "all" });
    writer.tick("without", form.coverage.left_out.iter().map(|id| id.0));
    writer.put("reserve", form.coverage.reserve_mib.to_string());
}

fn write_exception(writer: &mut Writer, form: &ExceptionForm) {
    match form.covers {
        ExceptionCovers::All => writer.put("covers", "all"),
        ExceptionCovers::Group(id) => {
            writer.put("covers", "group");
            writer.put("covers_group", id.to_string());
        }
        ExceptionCovers::Device(id) => {
            writer.put("covers", "device");
            writer.put("device", format!("#{id}"));
        }
    }
    match &form.about {
        ExceptionAbout::Patch(id) => {
            writer.put("about", "patch");
            writer.put("patch", format!("#{id}"));
        }
        ExceptionAbout::Product(name) => {
            writer.put("about", "product");
            writer.put("product", name);
        }
    }
    writer.put("owner", form.owner.map_or_else(String::new, |id| id.to_string()));
    writer.put("reason", &form.reason);
    writer.put("expires", &form.expires);
}

/// A new form, before anybody typed anything.
pub fn blank(kind: ScheduleKind) -> Fields {
    let mut writer = Writer(match kind {
        ScheduleKind::Window => fields(&ScheduleForm::Window(WindowForm {
            name: String::new(),
            when: WindowWhen::Weekly { days: vec![5] },
            at: "22:00".to_owned(),
            minutes: 240,
            zone: ZoneChoice::Device,
            groups: Vec::new(),
        })),
        ScheduleKind::Profile => fields(&ScheduleForm::Profile(ProfileForm {
            name: String::new(),
            position: 10,
            scan_minutes: 1_440,
            install_minutes: 1_440,
            frame: None,
            everything: false,
            groups: Vec::new(),
            devices: Vec::new(),
            not_groups: Vec::new(),
            not_devices: Vec::new(),
            coverage: CoverageForm::default(),
        })),
        ScheduleKind::Freeze | ScheduleKind::Exception => Fields::new(),
    });
    match kind {
        ScheduleKind::Freeze => writer.zone(&ZoneChoice::Device),
        ScheduleKind::Exception => {
            writer.put("covers", "all");
            writer.put("about", "patch");
        }
        ScheduleKind::Window | ScheduleKind::Profile => {}
    }
    writer.0
}
