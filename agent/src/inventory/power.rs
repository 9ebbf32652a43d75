//! Whether the device runs on battery now: `/sys/class/power_supply`, read directly.

use std::{fs, path::Path};

/// Where the kernel lists what a device can run on.
const SUPPLIES: &str = "/sys/class/power_supply";

/// Whether the device runs on battery; `None` where the kernel does not list what it runs on.
#[must_use]
pub fn on_battery() -> Option<bool> {
    of(Path::new(SUPPLIES))
}

/// As [`on_battery`], of a folder. Mains that are plugged in decide, whatever a battery does meanwhile. A device without any battery of its own
/// runs on mains; the batteries of mice and headsets are not its own. Chargers by USB say that they are there also where they take instead of
/// give, so that only the battery tells then.
fn of(folder: &Path) -> Option<bool> {
    let (mut unplugged, mut battery, mut discharging) = (false, false, false);
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let read = |name: &str| {
            let text = fs::read_to_string(entry.path().join(name)).unwrap_or_default();
            text.trim().to_owned()
        };
        match read("type").as_str() {
            "Mains" if read("online") == "1" => return Some(false),
            "Mains" => unplugged = true,
            "Battery" | "UPS" if read("scope") != "Device" && read("present") != "0" => {
                battery = true;
                discharging |= read("status") == "Discharging";
            }
            _ => {}
        }
    }
    Some(battery && (discharging || unplugged))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Supplies as (name, [(file, content)]).
    fn folder(supplies: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, files) in supplies {
            fs::create_dir(folder.path().join(name)).unwrap();
            for (file, content) in *files {
                fs::write(folder.path().join(name).join(file), format!("{content}\n")).unwrap();
            }
        }
        folder
    }

    fn battery(status: &str) -> [(&'static str, &str); 3] {
        [("type", "Battery"), ("present", "1"), ("status", status)]
    }

    const PLUGGED: &[(&str, &str)] = &[("type", "Mains"), ("online", "1")];
    const UNPLUGGED: &[(&str, &str)] = &[("type", "Mains"), ("online", "0")];

    #[test]
    fn mains_decide_then_the_battery() {
        let said = |supplies: &[(&str, &[(&str, &str)])]| of(folder(supplies).path());
        assert_eq!(said(&[]), Some(false), "no battery, no question");
        assert_eq!(said(&[("AC", PLUGGED), ("BAT0", &battery("Discharging"))]), Some(false));
        assert_eq!(
            said(&[("AC", UNPLUGGED), ("BAT0", &battery("Discharging"))]),
            Some(true)
        );
        assert_eq!(said(&[("AC", UNPLUGGED), ("BAT0", &battery("Full"))]), Some(true));
        assert_eq!(said(&[("AC", UNPLUGGED)]), Some(false), "it runs, so on something else");
        // Charged by USB: there is no mains supply at all.
        assert_eq!(said(&[("BAT0", &battery("Charging"))]), Some(false));
        assert_eq!(said(&[("BAT0", &battery("Discharging"))]), Some(true));
        assert_eq!(
            said(&[("BAT0", &battery("Charging")), ("BAT1", &battery("Discharging"))]),
            Some(true)
        );
        let mouse: &[(&str, &str)] = &[("type", "Battery"), ("scope", "Device"), ("status", "Discharging")];
        assert_eq!(said(&[("hidpp_battery_0", mouse)]), Some(false));
        let gone: &[(&str, &str)] = &[("type", "Battery"), ("present", "0"), ("status", "Unknown")];
        assert_eq!(said(&[("AC", UNPLUGGED), ("BAT0", gone)]), Some(false));
        let ups: &[(&str, &str)] = &[("type", "UPS"), ("status", "Discharging")];
        assert_eq!(said(&[("ups", ups)]), Some(true));
        assert_eq!(of(Path::new("/nonexistent")), None);
    }
}
