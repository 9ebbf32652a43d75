//! The audit log: appended only, chained, searchable (I-24).

use crate::support::*;
use service::Error;
use view::AuditFilter;

async fn ask(w: &World, q: &str, page: u32) -> view::AuditPage {
    w.service
        .audit(&w.administrator, &AuditFilter { q: q.into(), page })
        .await
        .unwrap()
}

#[tokio::test]
async fn records_can_be_neither_changed_nor_removed() {
    let w = world().await;
    for sql in [
        "UPDATE audit SET reason = 'x'",
        "DELETE FROM audit",
        "UPDATE audit_object SET word = 'x'",
        "DELETE FROM audit_object",
        "INSERT OR REPLACE INTO audit SELECT seq, at, 'x', action, object, before, after, reason, prev_hash, hash FROM audit",
    ] {
        let before = w.dump().await;
        let refused = w.run(sql).await;
        assert!(refused.is_err() && w.dump().await == before, "{sql}: {refused:?}");
    }
}

#[tokio::test]
async fn a_changed_record_is_found() {
    for sql in [
        "UPDATE audit SET reason = 'another' WHERE seq = 3",
        "UPDATE audit SET at = at + 1 WHERE seq = 3",
        "UPDATE audit SET after = NULL WHERE seq = 3",
        "UPDATE audit SET actor = 'account:2 bert' WHERE seq = 3",
        "UPDATE audit SET hash = zeroblob(32) WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 3",
        "UPDATE audit SET seq = 99 WHERE seq = 3",
    ] {
        let w = world().await;
        let patch = w.patch("a", "1").await;
        for n in 0..4 {
            w.service
                .hold(&w.administrator, patch, &format!("reason {n}"))
                .await
                .unwrap();
        }
        let (count, head) = w.service.verify_audit().await.unwrap();
        assert_eq!((count, head.len()), (5, 64));
        for trigger in ["DROP TRIGGER audit_no_update", "DROP TRIGGER audit_no_delete"] {
            w.run(trigger).await.unwrap();
        }
        sqlx::query("PRAGMA foreign_keys = OFF")
            .execute(&mut w.conn().await)
            .await
            .unwrap();
        let mut conn = w.conn().await;
        sqlx::query("PRAGMA foreign_keys = OFF")
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::query(sql).execute(&mut conn).await.unwrap();
        let found = w.service.verify_audit().await;
        assert!(
            matches!(&found, Err(Error::Inconsistent(text)) if text.contains("audit record")),
            "{sql}: {found:?}"
        );
    }
}

#[tokio::test]
async fn the_log_is_read_newest_first_and_searched() {
    let w = world().await;
    let (one, twelve) = (w.patch("a", "1").await, w.patch("b", "1").await);
    for n in 0..60 {
        w.service
            .hold(
                &w.administrator,
                if n % 3 == 0 { twelve } else { one },
                &format!("reason {n}"),
            )
            .await
            .unwrap();
    }
    let all = ask(&w, "", 1).await;
    assert_eq!((all.total, all.pages, all.rows.len(), all.rows[0].seq), (61, 2, 50, 61));
    assert_eq!(
        ask(&w, "", 2).await.rows.iter().map(|r| r.seq).collect::<Vec<_>>(),
        (1..=11).rev().collect::<Vec<_>>()
    );
    assert_eq!(ask(&w, "", 99).await.page, 2);
    assert_eq!(ask(&w, "patch:1", 1).await.total, 40, "exactly that object");
    assert_eq!(ask(&w, "patch:2", 1).await.total, 20);
    assert_eq!(ask(&w, "patch:", 1).await.total, 60);
    assert_eq!(ask(&w, "reason 59", 1).await.total, 1);
    assert_eq!(ask(&w, "rollout.HELD", 2).await.rows.len(), 10);
    assert_eq!(ask(&w, "anna", 1).await.total, 60);
    assert_eq!(ask(&w, "100%", 1).await.total, 0);
    assert!(all.rows[0].hash.len() == 16 && all.rows[0].reason == "reason 59");
}
