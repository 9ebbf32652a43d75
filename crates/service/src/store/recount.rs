//! Counts that are kept, against the rows that they count. Reads everything: for tests, simulation and `patchward check`.

use crate::error::Result;
use sqlx::SqliteConnection;

/// One count that is not what its rows say, in words. Empty = every count holds.
///
/// # Errors
/// When the database fails.
pub async fn differences(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    let mut all: Vec<String> = sqlx::query_scalar(
        "WITH truth AS (
            SELECT p.id,
                   sum(s.state IN (4, 5, 6, 7)) AS missing, sum(s.state IN (3, 10)) AS installed, sum(s.state = 11) AS failed,
                   sum(s.state IN (8, 9)) AS pending, sum(s.state = 0) AS unknown, sum(s.state = 2) AS superseded, sum(s.state = 12) AS back
            FROM patch p LEFT JOIN device_patch s ON s.patch_id = p.id GROUP BY p.id)
         SELECT format('patch %d: kept %s, counted %s', p.id,
                       json_array(n_missing, n_installed, n_failed, n_pending, n_unknown, n_superseded, n_rolled_back),
                       json_array(missing, installed, failed, pending, unknown, superseded, back))
         FROM patch p JOIN truth t ON t.id = p.id
         WHERE (n_missing, n_installed, n_failed, n_pending, n_unknown, n_superseded, n_rolled_back)
            IS NOT (coalesce(missing, 0), coalesce(installed, 0), coalesce(failed, 0), coalesce(pending, 0), coalesce(unknown, 0),
                    coalesce(superseded, 0), coalesce(back, 0))",
    )
    .fetch_all(&mut *conn)
    .await?;
    all.extend(
        sqlx::query_scalar::<_, String>(
            "WITH truth AS (
                SELECT d.id, coalesce(sum(s.state IN (4, 5, 6, 7, 11, 12)), 0) AS open,
                       coalesce(sum(s.state IN (4, 5, 6, 7, 11, 12) AND p.category = 1), 0) AS security,
                       coalesce(sum(s.state = 11), 0) AS failed, coalesce(sum(s.state IN (8, 9)), 0) AS pending
                FROM device d LEFT JOIN device_patch s ON s.device_id = d.id LEFT JOIN patch p ON p.id = s.patch_id GROUP BY d.id)
             SELECT format('device %d: kept %s, counted %s', d.id, json_array(n_open, n_security, n_failed, n_pending),
                           json_array(open, security, failed, pending))
             FROM device d JOIN truth t ON t.id = d.id
             WHERE (n_open, n_security, n_failed, n_pending) IS NOT (open, security, failed, pending)",
        )
        .fetch_all(&mut *conn)
        .await?,
    );
    all.extend(
        sqlx::query_scalar::<_, String>(
            "SELECT format('devices in state %d, unseen %d: kept %d, counted %d', f.state, f.unseen, f.n, count(d.id))
             FROM fleet_count f LEFT JOIN device d ON d.state = f.state AND (d.silent <> 0 OR d.last_scan_at IS NULL) = f.unseen
             GROUP BY f.state, f.unseen HAVING f.n <> count(d.id)",
        )
        .fetch_all(&mut *conn)
        .await?,
    );
    all.extend(
        sqlx::query_scalar::<_, String>(
            "SELECT format('attempts in state %d: kept %d, counted %d', s.state, coalesce(c.n, 0), coalesce(t.n, 0))
             FROM (SELECT state FROM attempt_count UNION SELECT state FROM attempt) s LEFT JOIN attempt_count c ON c.state = s.state
                  LEFT JOIN (SELECT state, count(*) AS n FROM attempt GROUP BY state) t ON t.state = s.state
             WHERE coalesce(c.n, 0) <> coalesce(t.n, 0)",
        )
        .fetch_all(&mut *conn)
        .await?,
    );
    Ok(all)
}
