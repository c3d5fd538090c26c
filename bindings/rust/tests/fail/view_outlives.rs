// view_outlives.rs - an index is used after the image that it borrows
// SPDX-License-Identifier: MIT OR Apache-2.0
use nigh::OpenOptions;

fn main() {
    let image = vec![0u8; 4096];
    let view = OpenOptions::<f32>::new().attach::<u64>(&image).unwrap();
    drop(image);
    view.search(&[0.0], 1).unwrap();
}
