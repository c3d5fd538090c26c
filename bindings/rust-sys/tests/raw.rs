// raw.rs - the functions of nigh.h, called as C does: an index in memory of the caller's
// SPDX-License-Identifier: MIT OR Apache-2.0
use core::ffi::{c_void, CStr};
use core::ptr;

use nigh_sys::*;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

fn memory(bytes: u64) -> Vec<Line> {
    vec![Line([0; 64]); (bytes as usize).div_ceil(64)]
}

fn ok(status: nigh_status) {
    let text = unsafe { CStr::from_ptr(nigh_status_text(status)) };
    assert_eq!(status, NIGH_OK, "{}", text.to_str().unwrap());
}

#[test]
fn version_is_the_crates() {
    let parts: Vec<u32> =
        env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse().unwrap()).collect();
    assert_eq!(unsafe { nigh_version() }, parts[0] << 16 | parts[1] << 8 | parts[2]);
    assert_ne!(unsafe { nigh_features() } & NIGH_CPU_SCALAR, 0);
}

#[test]
fn insert_and_search() {
    let config =
        nigh_config { dim: 2, metric: NIGH_METRIC_L2, dtype: NIGH_DTYPE_F32, ..Default::default() };
    let options = nigh_options { slot_max: 100, ..Default::default() };
    let (mut bytes, mut done, mut found) = (0, 0, 0);
    let (mut index, mut session) = (ptr::null_mut(), ptr::null_mut());
    unsafe {
        ok(nigh_index_bytes(&config, &options, &mut bytes));
        let mut handle = memory(bytes);
        let refused =
            nigh_index_init(&config, &options, handle.as_mut_ptr().cast(), bytes - 1, &mut index);
        assert_eq!(refused, NIGH_E_MEMORY);
        ok(nigh_index_init(&config, &options, handle.as_mut_ptr().cast(), bytes, &mut index));
        ok(nigh_writer_bytes(index, &mut bytes));
        let mut writer = memory(bytes);
        ok(nigh_writer_init(index, writer.as_mut_ptr().cast(), bytes));
        ok(nigh_grow_bytes(index, 100, 0, &mut bytes));
        let mut room = memory(bytes);
        ok(nigh_grow(index, 100, 0, room.as_mut_ptr().cast(), bytes));
        ok(nigh_session_bytes(index, ptr::null(), &mut bytes));
        let mut scratch = memory(bytes);
        ok(nigh_session_init(index, ptr::null(), scratch.as_mut_ptr().cast(), bytes, &mut session));
        let keys = [10u64, 20, 30];
        let points = [[0.0f32, 1.0], [1.0, 0.0], [4.0, 4.0]];
        let rows = points.as_ptr().cast::<c_void>();
        let from = keys.as_ptr().cast::<c_void>();
        ok(nigh_insert(index, session, 0, from, ptr::null(), rows, 3, &mut done));
        assert_eq!(done, 3);
        let (mut near, mut distances) = ([0u64; 2], [0f32; 2]);
        let query = [3.0f32, 3.0];
        ok(nigh_search(
            index,
            session,
            query.as_ptr().cast(),
            ptr::null(),
            2,
            near.as_mut_ptr().cast(),
            ptr::null_mut(),
            distances.as_mut_ptr(),
            ptr::null_mut(),
            &mut found,
        ));
        assert_eq!((found, near, distances), (2, [30, 10], [2.0, 13.0]));
    }
}
