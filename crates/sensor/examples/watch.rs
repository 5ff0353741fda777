//! Prints what the sensor sees for some seconds (as root): `cargo run -p procwire-sensor --example watch -- 5`.

use std::time::{Duration, Instant};

use procwire_sensor::processes::Guids;
use procwire_sensor::{Sensor, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds: u64 = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let guids = Guids { machine_id: 1, boot_time_ns: 0 };
    let settings = Settings {
        ring_bytes: 16 << 20,
        udp: true,
        udp_idle_s: 1800.0,
        attempts: true,
        closes: true,
        existing: true,
        guids,
    };
    let mut sensor = Sensor::start(None, &settings)?;
    for hook in sensor.hooks() {
        eprintln!("{} {} {}", hook.name, hook.attached, hook.reason.as_deref().unwrap_or(""));
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        if let Some(batch) = sensor.step(Duration::from_millis(200))? {
            let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
            for row in 0..batch.num_rows() {
                for (name, column) in names.iter().zip(batch.columns()) {
                    if !column.is_null(row) {
                        print!("{name}={} ", value(column, row));
                    }
                }
                println!();
            }
        }
    }
    eprintln!("lost: {:?}, warnings: {:?}", sensor.losses(), sensor.warnings());
    Ok(())
}

fn value(column: &arrow_array::ArrayRef, row: usize) -> String {
    let text = format!("{:?}", column.slice(row, 1));
    text.lines().nth(2).unwrap_or_default().trim().trim_end_matches(',').to_owned()
}
