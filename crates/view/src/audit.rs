//! The audit log.

use domain::Moment;
use serde::{Deserialize, Serialize};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Number.
    pub seq: i64,
    /// When.
    pub at: Moment,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub object: String,
    /// Before, JSON.
    pub before: Option<String>,
    /// After, JSON.
    pub after: Option<String>,
    /// Why.
    pub reason: String,
    /// First 16 hex digits of the record's hash.
    pub hash: String,
}

/// One page of the log, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditPage {
    /// Rows.
    pub rows: Vec<AuditRow>,
    /// Matching records.
    pub total: u32,
    /// This page, from 1.
    pub page: u32,
    /// Pages.
    pub pages: u32,
}
