// config.rs - what an index is, and how it is made
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use core::marker::PhantomData;

use nigh_sys as sys;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::key::Key;
use crate::metric::{Function, Metric};
use crate::store::{Owned, VectorStore};

/// Small copies of the vectors to search on; what is found is scored again on the true vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codes {
    /// None: searches read the vectors.
    #[default]
    None,
    /// A byte an element, one scale for the index. Not for `B1` and custom distances.
    U7,
    /// A bit an element: for high dimensions, with a deep rerank.
    B1,
}

impl Codes {
    pub(crate) fn number(self) -> u32 {
        match self {
            Codes::None => sys::NIGH_CODES_NONE,
            Codes::U7 => sys::NIGH_CODES_U7,
            Codes::B1 => sys::NIGH_CODES_B1,
        }
    }

    pub(crate) fn from_number(number: u32) -> Self {
        match number {
            sys::NIGH_CODES_U7 => Codes::U7,
            sys::NIGH_CODES_B1 => Codes::B1,
            _ => Codes::None,
        }
    }
}

/// What an index is, every default filled in: `Index::config`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Elements of a vector.
    pub dim: usize,
    /// Its distance.
    pub metric: Metric,
    /// Links per node above layer 0.
    pub m: usize,
    /// Links per node in layer 0.
    pub m0: usize,
    /// Candidates kept while inserting.
    pub ef_build: usize,
    /// Nodes under way at once while inserting.
    pub expansions: usize,
    /// Target bytes of a block.
    pub block_bytes: usize,
    /// Longest byte-string key.
    pub key_bytes_max: usize,
    /// Draws the layers.
    pub seed: u64,
    /// Codes that the index is to have.
    pub codes: Codes,
    /// Rows are filled up with neighbours that selection refused.
    pub keep_pruned: bool,
    /// Links are chosen on the true vectors.
    pub exact_build: bool,
    /// How much nearer a chosen neighbour must be for a candidate to be refused.
    pub alpha: f32,
    /// The graph is as a file of hnswlib holds it: `Index::root` it before it is changed.
    pub unrooted: bool,
}

impl Config {
    pub(crate) fn from_raw(raw: &sys::nigh_config) -> Result<Self> {
        Ok(Config {
            dim: raw.dim as usize,
            metric: Metric::from_number(raw.metric).ok_or(Error::Unsupported)?,
            m: raw.m as usize,
            m0: raw.m0 as usize,
            ef_build: raw.ef_build as usize,
            expansions: raw.expansions as usize,
            block_bytes: raw.block_bytes as usize,
            key_bytes_max: raw.key_bytes_max as usize,
            seed: raw.seed,
            codes: Codes::from_number(raw.codes),
            keep_pruned: raw.build_flags & sys::NIGH_BUILD_KEEP_PRUNED != 0,
            exact_build: raw.build_flags & sys::NIGH_BUILD_EXACT != 0,
            alpha: raw.alpha,
            unrooted: raw.build_flags & sys::NIGH_BUILD_UNROOTED != 0,
        })
    }
}

/// Slots of an index whose `capacity` is not said.
pub(crate) const CAPACITY: u32 = 65_536;

/// Makes an empty [`Index`]. All but `capacity` and `features` is stored in the index and changes
/// its bytes: the same settings and the same insertions give the same file on every machine.
///
/// ```
/// use nigh::{Index, Metric};
/// let index = Index::<u64>::builder(128).metric(Metric::Cosine).capacity(1_000_000).build()?;
/// # Ok::<(), nigh::Error>(())
/// ```
#[must_use]
pub struct Builder<K: Key, E: Element> {
    pub(crate) config: sys::nigh_config,
    pub(crate) options: sys::nigh_options,
    pub(crate) distance: Option<Function<E::Unit>>,
    too_large: Option<&'static str>,
    kinds: PhantomData<(K, E)>,
}

macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident: $field:ident, $limit:literal;)*) => {$(
        $(#[$meta])*
        pub fn $name(mut self, $name: usize) -> Self {
            self.config.$field = u32::try_from($name).unwrap_or_else(|_| {
                self.too_large = Some($limit);
                0
            });
            self
        }
    )*};
}

impl<K: Key, E: Element> Builder<K, E> {
    /// For vectors of `dim` elements, 1 to 65535. [`Metric::L2`], but [`Metric::Hamming`] for `B1`.
    pub fn new(dim: usize) -> Self {
        let bits = E::DTYPE == sys::NIGH_DTYPE_B1;
        let metric = if bits { Metric::Hamming } else { Metric::L2 };
        Builder {
            config: sys::nigh_config {
                metric: metric.number(),
                dtype: E::DTYPE,
                keys: K::KIND,
                ..Default::default()
            },
            options: sys::nigh_options { slot_max: CAPACITY, ..Default::default() },
            distance: None,
            too_large: None,
            kinds: PhantomData,
        }
        .dim(dim)
    }

    numbers! {
        /// Elements of a vector, 1 to 65535.
        dim: dim, "dim: expected 1 to 65535";
        /// Links per node above layer 0, 2 to 1024; default 16.
        m: m, "m: expected 2 to 1024";
        /// Links per node in layer 0, `m` to 2048; default 2 m.
        m0: m0, "m0: expected m to 2048";
        /// Candidates kept while inserting (ef_construction), 1 to 65535; default 200.
        ef_build: ef_build, "ef_build: expected 1 to 65535";
        /// Nodes under way at once while inserting, 1 to 8; default 2. 1 is hnswlib's order.
        expansions: expansions, "expansions: expected 1 to 8";
        /// Target bytes of a block, a power of two 256 to 2^26; default 65536.
        block_bytes: block_bytes, "block_bytes: expected a power of two, 256 to 2^26";
        /// Longest byte-string key, 1 to 511; default 511.
        key_bytes_max: key_bytes_max, "key_bytes_max: expected 1 to 511";
    }

    /// The distance.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.config.metric = metric.number();
        self
    }

    /// A distance of one's own, of two rows: symmetric, smaller is nearer, NaN counts as infinite.
    /// It is not stored in the index: `OpenOptions::distance` must say it again.
    pub fn distance<F>(mut self, distance: F) -> Self
    where
        F: Fn(&[E::Unit], &[E::Unit]) -> f32 + Send + Sync + 'static,
    {
        self.distance = Some(Box::new(distance));
        self.metric(Metric::Custom)
    }

    /// Draws the layers; the same seed and insertions give the same bytes. Default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.config.seed = seed;
        self
    }

    /// Codes to search on. They are made by `Index::build`, or by `Index::make_codes`.
    pub fn codes(mut self, codes: Codes) -> Self {
        self.config.codes = codes.number();
        self
    }

    /// The span of elements that [`Codes::U7`] tell apart (of unit vectors for cosine); beyond it
    /// they are clamped. Default: taken from a sample when codes are made.
    pub fn code_span(mut self, min: f32, max: f32) -> Self {
        (self.config.code_min, self.config.code_max) = (min, max);
        self
    }

    /// Rows are filled up with neighbours that selection refused.
    pub fn keep_pruned(mut self, keep: bool) -> Self {
        self.flag(sys::NIGH_BUILD_KEEP_PRUNED, keep);
        self
    }

    /// Links are chosen on the true vectors, not on codes or a draft: takes two to three times as
    /// long.
    pub fn exact_build(mut self, exact: bool) -> Self {
        self.flag(sys::NIGH_BUILD_EXACT, exact);
        self
    }

    /// A candidate is refused when a chosen neighbour is `alpha` times nearer to it than the node
    /// is, 1 to 2; default 1 (hnswlib).
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.config.alpha = alpha;
        self
    }

    /// Most slots that the index can hold without `Index::reserve`; default 65,536. Memory is taken
    /// as vectors come in; a session has a byte for each slot of the capacity.
    pub fn capacity(mut self, slots: usize) -> Self {
        self.options.slot_max = u32::try_from(slots).unwrap_or_else(|_| {
            self.too_large = Some("capacity: expected 1 to 2^31 - 2");
            0
        });
        self
    }

    /// Instruction sets that may be used, `nigh_sys::NIGH_CPU_*`; default all that the machine has.
    /// Changes no result.
    pub fn features(mut self, features: u32) -> Self {
        self.options.features = features;
        self
    }

    fn flag(&mut self, flag: u32, on: bool) {
        self.config.build_flags =
            if on { self.config.build_flags | flag } else { self.config.build_flags & !flag };
    }

    /// An index that keeps its vectors.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the setting that is out of range; [`Error::NoMemory`].
    pub fn build(self) -> Result<Index<K, E>> {
        self.build_over(Owned)
    }

    /// An index over vectors that stay where they are: see [`VectorStore`].
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_over<S: VectorStore<E>>(mut self, store: S) -> Result<Index<K, E, S>> {
        self.config.vectors =
            if S::OWNED { sys::NIGH_VECTORS_OWNED } else { sys::NIGH_VECTORS_EXTERNAL };
        self.check()?;
        Index::create(self, store)
    }

    /// C says only that something is out of range.
    pub(crate) fn check(&self) -> Result<()> {
        let config = &self.config;
        let or_default =
            |value: u32, low: u32, high: u32| value == 0 || (low..=high).contains(&value);
        let m = if config.m == 0 { 16 } else { config.m };
        let hamming = config.metric == Metric::Hamming.number();
        let custom = config.metric == Metric::Custom.number();
        let rules = [
            (self.too_large.is_none(), self.too_large.unwrap_or("")),
            ((1..=65535).contains(&config.dim), "dim: expected 1 to 65535"),
            (or_default(config.m, 2, 1024), "m: expected 2 to 1024"),
            (or_default(config.m0, m.max(4), 2048), "m0: expected m to 2048, at least 4"),
            (or_default(config.ef_build, 1, 65535), "ef_build: expected 1 to 65535"),
            (or_default(config.expansions, 1, 8), "expansions: expected 1 to 8"),
            (
                config.block_bytes == 0
                    || (config.block_bytes.is_power_of_two()
                        && (256..=1 << 26).contains(&config.block_bytes)),
                "block_bytes: expected a power of two, 256 to 2^26",
            ),
            (or_default(config.key_bytes_max, 1, 511), "key_bytes_max: expected 1 to 511"),
            (config.alpha == 0.0 || (1.0..=2.0).contains(&config.alpha), "alpha: expected 1 to 2"),
            (
                (1..=(1 << 31) - 2).contains(&self.options.slot_max),
                "capacity: expected 1 to 2^31 - 2",
            ),
            (
                hamming == (config.dtype == sys::NIGH_DTYPE_B1) || custom,
                "metric: Hamming is for B1, and B1 has no other",
            ),
            (custom == self.distance.is_some(), "metric: Custom wants Builder::distance"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(Error::Invalid(rule)),
            None => Ok(()),
        }
    }
}
