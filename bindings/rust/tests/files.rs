// files.rs - saving and opening: streams, files, mappings, memory that is borrowed
// SPDX-License-Identifier: MIT OR Apache-2.0
mod common;

use std::io::{self, Write};
use std::path::PathBuf;

use nigh::{Error, Index, OpenOptions, F16};

/// A folder that is gone in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nigh-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn names(&self) -> Vec<String> {
        let names = std::fs::read_dir(&self.0).unwrap();
        names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn index() -> Index<u64> {
    let index = Index::builder(4).capacity(2000).build().unwrap();
    let rows = common::Random(2).floats(4 * 1000);
    index.build(0..1000, &rows).run().unwrap();
    index
}

#[test]
fn through_streams() {
    let index = index();
    let mut bytes = Vec::new();
    assert_eq!(index.save_to(&mut bytes).unwrap(), bytes.len() as u64);
    assert_eq!(bytes, index.to_bytes().unwrap());
    assert_eq!(index.stats().image_bytes, bytes.len() as u64);
    let again = Index::<u64>::load_from(&bytes[..]).unwrap();
    let query = [0.1, 0.2, 0.3, 0.4];
    assert_eq!(again.search(&query, 9).unwrap(), index.search(&query, 9).unwrap());
    again.insert(5000, &query).unwrap();
    assert_eq!(again.search(&query, 1).unwrap()[0].key, 5000);
    assert!(again.check().unwrap().sound);
    let mut text = Vec::new();
    let strings = Index::<String>::new(1).unwrap();
    strings.insert("a", &[1.0]).unwrap();
    strings.save_to(&mut text).unwrap();
    let strings = Index::<String>::load_from(&text[..]).unwrap();
    for number in 0..2000 {
        strings.insert(&format!("grows {number}"), &[number as f32]).unwrap();
    }
    assert_eq!(strings.len(), 2001);
}

#[test]
fn a_writer_that_fails_is_heard() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("the disk is full"));
            }
            let count = bytes.len().min(self.0);
            self.0 -= count;
            Ok(count)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let index = index();
    for room in [0, 1, 5000] {
        let error = index.save_to(Full(room)).unwrap_err();
        assert!(matches!(&error, Error::Io(_)));
        assert_eq!(error.to_string(), "the disk is full");
    }
    struct Panics;
    impl Write for Panics {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("in a writer")
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let saving = std::panic::AssertUnwindSafe(|| index.save_to(Panics));
    assert!(std::panic::catch_unwind(saving).is_err());
    index.insert(9999, &[0.0; 4]).unwrap();
}

#[test]
fn files_are_replaced_whole() {
    let folder = Folder::new("whole");
    let path = folder.0.join("points.nigh");
    let index = index();
    let bytes = index.save(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
    index.insert(7777, &[9.0; 4]).unwrap();
    index.save(&path).unwrap();
    assert_eq!(folder.names(), ["points.nigh"]);
    let again = Index::<u64>::open(&path).unwrap();
    assert_eq!(again.get(7777).unwrap(), [9.0; 4]);
    assert!(matches!(index.save(folder.0.join("no/such/folder")), Err(Error::Io(_))));
    assert!(matches!(index.save("/"), Err(Error::Invalid(_))));
    assert!(matches!(Index::<u64>::open(folder.0.join("none")), Err(Error::Io(_))));
    std::fs::create_dir(folder.0.join("taken")).unwrap();
    assert!(matches!(index.save(folder.0.join("taken")), Err(Error::Io(_))));
    assert_eq!(folder.names().len(), 2, "a failed save leaves nothing");
}

#[cfg(feature = "mmap")]
#[test]
fn mapped() {
    let folder = Folder::new("mapped");
    let path = folder.0.join("points.nigh");
    let index = index();
    index.save(&path).unwrap();
    // SAFETY: nobody else uses the file.
    let read = unsafe { Index::<u64>::map(&path).unwrap() };
    let query = [0.5, 0.1, -0.3, 0.0];
    assert_eq!(read.search(&query, 5).unwrap(), index.search(&query, 5).unwrap());
    assert!(matches!(read.insert(1, &query), Err(Error::ReadOnly)));
    assert!(matches!(read.build([1], &query).run().unwrap_err().error, Error::ReadOnly));
    drop(read);
    // SAFETY: as above.
    let mut changed: Index<u64> = unsafe { OpenOptions::new().map_mut(&path).unwrap() };
    changed.set(3, &query).unwrap();
    assert!(matches!(changed.insert(5000, &query), Err(Error::Full { .. })));
    drop(changed);
    assert!(matches!(Index::<u64>::open(&path), Err(Error::Unsealed)), "it was not sealed");
    let check: Index<u64> = OpenOptions::new().unsealed(true).open(&path).unwrap();
    assert!(check.check().unwrap().sound);
    index.save(&path).unwrap();
    // SAFETY: as above.
    changed = unsafe { OpenOptions::new().map_mut(&path).unwrap() };
    changed.set(3, &query).unwrap();
    changed.seal().unwrap();
    drop(changed);
    let verified: Index<u64> = OpenOptions::new().verify(true).open(&path).unwrap();
    assert_eq!(verified.get(3).unwrap(), query);
    let mut in_memory = verified;
    in_memory.set(4, &query).unwrap();
    assert!(matches!(in_memory.seal(), Err(Error::Unsupported)), "it has outgrown its image");
}

#[test]
fn borrowed_images() {
    #[repr(align(64))]
    struct Aligned([u8; 1 << 18]);
    let index = index();
    let image = index.to_bytes().unwrap();
    let mut flash = Box::new(Aligned([0; 1 << 18]));
    flash.0[..image.len()].copy_from_slice(&image);
    let view = OpenOptions::<f32>::new().attach::<u64>(&flash.0[..image.len()]).unwrap();
    let query = [0.0; 4];
    assert_eq!(view.search(&query, 5).unwrap(), index.search(&query, 5).unwrap());
    assert!(matches!(view.insert(1, &query), Err(Error::ReadOnly)));
    drop(view);
    flash.0.copy_within(..image.len(), 1);
    let unaligned = OpenOptions::<f32>::new().attach::<u64>(&flash.0[1..=image.len()]);
    assert!(unaligned.err().unwrap().to_string().contains("aligned to 64"));
}

#[test]
fn what_does_not_fit_is_told() {
    let image = index().to_bytes().unwrap();
    let text = |error: Option<Error>| error.unwrap().to_string();
    let wrong = Index::<u64, F16>::from_bytes(&image).err();
    assert_eq!(text(wrong), "elements: the image has f32, expected f16");
    let wrong = Index::<String>::from_bytes(&image).err();
    assert_eq!(text(wrong), "keys: the image has u64, expected byte strings");
    let options = OpenOptions::<f32>::new().distance(|_, _| 0.0);
    let wrong = options.from_bytes::<u64>(&image).err();
    assert_eq!(text(wrong), "distance: the image has one of this library, expected one of its own");
    let wrong = OpenOptions::<f32>::new().store(vec![0.0; 4000]).from_bytes::<u64>(&image).err();
    assert_eq!(text(wrong), "vectors: the image has vectors, expected none, there is a store");
}

#[test]
fn damaged_images() {
    let image = index().to_bytes().unwrap();
    assert!(matches!(Index::<u64>::from_bytes(&[]), Err(Error::Format)));
    assert!(matches!(Index::<u64>::from_bytes(b"not an image"), Err(Error::Format)));
    for cut in [1, 64, 4096, image.len() / 2] {
        assert!(Index::<u64>::from_bytes(&image[..image.len() - cut]).is_err(), "{cut} bytes less");
    }
    let mut random = common::Random(1);
    let (mut refused, mut found) = (0, 0);
    for _ in 0..200 {
        let mut bad = image.clone();
        for _ in 0..4 {
            let at = random.below(bad.len() as u64) as usize;
            bad[at] ^= 1 << random.below(8);
        }
        match Index::<u64>::from_bytes(&bad) {
            Err(_) => refused += 1,
            Ok(index) => {
                let hits = index.search(&[0.0; 4], 10).unwrap();
                assert!(hits.len() <= 10);
                found += usize::from(!index.check().unwrap().sound);
                let verify = OpenOptions::<f32>::new().verify(true).from_bytes::<u64>(&bad);
                assert!(verify.is_err());
            }
        }
    }
    assert_eq!(refused + found, 200);
}
