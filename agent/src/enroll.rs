//! Makes a device known to a server. Nothing of an earlier enrolment is given up before the server has taken the new one, and whatever is
//! lost on the way, the same command again comes to an end.

use crate::{
    config::{Enrolment, Home},
    driver, files,
    identity::Identity,
    inventory,
    transport::{self, CallError, Network},
};
use anyhow::{Context, Result, bail};
use protocol::v1::{EnrollReply, RefusalCode};
use std::{fs, io};

/// The new enrolment, until everything of the old one is put aside.
const NEXT: &str = "enrolment.next";

/// What a token is used for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// Address of the server.
    pub server: &'a str,
    /// The one-time token.
    pub token: &'a str,
    /// The device never installs.
    pub scan_only: bool,
    /// With a new key, whatever was before.
    pub again: bool,
}

/// Enrols.
///
/// # Errors
/// In words for the person who enrols; what the device had before is then still in place.
pub fn enroll<N: Network>(network: &mut N, home: &Home, wish: Wish) -> Result<EnrollReply> {
    finish(home)?;
    let host = inventory::host();
    let mut ask = |identity: &Identity| {
        transport::enroll(network, wish.server, wish.token, identity, host.clone(), wish.scan_only)
    };
    if !wish.again {
        if let Some(old) = home.load::<Enrolment>(Enrolment::FILE)? {
            bail!(
                "this device is already enrolled at {} as device {}; to enrol it anew, add --again",
                old.server,
                old.device
            );
        }
        // Kept before it is told: after a lost reply the same token and key are the same device.
        let (enrolment, reply) = ask(&Identity::open(home)?)?;
        home.publish(Enrolment::FILE, &enrolment)?;
        return Ok(reply);
    }
    let answer = match ask(&Identity::open_next(home)?) {
        // The server knows this key from an earlier try whose reply was lost, with another token.
        Err(CallError::Refused(r)) if matches!(r.code, RefusalCode::Stale | RefusalCode::Revoked) => {
            Identity::forget_next(home)?;
            ask(&Identity::open_next(home)?)
        }
        other => other,
    };
    let (enrolment, reply) = answer?;
    home.publish(NEXT, &enrolment)?;
    finish(home)?;
    Ok(reply)
}

/// Whether a new enrolment is there and the old one not yet put aside: a crash came in between.
#[must_use]
pub fn unfinished(home: &Home) -> bool {
    home.path(NEXT).exists()
}

/// Puts the old enrolment aside and the new one in its place, if there is one. A new enrolment starts with nothing of the old one; what
/// there was is kept beside, for people. Any part of it may have been done before a crash.
///
/// # Errors
/// Whatever the file system says; the next call goes on.
pub fn finish(home: &Home) -> Result<()> {
    if !unfinished(home) {
        return Ok(());
    }
    let rename = |from: &str, to: &str| {
        let (from, to) = (home.path(from), home.path(to));
        match fs::rename(&from, &to) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).context(from.display().to_string()),
            _ => Ok(()),
        }
    };
    // As long as the new key lies beside, what has the old names is of the old enrolment.
    if home.path(Identity::NEXT).exists() {
        for name in [
            "seq",
            Enrolment::FILE,
            driver::KEPT_FILE,
            driver::JOURNAL_FILE,
            "inventory.json",
            Identity::FILE,
        ] {
            rename(name, &format!("{name}.old"))?;
        }
        files::sync_parent(&home.path(Identity::FILE))?;
        rename(Identity::NEXT, Identity::FILE)?;
        files::sync_parent(&home.path(Identity::FILE))?;
    }
    rename(NEXT, Enrolment::FILE)?;
    files::sync_parent(&home.path(Enrolment::FILE))?;
    Ok(())
}
