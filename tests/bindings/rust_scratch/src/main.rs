// main.rs - the answers as lines of golden.tsv, and their digest
// SPDX-License-Identifier: MIT OR Apache-2.0
fn main() {
    let path = concat!(env!("NIGH_GOLDEN"), "/u64.nigh");
    let index = nigh::Index::<u64>::load_from(std::fs::File::open(path).unwrap()).unwrap();
    scratch::answers(&index, |ef, query, rank, key, distance, slot| {
        let bits = distance.to_bits();
        println!("u64\t{ef}\t{query}\t{rank}\t{key}\t{bits:08x}\t{slot}");
    });
    println!("digest {}", scratch::digest());
}
