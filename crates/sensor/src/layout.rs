//! How Rust lays out what bpf/ declares: what `abi` compares.

/// A structure as Rust lays it out, with the name of its C counterpart.
#[derive(Clone, Copy)]
pub(crate) struct Struct {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    pub(crate) members: &'static [Member],
}

/// A member of a structure; offset and size in bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) offset: usize,
    pub(crate) size: usize,
}

/// The values of an enum as Rust knows them; `prefix` begins their C names.
#[derive(Clone, Copy)]
pub(crate) struct Enum {
    pub(crate) name: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) values: &'static [(&'static str, usize)],
}
