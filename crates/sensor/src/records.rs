//! What the kernel side hands over: the structures of bpf/records.h, byte for byte; abi.rs compares the two.

use crate::layout::{Member, Struct};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Declares a structure, with the name of its C counterpart, for abi.rs to compare the two.
macro_rules! record {
    ($(#[$doc:meta])* pub struct $name:ident = $c_name:literal {
        $($(#[$field_doc:meta])* pub $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl $name {
            pub(crate) const LAYOUT: Struct = Struct {
                name: $c_name,
                size: size_of::<$name>(),
                members: &[$(Member {
                    name: stringify!($field),
                    offset: std::mem::offset_of!($name, $field),
                    size: size_of::<$type>(),
                },)*],
            };
        }
    };
}

/// Declares the values of a C enum, whose names begin with `$prefix`.
macro_rules! values {
    ($(#[$doc:meta])* pub mod $name:ident = $c_name:literal $prefix:literal: $type:ty {
        $($value_name:ident = $value:literal,)*
    }) => {
        $(#[$doc])*
        #[allow(missing_docs)]
        pub mod $name {
            $(pub const $value_name: $type = $value;)*

            pub(crate) const ENUM: crate::layout::Enum = crate::layout::Enum {
                name: $c_name,
                prefix: $prefix,
                values: &[$((stringify!($value_name), $value),)*],
            };
        }
    };
}

values! {
    /// What a record is, its first byte.
    pub mod record_type = "record_type" "RECORD_": u8 {
        PROCESS = 1,
        CONNECTION = 2,
        CLAIM = 3,
        DNS = 4,
        NAT = 5,
        IMAGE = 6,
    }
}

values! {
    /// What happened.
    pub mod kind = "connection_kind" "KIND_": u8 {
        CONNECT = 1,
        ACCEPT = 2,
        SENT = 3,
        RECEIVED = 4,
        ATTEMPT = 5,
        CLOSE = 6,
        EXISTING = 7,
    }
}

values! {
    /// How the owner was found.
    pub mod attribution = "attribution" "ATTRIBUTION_": u8 {
        NONE = 0,
        CALLER = 1,
        LISTENER = 2,
        OWNER = 3,
        PENDING = 4,
    }
}

values! {
    /// Which end began.
    pub mod initiated = "initiated" "INITIATED_": u8 {
        NO = 0,
        YES = 1,
        UNKNOWN = 2,
    }
}

values! {
    /// The setting that chooses how accepting processes are seen.
    pub mod accept_hook = "accept_hook" "ACCEPT_": u8 {
        GRAFT = 1,
        GETPEERNAME = 2,
        SYSCALLS = 3,
    }
}

values! {
    /// Indices of the kernel side's counters, and how many there are.
    pub mod counter = "counter" "COUNTER_": u32 {
        LOST_CONNECTION = 0,
        LOST_PROCESS = 1,
        LOST_CLAIM = 2,
        LOST_DNS = 3,
        UNOWNED = 4,
        TCPS_FULL = 5,
        EVICTED = 6,
        OVERFLOWED = 7,
        UNASKED_DNS = 8,
        COUNTERS = 9,
    }
}

values! {
    /// The sizes of the kernel side's tables and texts.
    pub mod limit = "limit" "LIMIT_": usize {
        PATH_BYTES = 4096,
        NAME_BYTES = 256,
        CGROUP_BYTES = 1024,
        COMMAND_BYTES = 1024,
        IMAGE_PATH_BYTES = 512,
        ANCESTORS = 16,
        DNS_BYTES = 4096,
        REQUESTS = 4096,
    }
}

/// The kernel's TCP states.
#[allow(missing_docs)]
pub mod state {
    pub const ESTABLISHED: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const SYN_RECV: u8 = 3;
    pub const FIN_WAIT1: u8 = 4;
    pub const FIN_WAIT2: u8 = 5;
    pub const TIME_WAIT: u8 = 6;
    pub const CLOSE: u8 = 7;
    pub const CLOSE_WAIT: u8 = 8;
    pub const LAST_ACK: u8 = 9;
    pub const LISTEN: u8 = 10;
    pub const CLOSING: u8 = 11;
}

record! {
    /// A process as it was when it was seen; all zero where it is not known.
    #[derive(PartialEq, Eq, Hash, Default)]
    pub struct Owner = "owner" {
        /// Its start, nanoseconds since boot.
        pub start_boot_ns: u64,
        /// Process id.
        pub tgid: u32,
        /// Counts its calls of exec.
        pub exec_id: u32,
        /// Real user id.
        pub uid: u32,
        /// Effective user id.
        pub euid: u32,
        /// Who pays for what is remembered of it: its user, who has those of a user namespace made by it, too.
        pub holder: u32,
        /// Zero.
        pub pad: u32,
    }
}

record! {
    /// The far end; IPv4 as `::ffff:a.b.c.d`.
    #[derive(PartialEq, Eq, Hash)]
    pub struct Peer = "peer" {
        /// 16 bytes in network order.
        pub address: [u8; 16],
        /// Port.
        pub port: u16,
        /// Zero.
        pub pad: [u8; 6],
    }
}

record! {
    /// A connection, a flow, an attempt, an end.
    pub struct Connection = "connection_record" {
        /// Record type.
        pub record: u8,
        /// One of [`kind`].
        pub kind: u8,
        /// One of [`attribution`].
        pub attribution: u8,
        /// 6 (TCP) or 17 (UDP).
        pub protocol: u8,
        /// TCP state that was left, or of an existing socket.
        pub state: u8,
        /// Whether this end connected or sent first, one of [`initiated`].
        pub initiated: u8,
        /// errno, 0 without one.
        pub error: u16,
        /// Inode of the network namespace.
        pub netns: u32,
        /// This end's port.
        pub local_port: u16,
        /// The far end's port.
        pub peer_port: u16,
        /// When, nanoseconds since boot.
        pub time_boot_ns: u64,
        /// The socket's cookie.
        pub cookie: u64,
        /// The process.
        pub owner: Owner,
        /// This end's address.
        pub local: [u8; 16],
        /// The far end's address.
        pub peer: [u8; 16],
        /// The interface of a link-local flow, else 0.
        pub interface: u32,
        /// Zero.
        pub pad: u32,
    }
}

impl Connection {
    /// The far end.
    pub fn far_end(&self) -> Peer {
        Peer { address: self.peer, port: self.peer_port, pad: [0; 6] }
    }
}

record! {
    /// What went over a connection that is closed.
    pub struct Counts = "close_record" {
        /// Since it was established; 0 if that was not seen.
        pub duration_ns: u64,
        /// Bytes that this end sent and the far end acknowledged.
        pub sent_bytes: u64,
        /// Bytes received.
        pub received_bytes: u64,
        /// Segments sent.
        pub sent_packets: u32,
        /// Segments received.
        pub received_packets: u32,
    }
}

record! {
    /// The ends of a flow as they were translated on the way; comes before the flow's own record.
    pub struct Nat = "nat_record" {
        /// Record type.
        pub record: u8,
        /// 6 (TCP) or 17 (UDP).
        pub protocol: u8,
        /// Zero.
        pub pad: [u8; 2],
        /// This end's port, as translated.
        pub local_port: u16,
        /// The far end's port, as translated.
        pub peer_port: u16,
        /// The socket's cookie.
        pub cookie: u64,
        /// The far end as the socket knows it.
        pub peer: Peer,
        /// This end's address, as translated.
        pub translated_local: [u8; 16],
        /// The far end's address, as translated.
        pub translated_peer: [u8; 16],
        /// As the [`Owner`] of the flow has it.
        pub holder: u32,
        /// Zero.
        pub pad2: u32,
    }
}

record! {
    /// Who really sent or received the first datagram of a pending flow.
    pub struct Claim = "claim_record" {
        /// Record type.
        pub record: u8,
        /// [`kind::SENT`] or [`kind::RECEIVED`].
        pub kind: u8,
        /// Whether the peer is known; otherwise the socket's oldest pending flow is meant.
        pub has_peer: u8,
        /// Zero.
        pub pad: [u8; 5],
        /// The socket's cookie.
        pub cookie: u64,
        /// The process.
        pub owner: Owner,
        /// The flow's far end.
        pub peer: Peer,
    }
}

/// A connection with all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// What happened.
    pub connection: Connection,
    /// What went over it, if it is a close.
    pub counts: Option<Counts>,
    /// Its ends as translated on the way.
    pub nat: Option<Nat>,
}

values! {
    /// Which texts of a description lack their front.
    pub mod truncated = "truncated" "TRUNCATED_": u8 {
        EXECUTABLE = 1,
        CGROUP = 2,
    }
}

values! {
    /// What became of an executable.
    pub mod image_state = "image_state" "IMAGE_": u8 {
        ORDINARY = 0,
        DELETED = 1,
        MEMFD = 2,
        REPLACED = 3,
    }
}

record! {
    /// A process, described before its first connection. Its ancestors and texts stand behind this, see [`Description`].
    pub struct Process = "process_record" {
        /// Record type.
        pub record: u8,
        /// Of [`truncated`].
        pub truncated: u8,
        /// One of [`image_state`], 0 for an ordinary file.
        pub image_state: u8,
        /// How many ancestors.
        pub ancestors: u8,
        /// Bytes of the executable's names.
        pub executable_bytes: u16,
        /// Bytes of the control group's names.
        pub cgroup_bytes: u16,
        /// Bytes of the command line.
        pub command_bytes: u16,
        /// Zero.
        pub pad: [u8; 2],
        /// The executable's device, as stat() writes it.
        pub device: u32,
        /// The executable's inode.
        pub inode: u64,
        /// Inode of the mount namespace.
        pub mount_namespace: u32,
        /// Zero.
        pub pad2: u32,
        /// Which process.
        pub owner: Owner,
    }
}

record! {
    /// A process that led to another.
    #[derive(PartialEq, Eq)]
    pub struct Ancestor = "ancestor" {
        /// Its start, nanoseconds since boot.
        pub start_boot_ns: u64,
        /// The program that it ran then; 0: none, or not known.
        pub image: u64,
        /// Process id.
        pub tgid: u32,
        /// Zero.
        pub pad: u32,
    }
}

/// A process, its ancestors and its texts. Names of paths stand leaf first, each ended by a NUL.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// The record's fixed part.
    pub process: &'a Process,
    /// Ancestors, nearest first.
    pub ancestors: &'a [Ancestor],
    /// Names of the executable's path.
    pub executable: &'a [u8],
    /// Names of the control group's path.
    pub cgroup: &'a [u8],
    /// Arguments, each ended by a NUL.
    pub command: &'a [u8],
}

impl<'a> Description<'a> {
    /// None if the bytes are fewer than the record says.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (process, rest) = Process::ref_from_prefix(bytes).ok()?;
        let (ancestors, texts) = <[Ancestor]>::ref_from_prefix_with_elems(rest, process.ancestors.into()).ok()?;
        let (executable, texts) = texts.split_at_checked(process.executable_bytes.into())?;
        let (cgroup, texts) = texts.split_at_checked(process.cgroup_bytes.into())?;
        let command = texts.get(..process.command_bytes.into())?;
        Some(Description { process, ancestors, executable, cgroup, command })
    }
}

record! {
    /// A program that an ancestor ran. Described before the first process that refers to it.
    pub struct Image = "image_record" {
        /// Record type.
        pub record: u8,
        /// Whether its path lacks its front.
        pub truncated: u8,
        /// Bytes of its path's names, which stand behind this.
        pub path_bytes: u16,
        /// Zero.
        pub pad: u32,
        /// Which it is.
        pub image: u64,
    }
}

record! {
    /// A DNS message over UDP, or a piece of a segment of a connection to a DNS server; its payload is behind it.
    pub struct Dns = "dns_record" {
        /// Record type.
        pub record: u8,
        /// Whether it is of a segment of TCP.
        pub over_tcp: u8,
        /// Whether the process sent it: a question.
        pub sent: u8,
        /// Zero.
        pub pad: u8,
        /// Length of the payload.
        pub payload_bytes: u16,
        /// The server's port, as the socket sees it.
        pub peer_port: u16,
        /// Of a question by UDP the process that asks, else the one that the socket belongs to.
        pub tgid: u32,
        /// As its [`Owner`] has it.
        pub holder: u32,
        /// Its start, nanoseconds since boot.
        pub start_boot_ns: u64,
        /// The socket's cookie.
        pub cookie: u64,
        /// When, nanoseconds since boot.
        pub time_boot_ns: u64,
        /// The server's address.
        pub peer: [u8; 16],
        /// Of a segment: the sequence number of the payload's first byte.
        pub sequence: u32,
        /// Zero.
        pub pad2: u32,
    }
}

/// A record of any type.
#[derive(Clone, Copy, Debug)]
pub enum Record<'a> {
    /// `RECORD_PROCESS`
    Process(Description<'a>),
    /// `RECORD_CONNECTION`; with counts if it is a close.
    Connection(&'a Connection, Option<&'a Counts>),
    /// `RECORD_CLAIM`
    Claim(&'a Claim),
    /// `RECORD_DNS`, with its payload.
    Dns(&'a Dns, &'a [u8]),
    /// `RECORD_NAT`
    Nat(&'a Nat),
    /// `RECORD_IMAGE`; with the names of its path.
    Image(&'a Image, &'a [u8]),
}

impl<'a> Record<'a> {
    /// The record in `bytes`; None if it is of no known type, too short or not aligned.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        match *bytes.first()? {
            record_type::PROCESS => Description::parse(bytes).map(Record::Process),
            record_type::CONNECTION => {
                let (connection, rest) = Connection::ref_from_prefix(bytes).ok()?;
                let closed = connection.kind == kind::CLOSE;
                let counts = if closed { Some(Counts::ref_from_prefix(rest).ok()?.0) } else { None };
                Some(Record::Connection(connection, counts))
            }
            record_type::CLAIM => Claim::ref_from_prefix(bytes).ok().map(|(record, _)| Record::Claim(record)),
            record_type::DNS => {
                let (dns, rest) = Dns::ref_from_prefix(bytes).ok()?;
                Some(Record::Dns(dns, rest.get(..dns.payload_bytes.into())?))
            }
            record_type::NAT => Nat::ref_from_prefix(bytes).ok().map(|(record, _)| Record::Nat(record)),
            record_type::IMAGE => {
                let (image, path) = Image::ref_from_prefix(bytes).ok()?;
                Some(Record::Image(image, path.get(..image.path_bytes.into())?))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_none() {
        assert!(Record::parse(&[]).is_none());
        assert!(Record::parse(&[2; 40]).is_none());
        assert!(Record::parse(&[9; 4096]).is_none());
    }
}
