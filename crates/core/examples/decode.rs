//! Decodes a file in one thread and counts: for profilers, which want no Python around.

use std::time::Instant;

use procwire_core::scan::decode;
use procwire_core::stream::Options;

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let bytes = std::fs::read(&path)?;
        let start = Instant::now();
        let (batches, account) = decode(&path, &bytes, Options::default());
        let seconds = start.elapsed().as_secs_f64();
        let rows: usize = batches.iter().map(|(_, batch)| batch.num_rows()).sum();
        println!(
            "{path}: {rows} rows of {} records, {:.0} MB/s",
            account.ledger.records,
            bytes.len() as f64 / 1e6 / seconds
        );
    }
    Ok(())
}
