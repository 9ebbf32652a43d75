//! A decision as its form sends it. Without JavaScript a refused one comes back with everything that was chosen, in the address.

use crate::address::{self, Query};
use crate::answer::{finish_with, params, parse, parse_field, wanted_page, without_script};
use crate::api::patches::{AllMatching, Decide, Ticks};
use crate::ctx;
use crate::error::AppError;
use crate::notice::{Notice, SAID};
use server_fn::ServerFn as _;
use server_fn::error::ServerFnUrlError;
use service::commands::decide::{Also, Selection, Shown, Verb, urgency};
use view::{Field, UiError};

/// The page that the form is on.
const PAGE: &str = "/patches/decide";
/// Browsers and proxies carry addresses of this length; a longer reason is not brought back.
const LONGEST: usize = 1_500;
/// What an address of the page says about the form, besides what the decision is about.
const CHOSEN: [&str; 7] = [
    "for",
    "urgent",
    "outside_windows",
    "with_superseded",
    "without_plan",
    "reason",
    "reason_gone",
];

/// What the form says.
pub struct Typed {
    /// `approve`, `deny` or `withdraw`.
    pub verb: String,
    /// For which ring.
    pub ring: String,
    /// Patches as `id.revision` with commas between, or nothing for all that match.
    pub selection: String,
    /// Which those were.
    pub all: AllMatching,
    /// Why.
    pub reason: String,
    /// The page to go to afterwards.
    pub back: String,
    /// What was ticked.
    pub ticks: Ticks,
}

fn ticked(tick: &str) -> bool {
    tick == "1"
}

impl Typed {
    /// Decides.
    ///
    /// # Errors
    /// As the service does, and for what no form of ours sends.
    pub async fn carry_out(&self) -> Result<(), AppError> {
        let actor = ctx::actor()?;
        let ring = parse_field(&self.ring, Field::Ring)?;
        let (verb, notice) = match self.verb.as_str() {
            "approve" => {
                let urgent = urgency(ticked(&self.ticks.urgent), ticked(&self.ticks.outside_windows))?;
                (Verb::Approve { urgent }, Notice::Approved)
            }
            "deny" => (Verb::Deny, Notice::Denied),
            "withdraw" => (Verb::Withdraw, Notice::Withdrawn),
            _ => return Err(AppError(UiError::NotFound)),
        };
        let also = Also {
            superseded: ticked(&self.ticks.with_superseded),
            without_plan: ticked(&self.ticks.without_plan),
        };
        let done = ctx::service()
            .decide_also(&actor, self.selection()?, ring, verb, &self.reason, also)
            .await?;
        let numbers = [
            ("n", done.decided.len()),
            ("left", done.left_out.len()),
            ("late", usize::try_from(done.too_late).unwrap_or(usize::MAX)),
        ];
        finish_with(&self.back, notice, &numbers);
        Ok(())
    }

    fn selection(&self) -> Result<Selection, AppError> {
        if self.selection.is_empty() {
            let shown = Shown {
                count: parse(&self.all.count)?,
                fingerprint: self.all.fingerprint.clone(),
            };
            return Ok(Selection::Matching(
                address::patch_filter(&params(&self.all.matching)),
                shown,
            ));
        }
        let mut these = Vec::new();
        for word in self.selection.split(',') {
            let (id, revision) = word.split_once('.').unwrap_or((word, ""));
            these.push((parse(id)?, Some(parse(revision)?)));
        }
        Ok(Selection::These(these))
    }

    /// It was refused: without JavaScript leads back to the form as it was filled in.
    pub fn way_back(&self, refusal: &AppError) {
        if without_script()
            && let Some(page) = self.filled_in(&wanted_page(), refusal)
        {
            leptos_axum::redirect(&page);
        }
    }

    /// The address of the form that was sent from the page `from`, with what was chosen in it and what is said about it.
    fn filled_in(&self, from: &str, refusal: &AppError) -> Option<String> {
        let (path, about) = from.split_once('?')?;
        if path != PAGE {
            return None;
        }
        let about = about.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !name.is_empty() && !CHOSEN.contains(&name) && !SAID.contains(&name)
        });
        let mut page = format!("{PAGE}?{}", about.collect::<Vec<_>>().join("&"));
        let mut chosen = Query::default();
        chosen.some("for", &self.ring);
        // Said in any case: the address may be one that asks for an urgent approval, and the tick was taken off.
        chosen.add("urgent", if ticked(&self.ticks.urgent) { "1" } else { "0" });
        chosen.some("outside_windows", &self.ticks.outside_windows);
        chosen.some("with_superseded", &self.ticks.with_superseded);
        chosen.some("without_plan", &self.ticks.without_plan);
        let mut reason = Query::default();
        reason.some("reason", self.reason.trim());
        if page.len() + chosen.text().len() + reason.text().len() > LONGEST {
            reason = Query::default();
            reason.add("reason_gone", "1");
        }
        for part in [chosen, reason] {
            if !part.text().is_empty() {
                page.push('&');
                page.push_str(part.text());
            }
        }
        // Written as for every other form that comes back; only the path and the query are ours.
        let refused = ServerFnUrlError::new(Decide::PATH, refusal.clone());
        let refused = refused.to_url(&format!("http://localhost{page}")).ok()?;
        Some(format!("{PAGE}?{}", refused.query()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use view::Why;

    fn typed(reason: &str) -> Typed {
        Typed {
            verb: "approve".to_owned(),
            ring: "2".to_owned(),
            selection: "1.3,2.1".to_owned(),
            all: AllMatching::default(),
            reason: reason.to_owned(),
            back: "/patches".to_owned(),
            ticks: Ticks {
                outside_windows: "1".to_owned(),
                ..Ticks::default()
            },
        }
    }

    fn filled_in(reason: &str, from: &str) -> Option<String> {
        let refusal = AppError(UiError::Refused {
            why: Why::NoRollbackPlan,
        });
        typed(reason).filled_in(from, &refusal)
    }

    #[test]
    fn a_refused_form_comes_back_as_it_was_filled_in() {
        let from = "/patches/decide?verb=urgent&sel=1.3&sel=2.1&for=1&q=a%20b&urgent=1&reason=old&__path=x&__err=y";
        let page = filled_in("exploited & open", from).unwrap();
        let (about, said) = page.split_once("&__path=").unwrap();
        assert_eq!(
            about,
            "/patches/decide?verb=urgent&sel=1.3&sel=2.1&q=a%20b&for=2&urgent=0&outside_windows=1&reason=exploited%20%26%20open"
        );
        let (_, error) = said.split_once("&__err=").unwrap();
        let error = ServerFnUrlError::<AppError>::decode_err(&params(&format!("e={error}")).get("e").unwrap());
        assert_eq!(
            error.0,
            UiError::Refused {
                why: Why::NoRollbackPlan
            }
        );
        assert_eq!(filled_in("x", "/patches"), None);
        assert_eq!(filled_in("x", "/patches/decide"), None, "about nothing");
    }

    #[test]
    fn a_reason_that_would_make_the_address_too_long_is_said_to_be_gone() {
        let page = filled_in(&"é".repeat(900), "/patches/decide?verb=approve&sel=1.3").unwrap();
        assert!(
            page.contains("&urgent=0&outside_windows=1&reason_gone=1&__path="),
            "{page}"
        );
        assert!(page.len() < LONGEST, "{}", page.len());
    }
}
