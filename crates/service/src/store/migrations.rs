//! The steps from an empty database to today's, inside the binary. Forward only: a file that was released never changes.
//!
//! Listed by hand: the macro that would list them makes every build compile SQLite twice, once for the macro itself.

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};
use std::sync::LazyLock;

/// Number, name and text of every file in `/migrations`.
const FILES: [(i64, &str, &str); 18] = [
    (1, "core", include_str!("../../../../migrations/0001_core.sql")),
    (2, "schedule", include_str!("../../../../migrations/0002_schedule.sql")),
    (
        3,
        "seen hours",
        include_str!("../../../../migrations/0003_seen_hours.sql"),
    ),
    (4, "rings", include_str!("../../../../migrations/0004_rings.sql")),
    (5, "facts", include_str!("../../../../migrations/0005_facts.sql")),
    (6, "measured", include_str!("../../../../migrations/0006_measured.sql")),
    (7, "order", include_str!("../../../../migrations/0007_order.sql")),
    (8, "clock", include_str!("../../../../migrations/0008_clock.sql")),
    (9, "rounds", include_str!("../../../../migrations/0009_rounds.sql")),
    (
        12,
        "saved views",
        include_str!("../../../../migrations/0012_saved_views.sql"),
    ),
    (13, "asked", include_str!("../../../../migrations/0013_asked.sql")),
    (14, "power", include_str!("../../../../migrations/0014_power.sql")),
    (
        16,
        "round opening",
        include_str!("../../../../migrations/0016_round_opening.sql"),
    ),
    (17, "tries", include_str!("../../../../migrations/0017_tries.sql")),
    (
        18,
        "rollback plans",
        include_str!("../../../../migrations/0018_rollback_plans.sql"),
    ),
    (19, "bytes", include_str!("../../../../migrations/0019_bytes.sql")),
    (
        20,
        "attempt counts",
        include_str!("../../../../migrations/0020_attempt_counts.sql"),
    ),
    (
        21,
        "device contact",
        include_str!("../../../../migrations/0021_device_contact.sql"),
    ),
];

/// The database's migrations.
pub static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let all = FILES.map(|(number, name, sql)| {
        Migration::new(number, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(all.into())
});

#[cfg(test)]
mod tests {
    use super::FILES;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn every_file_is_a_step_under_its_number_and_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let there = fs::read_dir(folder).unwrap().map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        });
        let listed = FILES.iter().map(|(number, name, sql)| {
            let file = format!("{number:04}_{}.sql", name.replace(' ', "_"));
            (file, (*sql).to_owned())
        });
        assert_eq!(listed.clone().collect::<BTreeSet<_>>(), there.collect::<BTreeSet<_>>());
        assert!(FILES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
