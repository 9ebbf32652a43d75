//! Whether a restart is owed, and by what evidence. Plain Debian never writes the flag file, so the agent looks for itself.

use domain::compare_debian;
use protocol::{
    ShortText,
    v1::{InstalledPackage, RebootReason},
};
use std::fs;

/// All reasons.
#[must_use]
pub fn reasons(packages: &[InstalledPackage], running: &ShortText, core: &[(String, String)]) -> Vec<RebootReason> {
    let mut out = Vec::new();
    if ["/run/reboot-required", "/var/run/reboot-required"]
        .iter()
        .any(|p| fs::exists(p).unwrap_or(false))
    {
        let names = fs::read_to_string("/run/reboot-required.pkgs").unwrap_or_default();
        let mut packages: Vec<ShortText> = names.lines().take(100).map(ShortText::fit).collect();
        packages.sort();
        packages.dedup();
        out.push(RebootReason::FlagFile { packages });
    }
    let built = fs::read_to_string("/proc/version").unwrap_or_default();
    out.extend(kernel(packages, running.as_str(), &built));
    out.extend(core.iter().take(10).map(|(process, file)| RebootReason::CoreProcess {
        process: ShortText::fit(process),
        file: ShortText::fit(file),
    }));
    out
}

/// A newer kernel than the running one, of the same flavour (`amd64`, `cloud-amd64`, `generic`), is installed; or the running one's own
/// package has a newer build than runs. Says nothing where the kernel does not come from a package, e.g. in a container.
fn kernel(packages: &[InstalledPackage], running: &str, built: &str) -> Option<RebootReason> {
    let images: Vec<(&str, &str)> = packages
        .iter()
        .filter_map(|p| Some((p.name.as_str().strip_prefix("linux-image-")?, p.version.as_str())))
        .map(|(name, version)| (name.strip_prefix("unsigned-").unwrap_or(name), version))
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    let reason = |installed: &str| {
        Some(RebootReason::Kernel {
            running: ShortText::fit(running),
            installed: ShortText::fit(installed),
        })
    };
    let newest = images
        .iter()
        .filter(|(name, _)| flavour(name) == flavour(running))
        .max_by(|a, b| compare_debian(a.0, b.0))?;
    if compare_debian(newest.0, running).is_gt() {
        return reason(newest.0);
    }
    let own = images.iter().find(|(name, _)| *name == running)?;
    // `#1 SMP PREEMPT_DYNAMIC Debian 6.1.159-1 (2025-12-30)`
    let runs = built.split_whitespace().skip_while(|w| *w != "Debian").nth(1)?;
    if compare_debian(own.1, runs).is_gt() {
        reason(&format!("{running} {}", own.1))
    } else {
        None
    }
}

/// What follows the version and ABI number: `6.1.0-40-cloud-amd64` → `cloud-amd64`.
fn flavour(release: &str) -> &str {
    release
        .match_indices('-')
        .map(|(at, _)| &release[at + 1..])
        .find(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Arch, PackageName, VersionText};

    fn image(name: &str, version: &str) -> InstalledPackage {
        InstalledPackage {
            name: PackageName::parse(name).unwrap(),
            arch: Arch::parse("amd64").unwrap(),
            version: VersionText::parse(version).unwrap(),
            source: PackageName::parse("linux-signed-amd64").unwrap(),
            source_version: None,
        }
    }

    #[test]
    fn kernels_are_compared_within_their_flavour() {
        let images = [
            image("linux-image-6.1.0-9-amd64", "6.1.27-1"),
            image("linux-image-6.1.0-40-amd64", "6.1.153-1"),
            image("linux-image-6.12.0-1-cloud-amd64", "6.12.1-1"),
            image("linux-image-amd64", "6.1.153-1"),
        ];
        let newer = |running: &str, built: &str| match kernel(&images, running, built) {
            Some(RebootReason::Kernel { installed, .. }) => Some(installed.as_str().to_owned()),
            _ => None,
        };
        assert_eq!(newer("6.1.0-9-amd64", "").as_deref(), Some("6.1.0-40-amd64"));
        assert_eq!(newer("6.1.0-40-amd64", "#1 SMP Debian 6.1.153-1 (2025-09-20)"), None);
        let same_abi = newer("6.1.0-40-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.150-1 (2025-09-01)");
        assert_eq!(same_abi.as_deref(), Some("6.1.0-40-amd64 6.1.153-1"));
        assert_eq!(
            newer("6.8.0-1021-gcp", ""),
            None,
            "the kernel is not from a package of this device"
        );
        assert_eq!(newer("5.15.167.4-microsoft-standard-WSL2", ""), None);
    }
}
