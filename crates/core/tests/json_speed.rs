//! How fast a log is cut and decoded, in one thread:
//! `PROCWIRE_LOGS="<file> <file>" cargo test --release -p procwire-core --test json_speed -- --ignored --nocapture`.

use std::time::Instant;

use procwire_core::stream::{Options, Stream};

const BLOCK_BYTES: usize = 1 << 20;

#[test]
#[ignore = "needs PROCWIRE_LOGS, and a machine at rest"]
fn speed_of_cutting_and_decoding() {
    for path in std::env::var("PROCWIRE_LOGS").expect("PROCWIRE_LOGS names files").split(' ') {
        let bytes = std::fs::read(path).unwrap();
        let mut best = (f64::MAX, f64::MAX);
        let mut events = 0;
        for _ in 0..5 {
            let mut stream = Stream::new(path, Options::default());
            let blocks: Vec<Vec<u8>> = bytes.chunks(BLOCK_BYTES).map(<[u8]>::to_vec).collect();
            let (mut cut_s, mut decode_s, mut jobs) = (0.0, 0.0, Vec::new());
            let mut left = blocks.len();
            events = 0;
            for block in blocks {
                left -= 1;
                let start = Instant::now();
                stream.feed(block, left == 0, &mut jobs);
                cut_s += start.elapsed().as_secs_f64();
                let start = Instant::now();
                for job in jobs.drain(..) {
                    let (_, ledger, _) = job.run();
                    events += ledger.rows();
                }
                decode_s += start.elapsed().as_secs_f64();
            }
            best = (best.0.min(cut_s), best.1.min(decode_s));
        }
        let mb = bytes.len() as f64 / 1e6;
        println!("{path}: {mb:.0} MB, {events} events, cut {:.0} MB/s, decode {:.0} MB/s", mb / best.0, mb / best.1);
    }
}
