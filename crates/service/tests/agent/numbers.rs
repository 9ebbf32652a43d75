//! What messages cost. Ignored by default: run with `--release -- --ignored --nocapture`.

use crate::support::*;
use protocol::v1::*;

/// User and system time of this process, in microseconds.
fn cpu() -> i64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<i64>().unwrap() + fields[12].parse::<i64>().unwrap()) * 10_000
}

fn big(seed: usize) -> Inventory {
    let names: Vec<String> = (0..200).map(|n| format!("package-{n:03}")).collect();
    let mut scan = inventory(&[], &[]);
    for (n, name) in names.iter().enumerate() {
        scan.packages.push(package(name, &format!("1.{}-1+deb12u1", n % 7)));
        if (n + seed) % 200 < 30 {
            scan.updates.push(update(
                name,
                &format!("1.{}-1+deb12u1", n % 7),
                "2.0-1+deb12u2",
                n % 2 == 0,
            ));
        }
    }
    scan.host.hostname = short(&format!("host-{seed:05}"));
    scan.normalize();
    scan
}

#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn reports_and_check_ins() {
    let server = server().await;
    let token = server.token(Some(2), true, 10_000).await;
    let mut devices: Vec<Device> = Vec::new();
    let total: usize = std::env::var("DEVICES")
        .ok()
        .and_then(|t| t.parse().ok())
        .unwrap_or(1_000);
    for n in 0..total {
        let mut device = Device::new(0);
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&(n as u64).to_le_bytes());
        device.key = ed25519_dalek::SigningKey::from_bytes(&seed);
        device.enrol(&server, &token).await;
        devices.push(device);
    }
    let marks = [100, 1_000, 3_000, 10_000];
    let mut done = 0;
    while done < total {
        let end = (done + 100).min(total);
        let bodies: Vec<Vec<u8>> = (done..end)
            .map(|n| {
                let scan = big(n % 40);
                devices[n].inventory = scan.clone();
                devices[n].seal(full(&scan))
            })
            .collect();
        let signatures: Vec<String> = (done..end)
            .map(|n| protocol::sign::sign_request(&devices[n].key, REPORT, &bodies[n - done]))
            .collect();
        let start = cpu();
        for n in done..end {
            let reply = server
                .service
                .agent(REPORT, &devices[n].key_id(), &signatures[n - done], &bodies[n - done])
                .await;
            assert_eq!(reply.status, 200);
        }
        let spent = cpu() - start;
        done = end;
        if marks.contains(&done) || done == total || done == 200 {
            println!(
                "{done} devices: {} µs a full report of {} bytes",
                spent / 100,
                bodies[0].len()
            );
        }
    }
    let mut sealed = Vec::new();
    for _ in 0..4 {
        for device in devices.iter_mut().take(1_000) {
            let message = device.check_in_message();
            let body = device.seal(message);
            let signature = protocol::sign::sign_request(&device.key, CHECK_IN, &body);
            sealed.push((device.key_id(), signature, body));
        }
    }
    let start = cpu();
    for (key, signature, body) in &sealed {
        assert_eq!(server.service.agent(CHECK_IN, key, signature, body).await.status, 200);
    }
    println!("{} µs a check-in without news", (cpu() - start) / sealed.len() as i64);
    server.service.flush_contacts().await.unwrap();
    let mut sql = server.sql().await;
    let pages: i64 = sqlx::query_scalar("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    println!("{} bytes a device", pages / total as i64);
    server.recount().await;
}
