//! Saved views of the status view.

use crate::error::{Error, Result};
use domain::{AccountId, ViewId};
use sqlx::SqliteConnection;
use view::{PatchFilter, SavedView};

/// The saved views of an account, by name.
///
/// # Errors
/// When the database fails.
pub async fn of_account(conn: &mut SqliteConnection, account: AccountId) -> Result<Vec<SavedView>> {
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT id, name, filter FROM saved_view WHERE account_id = ? ORDER BY name")
            .bind(account.0)
            .fetch_all(conn)
            .await?;
    let read = |(id, name, filter): (i64, String, String)| {
        Ok(SavedView {
            id: ViewId(id),
            name,
            filter: serde_json::from_str(&filter)
                .map_err(|error| Error::Inconsistent(format!("saved view {id}: {error}")))?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Saves a view; one of the same name is replaced.
///
/// # Errors
/// When the database fails.
pub async fn put(conn: &mut SqliteConnection, account: AccountId, name: &str, filter: &PatchFilter) -> Result<()> {
    let filter = serde_json::to_string(filter).map_err(|error| Error::Inconsistent(format!("a filter: {error}")))?;
    sqlx::query(
        "INSERT INTO saved_view (account_id, name, filter) VALUES (?, ?, ?)
         ON CONFLICT (account_id, name) DO UPDATE SET name = excluded.name, filter = excluded.filter",
    )
    .bind(account.0)
    .bind(name)
    .bind(filter)
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes a view of an account; false when the account has no such view.
///
/// # Errors
/// When the database fails.
pub async fn delete(conn: &mut SqliteConnection, account: AccountId, id: ViewId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM saved_view WHERE id = ? AND account_id = ?")
        .bind(id.0)
        .bind(account.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}
